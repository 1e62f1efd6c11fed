"""Response map of one SVR patch expert of the classical CLM.

Source: OpenFace 2.2, ``SVR_patch_expert.cpp``, and ``matchTemplate`` (``TM_CCOEFF_NORMED``) of OpenCV 4.6.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..io import SVRExpert
from .patches import logistic

_CLAMP = 1.125  # correlations up to this much above 1 count as 1, larger ones as 0
_FLAT = 2.2e-16  # variance of a template that is constant


def gradient(area: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Squared gradient magnitude by central differences without halving; the border is 0."""
    out = np.zeros_like(area)
    dx = area[1:-1, 2:] - area[1:-1, :-2]
    dy = area[2:, 1:-1] - area[:-2, 1:-1]
    out[1:-1, 1:-1] = dx * dx + dy * dy
    return out


def standardised(area: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Area with mean 0 and standard deviation 1; from a flat area only the mean is subtracted."""
    deviation = area.std()
    return np.asarray((area - area.mean()) / (deviation if deviation > 0 else 1.0))


def correlation(
    values: npt.NDArray[np.float64], template: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Normalised correlation coefficient of a template at every position, with OpenCV's rule for rounding above 1."""
    windows = np.lib.stride_tricks.sliding_window_view(values, template.shape)
    if template.var() < _FLAT:
        return np.ones(windows.shape[:2])
    centred = template - template.mean()
    num = (windows * centred).sum(axis=(2, 3))
    spread = np.maximum((windows**2).sum(axis=(2, 3)) - windows.sum(axis=(2, 3)) ** 2 / template.size, 0.0)
    den = np.sqrt(spread * (centred * centred).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = num / den
    size = np.abs(num)
    return np.where(size < den, ratio, np.where(size < _CLAMP * den, np.sign(num), 0.0))


def svr_response(area: npt.NDArray[np.float32], expert: SVRExpert) -> npt.NDArray[np.float64]:
    """Response of one expert over its area of interest: the product of its modalities' logistic scores.

    Parameters
    ----------
    area : ndarray, shape (w + 10, w + 10), float32
    expert : SVRExpert

    Returns
    -------
    ndarray, shape (w, w), float64
    """
    pixels = area.astype(np.float64)
    response = np.ones([n - expert.width + 1 for n in area.shape])
    for m in expert.modalities:
        # The planes are float32 in the reference, which decides what is flat.
        plane = (
            (standardised(pixels) if m.kind == 0 else gradient(pixels)).astype(np.float32).astype(np.float64)
        )
        response *= logistic(correlation(plane, m.weights.astype(np.float64)) * m.scaling + m.bias)
    return response
