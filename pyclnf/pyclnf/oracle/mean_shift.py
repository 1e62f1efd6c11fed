"""Mean shift of one landmark on its response map, and the likelihood of a landmark under it.

Source: OpenFace 2.2, ``LandmarkDetectorModel.cpp``, ``NonRigidMeanShift_precalc_kde`` and ``NU_RLMS``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

GRID = 0.1  # px between the nodes on which the kernel is tabulated


def kernel(window: int, sigma: float, column: float, row: float) -> npt.NDArray[np.float64]:
    """Gaussian weight of every position of a map for an estimate at (column, row)."""
    y, x = np.indices((window, window))
    return np.asarray(np.exp(-0.5 * ((row - y) ** 2 + (column - x) ** 2) / sigma**2))


def mean_shift(response: npt.NDArray[np.floating], dx: float, dy: float, sigma: float) -> tuple[float, float]:
    """Shift of an estimate towards the mean of its kernel-weighted responses.

    Parameters
    ----------
    response : ndarray, shape (w, w)
    dx, dy : float
        Position in the map (column, row), taken as float32 and clipped to it.
    sigma : float
        Of the kernel.

    Returns
    -------
    x, y : float
        From the exact position, although the kernel sits on the nearest 0.1 px node. 0 where the map is.
    """
    f = np.float32
    window = response.shape[0]
    top = f(window) - f(GRID)
    dx, dy = np.clip(f(dx), f(0), top), np.clip(f(dy), f(0), top)
    node_x, node_y = int(dx / f(GRID) + f(0.5)), int(dy / f(GRID) + f(0.5))
    weighted = response * kernel(window, sigma, GRID * node_x, GRID * node_y)
    total = float(weighted.sum())
    if not total > 0:
        return 0.0, 0.0
    y, x = np.indices(response.shape)
    return float((weighted * x).sum() / total - dx), float((weighted * y).sum() / total - dy)


def landmark_likelihood(response: npt.NDArray[np.floating], dx: float, dy: float, sigma: float) -> float:
    """Kernel-weighted sum of the responses around the exact position (dx, dy)."""
    return float((response * kernel(response.shape[0], sigma, dx, dy)).sum())
