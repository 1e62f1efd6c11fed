"""Final pass over a whole sequence: rest offsets, clipping and smoothing of action units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# OpenFace 2.2: FaceAnalyser::ExtractAllPredictionsOfflineReg and ...Class.
INTENSITY_RANGE = (0.0, 5.0)
INTENSITY_WINDOW = 3
PRESENCE_WINDOW = 7


def postprocess_intensities(
    intensities: Floats, valid: NDArray[np.bool_], cutoffs: Floats, offsets: Floats | None = None
) -> Floats:
    """Shift, clip and smooth the intensities of a sequence.

    Parameters
    ----------
    intensities : ndarray of shape (n_frames, n_aus), float64
        As predicted.
    valid : ndarray of shape (n_frames,), bool
        Frames with a face. The others become 0 before smoothing, and take part in it.
    cutoffs : ndarray of shape (n_aus,), float64
        For each action unit the quantile of its values that counts as rest and becomes 0; NaN for no shift.
    offsets : ndarray of shape (n_aus,), float64, optional
        The values at rest themselves, where they are known from elsewhere.

    Returns
    -------
    ndarray of shape (n_frames, n_aus), float64
        Within 0..5.
    """
    if offsets is None:
        offsets = rest_offsets(intensities[valid], cutoffs)
    shifted: Floats = np.clip(intensities - offsets, *INTENSITY_RANGE)
    shifted[~valid] = 0
    smooth: Floats = shifted.copy()
    if len(shifted) >= INTENSITY_WINDOW:
        smooth[1:-1] = (shifted[:-2] + shifted[1:-1] + shifted[2:]) / INTENSITY_WINDOW
    return smooth


def rest_offsets(intensities: Floats, cutoffs: Floats) -> Floats:
    """Value of each action unit at rest.

    Parameters
    ----------
    intensities : ndarray of shape (n_valid, n_aus), float64
        Of the frames with a face.
    cutoffs : ndarray of shape (n_aus,), float64
        For each action unit the quantile of its values that counts as rest; NaN for no shift.

    Returns
    -------
    ndarray of shape (n_aus,), float64
    """
    offsets = np.zeros(len(cutoffs))
    if len(intensities) == 0:
        return offsets
    for au in np.flatnonzero(~np.isnan(cutoffs)):
        place = int(len(intensities) * cutoffs[au])
        offsets[au] = np.partition(intensities[:, au], place)[place]
    return offsets


def postprocess_presences(presences: Floats, valid: NDArray[np.bool_]) -> Floats:
    """Smooth the presences of a sequence by majority in a window of seven frames.

    Parameters
    ----------
    presences : ndarray of shape (n_frames, n_aus), float64
        0 or 1.
    valid : ndarray of shape (n_frames,), bool
        Frames with a face. The others count as 0 and can become 1.

    Returns
    -------
    ndarray of shape (n_frames, n_aus), float64
        The first and last three frames keep their values.
    """
    raw: Floats = np.where(valid[:, None], presences, 0.0)
    smooth: Floats = raw.copy()
    half = PRESENCE_WINDOW // 2
    if len(raw) >= PRESENCE_WINDOW:
        means = np.lib.stride_tricks.sliding_window_view(raw, PRESENCE_WINDOW, axis=0).mean(axis=-1)
        smooth[half:-half] = np.where(means < 0.5, 0.0, 1.0)
    return smooth
