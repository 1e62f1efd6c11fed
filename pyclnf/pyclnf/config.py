"""Constants of the fit, each with its source."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .io import read_model_description

if TYPE_CHECKING:
    from .core.model import LandmarkModel

# OpenFace 2.2: LandmarkDetectorModel.cpp, DetectLandmarks
SMALLEST_FACE_SCALE = 0.25  # px/mm; a smaller face fails
LIKELIHOOD_FACE_SCALE = 0.30  # px/mm; below, the likelihood is computed at every scale
PARTS_FACE_SCALE = 0.9  # times the part's first scale; a smaller face does not run its parts
LIKELIHOOD_FLOOR = -10.0  # model likelihood before any fit

# Rotations (pitch, yaw, roll, rad) from which a face is tried.
# OpenFace 2.2: LandmarkDetectorFunc.cpp, DetectLandmarksInImage
ORIENTATIONS: tuple[tuple[float, float, float], ...] = (
    (0.0, 0.0, 0.0),
    (0.0, -0.5236, 0.0),
    (0.0, 0.5236, 0.0),
    (0.0, -0.96, 0.0),
    (0.0, 0.96, 0.0),
    (0.0, 0.0, 0.5236),
    (0.0, 0.0, -0.5236),
    (0.0, -1.57, 0.0),
    (0.0, 1.57, 0.0),
    (0.0, -1.22, 0.698),
    (0.0, 1.22, -0.698),
)


@dataclass(frozen=True)
class FitParameters:
    """How a model is fitted; the defaults are OpenFace's.

    Attributes
    ----------
    iterations : int
        Most updates per scale, for the rigid and for the full fit each.
    windows_init : tuple of int
        Side of the response maps per scale when the face is new or lost; 0 skips a scale.
    windows_track : tuple of int
        The same while tracking goes well.
    sigma : float
        Width of the kernel density estimate, in reference-frame px.
    regularisation : float
        Weight of the shape prior.
    weight_factor : float
        If positive, landmarks are weighted by this times their expert's confidence.
    refine : bool
        Adapt sigma and regularisation to the scale.
    validate : bool
        Run the detection validator; without it every completed fit is a success.
    use_parts : bool
        Refine with the eye and inner-face models, if the model has any.
    validation_boundary : float
        Certainty above which a fit is a success.
    reinitialise_every : int
        A lost face is looked for again in every such frame.
    template_tracking : bool
        Shift the start of each frame by matching the last frame's face (off in OpenFace's programs).
    template_scale : float
        px/mm at which the template is matched.

    Raises
    ------
    ValueError
        If a number is not possible.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from pyclnf import FitParameters
    >>> replace(FitParameters(), template_tracking=True).windows_track
    (0, 9, 7, 0)

    References
    ----------
    OpenFace 2.2, ``LandmarkDetectorParameters.cpp``.
    """

    iterations: int = 5
    windows_init: tuple[int, ...] = (11, 9, 7, 5)
    windows_track: tuple[int, ...] = (0, 9, 7, 0)
    sigma: float = 1.5
    regularisation: float = 25.0
    weight_factor: float = 0.0
    refine: bool = True
    validate: bool = True
    use_parts: bool = True
    validation_boundary: float = 0.725
    reinitialise_every: int = 2
    template_tracking: bool = False
    template_scale: float = 0.3

    def __post_init__(self) -> None:
        positive = {"sigma": self.sigma, "template_scale": self.template_scale}
        not_negative = {
            "iterations": self.iterations,
            "regularisation": self.regularisation,
            "weight_factor": self.weight_factor,
            "reinitialise_every": self.reinitialise_every,
        }
        for name, value in {**positive, **not_negative}.items():
            if not math.isfinite(value) or value < 0 or (name in positive and value == 0):
                expected = "positive" if name in positive else "0 or more"
                raise ValueError(f"{name} must be {expected} and finite, got {value}")

    @classmethod
    def for_model(cls, model: LandmarkModel | str | os.PathLike[str], *, wild: bool = False) -> FitParameters:
        """Parameters for a model: OpenFace's, times the factors of the model's description.

        Parameters
        ----------
        model : LandmarkModel or path-like
            A model or its main file; see :attr:`pyclnf.io.ModelDescription.fit_factors`.
        wild : bool
            The settings for faces in difficult images (OpenFace's ``-wild``).

        Raises
        ------
        pyclnf.errors.MissingModelError, pyclnf.errors.ModelFileError
            If a path is given whose file is not there or malformed.

        Examples
        --------
        >>> from pyclnf import FitParameters
        >>> from pyclnf.models import open_model_path
        >>> FitParameters.for_model(open_model_path()).sigma
        2.25
        """
        described = read_model_description(model) if isinstance(model, str | os.PathLike) else model
        factors = described.fit_factors
        base = cls()
        if wild:
            base = replace(
                base,
                iterations=10,
                windows_init=(15, 13, 11, 11),
                sigma=1.25,
                regularisation=35.0,
                weight_factor=2.5,
            )
        return replace(
            base,
            sigma=base.sigma * factors.sigma,
            regularisation=base.regularisation * factors.regularisation,
        )


_EYE = FitParameters(
    windows_init=(5, 3), windows_track=(5, 3), regularisation=0.1, sigma=2.0, refine=False, validate=False
)
_EYE_28 = FitParameters(
    windows_init=(3, 5, 9),
    windows_track=(3, 5, 9),
    regularisation=0.5,
    sigma=1.0,
    refine=False,
    validate=False,
)

# Parameters of the part models, by the name the main file gives them.
# OpenFace 2.2: LandmarkDetectorModel.cpp, Read_CLNF
PART_PARAMETERS: dict[str, FitParameters] = {
    "left_eye": _EYE,
    "right_eye": _EYE,
    "left_eye_28": _EYE_28,
    "right_eye_28": _EYE_28,
    "mouth": FitParameters(
        windows_init=(7, 7), windows_track=(7, 7), regularisation=1.0, sigma=2.0, refine=False, validate=False
    ),
    "brow": FitParameters(
        windows_init=(11, 9),
        windows_track=(11, 9),
        regularisation=10.0,
        sigma=3.5,
        refine=False,
        validate=False,
    ),
    "inner": FitParameters(
        windows_init=(9,),
        windows_track=(9,),
        regularisation=2.5,
        sigma=1.75,
        weight_factor=2.5,
        refine=False,
        validate=False,
    ),
}

EYE_PARTS = ("left_eye_28", "right_eye_28")
