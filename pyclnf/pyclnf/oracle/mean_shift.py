"""Mean shift of landmarks on their response maps, and the likelihood of a landmark under its map.

Source: OpenFace 2.2, ``LandmarkDetectorModel.cpp``, ``NonRigidMeanShift_precalc_kde`` and ``NU_RLMS``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]

GRID = 0.1  # px between the nodes on which the kernel is tabulated


def kernel(window: int, sigma: float, column: npt.ArrayLike, row: npt.ArrayLike) -> Float64Array:
    """Gaussian weight of every position of a map for estimates at (column, row), any shape: (..., w, w)."""
    y, x = np.indices((window, window))
    dx, dy = np.asarray(column)[..., None, None] - x, np.asarray(row)[..., None, None] - y
    return np.asarray(np.exp(-0.5 * (dy**2 + dx**2) / sigma**2))


def mean_shift(
    response: npt.NDArray[np.floating], dx: npt.ArrayLike, dy: npt.ArrayLike, sigma: float
) -> Float64Array:
    """Shift of estimates towards the mean of their kernel-weighted responses.

    Parameters
    ----------
    response : ndarray, shape (..., w, w)
    dx, dy : array_like, shape (...)
        Position in the map (column, row), taken as float32 and clipped to it.
    sigma : float
        Of the kernel.

    Returns
    -------
    ndarray, shape (2, ...), float64
        x and y, from the exact position, although the kernel sits on the nearest 0.1 px node. 0 where the map is.
    """
    f = np.float32
    window = response.shape[-1]
    # What is not a number counts as 0.
    place = np.nan_to_num(np.stack([np.asarray(dx, f), np.asarray(dy, f)]), nan=0.0)
    place = np.clip(place, f(0), f(window) - f(GRID))
    node = (place / f(GRID) + f(0.5)).astype(np.int64)
    weighted = response * kernel(window, sigma, GRID * node[0], GRID * node[1])
    y, x = np.indices((window, window))
    total = weighted.sum(axis=(-2, -1))
    moments = np.stack([(weighted * axis).sum(axis=(-2, -1)) for axis in (x, y)])
    mean = np.divide(moments, total, out=np.zeros_like(moments), where=total > 0)
    return np.where(total > 0, mean - place, 0.0)


def landmark_likelihood(
    response: npt.NDArray[np.floating], dx: npt.ArrayLike, dy: npt.ArrayLike, sigma: float
) -> Float64Array:
    """Kernel-weighted sum of the responses (..., w, w) around the exact positions (dx, dy)."""
    return np.asarray((response * kernel(response.shape[-1], sigma, dx, dy)).sum(axis=(-2, -1)))
