"""What the pipeline knows about one face in one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyclnf import FaceFit
from pyclnf.core.gaze import Gaze

from .analyser import FrameAnalysis


@dataclass(frozen=True, eq=False)
class FrameResult:
    """One face in one frame.

    Attributes
    ----------
    frame : int
        Number of the frame, from 1.
    timestamp : float
        Seconds; NaN where nobody gave a frame rate.
    face_id : int
        Which face; 0 where one face is followed.
    success : bool
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
        the whole sequence. 0 without a face.
    au_presences : dict of str to int
        "AU01" to "AU45", 0 or 1, before smoothing.
    fit : FaceFit
        The landmark model's fit, with its parameters and eye models.
    analysis : FrameAnalysis
        The action-unit stage's result, with the aligned face and its HOG.
    """

    frame: int
    timestamp: float
    face_id: int
    success: bool
    confidence: float
    landmarks: npt.NDArray[np.float32]
    landmarks_3d: npt.NDArray[np.float64] | None
    pose: npt.NDArray[np.float64]
    gaze: Gaze | None
    au_intensities: dict[str, float]
    au_presences: dict[str, int]
    fit: FaceFit
    analysis: FrameAnalysis
