"""Kernel density tables of the mean shift."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .patch_experts import MAP_PITCH

GRID = 0.1  # px between the kernel's nodes. OpenFace 2.2: LandmarkDetectorModel.cpp, NonRigidMeanShift_precalc_kde


@lru_cache(maxsize=64)
def kernel_table(window: int, sigma: float) -> npt.NDArray[np.float32]:
    """One axis of the Gaussian kernel on the 0.1 px grid.

    The 2D kernel is the product of two rows of this table, so a map of side `window` needs only ``10 window`` rows.

    Parameters
    ----------
    window : int
        Side of the response map.
    sigma : float
        Standard deviation in px.

    Returns
    -------
    ndarray, shape (10 * window, 16), float32, read-only
        ``exp(-0.5 (0.1 i - j)**2 / sigma**2)`` in row i, column j < window; 0 in the other columns.
    """
    a = np.float32(-0.5 / (sigma * sigma))
    nodes = GRID * np.arange(10 * window)
    table = np.zeros((10 * window, MAP_PITCH), np.float32)
    table[:, :window] = np.exp(a * (nodes[:, None] - np.arange(window)) ** 2)
    table.flags.writeable = False
    return table
