"""What a fit returns."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from .core.optimizer import Fitter

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PartFit:
    """Fit of a part model, e.g. one eye.

    Attributes
    ----------
    name : str
        As in the main file: ``left_eye_28`` is the eye of landmarks 36-41, the subject's right.
    landmarks : ndarray, shape (k, 2), float32
        In px.
    params_global : ndarray, shape (6,), float32
    params_local : ndarray, shape (m,), float32

    Examples
    --------
    See :func:`pyclnf.estimate_gaze`.
    """

    name: str
    landmarks: Float32Array
    params_global: Float32Array
    params_local: Float32Array

    def __repr__(self) -> str:
        return f"<PartFit {self.name}: {len(self.landmarks)} landmarks>"


@dataclass(frozen=True, eq=False)
class FaceFit:
    """Landmarks of one face and how far to trust them.

    Attributes
    ----------
    landmarks : ndarray, shape (n, 2), float32
        x, y in px, pixel centres at integers; iBUG 68-point order. Those of the last good fit where tracking failed.
    params_global : ndarray, shape (6,), float32
        Scale (px/mm), pitch, yaw, roll (rad), tx, ty (px) of the shape model.
    params_local : ndarray, shape (m,), float32
        Shape parameters.
    confidence : float
        Certainty of the detection validator, 0 to 1.
    valid : bool
        The validator accepts the fit.
    tracked : bool
        What OpenFace's video detector returns and writes to its ``success`` column. It differs from `valid` only on
        frames of (re)initialisation.
    view : int
        View of the patch experts that was used last.
    likelihood : float
        Mean log likelihood of the landmarks under the patch experts.
    landmark_likelihoods : ndarray, shape (n,), float32
        -1e8 where a landmark is not visible.
    parts : tuple of PartFit
        In the order of the model.

    Examples
    --------
    >>> import numpy as np
    >>> from pyclnf import CLNF
    >>> fit = CLNF("open").fit(np.zeros((240, 320), np.uint8), box=(100, 60, 120, 130))
    >>> fit.landmarks.dtype, fit.params_global.shape, 0 <= fit.confidence <= 1
    (dtype('float32'), (6,), True)
    """

    landmarks: Float32Array
    params_global: Float32Array
    params_local: Float32Array
    confidence: float
    valid: bool
    tracked: bool
    view: int
    likelihood: float
    landmark_likelihoods: Float32Array
    parts: tuple[PartFit, ...] = ()

    def __iter__(self) -> NoReturn:
        # Scripts for pyclnf 0.4 write `landmarks, info = clnf.fit(...)`.
        raise TypeError("a fit is one FaceFit, not (landmarks, info); use fit.landmarks and fit.confidence")

    def __repr__(self) -> str:
        state = ("tracked" if self.tracked else "not tracked") + ("" if self.valid else ", not valid")
        return f"<FaceFit of {len(self.landmarks)} landmarks: {state}, confidence {self.confidence:.2f}>"

    @property
    def success(self) -> bool:
        """Old name of `valid`; goes away in version 3."""
        _renamed("success", "valid")
        return self.valid

    @property
    def detected(self) -> bool:
        """Old name of `tracked`; goes away in version 3."""
        _renamed("detected", "tracked")
        return self.tracked

    @property
    def eyes(self) -> tuple[PartFit, PartFit] | None:
        """Left and right eye model (image left first), or None if the model has none."""
        found = {p.name: p for p in self.parts}
        if "left_eye_28" in found and "right_eye_28" in found:
            return found["left_eye_28"], found["right_eye_28"]
        return None


def _renamed(old: str, new: str) -> None:
    warnings.warn(f"FaceFit.{old} is now called FaceFit.{new}", DeprecationWarning, stacklevel=3)


def face_fit(fitter: Fitter, tracked: bool) -> FaceFit:
    """Freeze the state of a fitter; its arrays are copied."""
    s = fitter.present
    parts = tuple(
        PartFit(
            p.name,
            _points(f.present.landmarks),
            f.present.params_global.copy(),
            f.present.params_local.copy(),
        )
        for p, f in zip(fitter.model.parts, fitter.parts, strict=True)
    )
    return FaceFit(
        _points(s.landmarks),
        s.params_global.copy(),
        s.params_local.copy(),
        s.certainty,
        bool(s.success),
        bool(tracked),
        s.view,
        s.likelihood,
        s.landmark_likelihoods.copy(),
        parts,
    )


def _points(planar: Float32Array) -> Float32Array:
    return np.ascontiguousarray(planar.reshape(2, -1).T)
