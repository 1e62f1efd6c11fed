"""Landmarks of a face in one image."""

from __future__ import annotations

import os
from typing import Any

import numpy.typing as npt

from ._state import Rebuilding, rebuilt
from .config import FitParameters
from .core.initialisation import fit_in_image
from .core.model import LandmarkModel
from .core.optimizer import Fitter
from .fit import FaceFit, face_fit
from .image import to_grey
from .models import landmark_model_path
from .overlap import checked_box


class CLNF:
    """Fits 68 facial landmarks in still images.

    Parameters
    ----------
    model : str, path-like or LandmarkModel
        ``"ceclm"`` or ``"clnf"`` (OpenFace's models, installed by the user), ``"open"`` (the pack that ships with this
        package), ``"auto"`` (the first of these three that is there; a warning says which, unless it is the first), the
        path of a main model file, or a loaded model.
    parameters : FitParameters, optional
        OpenFace's for this model by default.
    multi_view : bool
        Try all starting orientations. Off, as in OpenFace's image program; turn it on for faces that are not near
        frontal.
    threads : int
        Threads per fit; results do not depend on it.

    Raises
    ------
    pyclnf.errors.MissingModelError
        If a model file is not there; the message names the command that installs it.
    pyclnf.errors.ModelFileError
        If a model file is malformed.

    Examples
    --------
    >>> import numpy as np
    >>> from pyclnf import CLNF
    >>> clnf = CLNF("open")
    >>> image = np.zeros((240, 320, 3), np.uint8)  # or cv2.imread("face.jpg")
    >>> fit = clnf.fit(image, box=(100, 60, 120, 130))
    >>> fit.landmarks.shape
    (68, 2)
    >>> fit.valid  # the image is black
    False

    References
    ----------
    Baltrusaitis et al., ICCVW 2013 (CLNF); Zadeh et al., CVPRW 2017 (CE-CLM).
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | LandmarkModel = "auto",
        *,
        parameters: FitParameters | None = None,
        multi_view: bool = False,
        threads: int = 1,
    ) -> None:
        self.model = load_model(model)
        self.parameters = parameters or FitParameters.for_model(self.model)
        self.multi_view = multi_view
        self.threads = threads
        self._fitter = Fitter(self.model, self.parameters, threads)

    def __reduce__(self) -> Rebuilding:
        arguments = {
            "model": self.model,
            "parameters": self.parameters,
            "multi_view": self.multi_view,
            "threads": self.threads,
        }
        return rebuilt, (type(self), arguments, None)

    def fit(self, image: npt.NDArray[Any], box: npt.ArrayLike) -> FaceFit:
        """Fit the face in a box.

        Parameters
        ----------
        image : ndarray, shape (rows, cols[, 3 or 4]), uint8 or uint16
            BGR, BGRA or grey.
        box : array_like, shape (4,)
            x, y, width, height in px, enclosing the face from chin to eyebrows, as the detector gives it.

        Returns
        -------
        FaceFit

        Raises
        ------
        ValueError
            If the image is empty or of a wrong shape, or the box is not four finite numbers with a positive size.
        TypeError
            If the image is neither 8- nor 16-bit.
        """
        grey = to_grey(image)
        self._fitter.reset()
        tracked = fit_in_image(self._fitter, grey, checked_box(box), self.multi_view)
        return face_fit(self._fitter, tracked)


def load_model(model: str | os.PathLike[str] | LandmarkModel) -> LandmarkModel:
    """Load a model by name or path; see :class:`CLNF`."""
    if isinstance(model, LandmarkModel):
        return model
    return LandmarkModel.load(landmark_model_path(model))
