"""What the pipeline knows about one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyclnf import FaceFit


@dataclass(frozen=True, eq=False)
class FrameResult:
    """Face of one frame.

    Attributes
    ----------
    frame : int
        Number of the frame since the last reset, from 1.
    timestamp : float
        Seconds; NaN where nobody gave a frame rate.
    success : bool
        Whether a face is tracked: OpenFace's ``success`` column.
    confidence : float
        Certainty of the detection validator, 0 to 1.
    landmarks : ndarray, shape (68, 2), float32
        x, y in px; NaN before the first face. After a loss, those of the last fit.
    pose : ndarray, shape (6,), float64
        Tx, Ty, Tz in mm; Rx, Ry, Rz (pitch, yaw, roll) in radians; NaN before the first face.
    au_intensities : dict of str to float
        "AU01" to "AU45", as predicted when the frame arrives: not yet shifted, clipped or smoothed, which needs the whole sequence.
        0 without a face.
    au_presences : dict of str to int
        "AU01" to "AU45", 0 or 1, before smoothing.
    fit : FaceFit
        The landmark model's fit, with its parameters and eye models.
    """

    frame: int
    timestamp: float
    success: bool
    confidence: float
    landmarks: npt.NDArray[np.float32]
    pose: npt.NDArray[np.float64]
    au_intensities: dict[str, float]
    au_presences: dict[str, int]
    fit: FaceFit
