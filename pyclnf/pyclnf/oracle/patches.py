"""Contrast-normalised 11 x 11 patches, the input of CCNF and CEN.

Source: OpenFace 2.2, ``CCNF_patch_expert.cpp`` and ``CEN_patch_expert.cpp``, ``im2colContrastNormBias``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def normalised_patches(area: npt.NDArray[np.float32], support: int = 11) -> npt.NDArray[np.float64]:
    """Every patch of an area as a column: a constant 1, then its pixels down the columns, centred and of L2 norm 1.

    Parameters
    ----------
    area : ndarray, shape (w + support - 1, w + support - 1), float32
    support : int
        Side of a patch.

    Returns
    -------
    ndarray, shape (w, w, 1 + support**2), float64
        By row and column of the patch. A flat patch is all zeros after its 1.
    """
    windows = np.lib.stride_tricks.sliding_window_view(area.astype(np.float64), (support, support))
    pixels = windows.transpose(0, 1, 3, 2).reshape(*windows.shape[:2], support * support)
    centred = pixels - pixels.mean(axis=2, keepdims=True)
    norm = np.sqrt((centred * centred).sum(axis=2, keepdims=True))
    norm[norm < 1e-9] = 1.0  # flat: what is left of the mean's rounding must not be blown up
    return np.concatenate([np.ones((*windows.shape[:2], 1)), centred / norm], axis=2)


def logistic(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """``1 / (1 + exp(-x))`` without overflow."""
    out: npt.NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * x))
    return out
