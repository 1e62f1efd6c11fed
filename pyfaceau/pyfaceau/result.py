"""What the pipeline knows about one face in one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pyclnf import FaceFit
from pyclnf.gaze import Gaze

from ._deprecation import warn_renamed
from .analysis import FrameAnalysis


@dataclass(frozen=True, eq=False)
class FrameResult:
    """One face in one frame.

    Attributes
    ----------
    frame : int
        Number of the frame, from 1.
    timestamp : float
        Seconds; NaN where the frame rate is unknown.
    face_id : int
        Which face; 0 where one face is followed.
    tracked : bool
        Whether a face is tracked: OpenFace's ``success`` column.
    confidence : float
        Certainty of the detection validator, 0 to 1.
    landmarks : ndarray, shape (68, 2), float32
        x, y in px; NaN before the first face. After a loss, those of the last fit.
    landmarks_3d : ndarray, shape (68, 3), float64, or None
        In camera space, mm; None where they were not asked for.
    pose : ndarray, shape (6,), float64
        Tx, Ty, Tz in mm; Rx, Ry, Rz (pitch, yaw, roll) in radians; NaN before the first face.
    gaze : Gaze or None
        None where it was not asked for, where the landmark model has no eye models, or before the first face.
    au_intensities : dict of str to float
        "AU01" to "AU45", as predicted when the frame arrives: not yet shifted, clipped or smoothed, which needs
        the whole sequence; below 0 where there is less of the movement than in the median face so far. 0 without
        a face.
    au_presences : dict of str to int
        "AU01" to "AU45", 0 or 1, before smoothing.
    fit : FaceFit
        The landmark model's fit, with its parameters and eye models.
    analysis : FrameAnalysis
        The action-unit stage's result, with the aligned face and its HOG.

    Examples
    --------
    >>> import cv2
    >>> from pyfaceau import FullPythonAUPipeline
    >>> from pyfaceau.demo import DEMO_PORTRAIT
    >>> image = cv2.imread(str(DEMO_PORTRAIT))
    >>> result = FullPythonAUPipeline(models="open").process_image(image)[0]
    >>> result.tracked, result.landmarks.shape, result.au_intensities["AU12"] > 1  # she smiles
    (True, (68, 2), True)
    """

    frame: int
    timestamp: float
    face_id: int
    tracked: bool
    confidence: float
    landmarks: npt.NDArray[np.float32]
    landmarks_3d: npt.NDArray[np.float64] | None
    pose: npt.NDArray[np.float64]
    gaze: Gaze | None
    au_intensities: dict[str, float]
    au_presences: dict[str, int]
    fit: FaceFit
    analysis: FrameAnalysis

    @property
    def valid(self) -> bool:
        """Whether the validator accepts the fit, so that the face has action units.

        It differs from `tracked` only on the frame in which a face is found (anew).
        """
        return self.analysis.valid

    @property
    def success(self) -> bool:
        """Old name of `tracked`."""
        warn_renamed("FrameResult.success", "FrameResult.tracked (or FrameResult.valid)")
        return self.tracked

    def __repr__(self) -> str:
        state = f"tracked, confidence {self.confidence:.2f}" if self.tracked else "no face"
        strongest = sorted(self.au_intensities.items(), key=lambda item: -item[1])[:3]
        units = ", ".join(f"{name} {value:.1f}" for name, value in strongest if self.tracked)
        return (
            f"<FrameResult frame {self.frame}, face {self.face_id}: {state}{', ' + units if units else ''}>"
        )

    def _repr_html_(self) -> str:
        """Show the face, its landmarks and its action units in a notebook."""
        from ._html import result_html

        return result_html(self)

    def __getitem__(self, key: str) -> Any:
        """Return a value under the key that it has in the dictionaries of pyfaceau 1.x, with a warning."""
        from .migration import old_result_value

        return old_result_value(self, key)

    # Without this, Python would take an object with __getitem__ for a sequence and count its items from 0.
    __iter__ = None
