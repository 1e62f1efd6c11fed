"""Rasterises the triangles of a face in plain NumPy: slow, the oracle of the compiled `face_mask`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def rasterise(points: Floats, triangles: NDArray[np.int32], mask: NDArray[np.uint8]) -> None:
    """Set `mask` to 1 at every whole-numbered point inside or on a triangle, to 0 elsewhere.

    Parameters
    ----------
    points : ndarray of shape (n, 2), float32
        Corners in pixels, x and y.
    triangles : ndarray of shape (t, 3), int32
        Indices into `points`.
    mask : ndarray of shape (h, w), uint8
        Written.
    """
    if points.ndim != 2 or points.shape[1] != 2 or triangles.ndim != 2 or triangles.shape[1] != 3:
        raise ValueError("points must be (n, 2) and triangles (t, 3)")
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(np.float32)
    mask[:] = 0
    for a, b, c in points[triangles]:
        corners = np.stack([a, b, c])
        left, top = corners.min(0)
        right, bottom = corners.max(0)
        inside = (left <= x) & (x <= right) & (top <= y) & (y <= bottom)
        for start, end, opposite in ((a, b, c), (b, c, a), (a, c, b)):
            inside &= _side(x, y, start, end) * _side(opposite[0], opposite[1], start, end) >= 0
        mask[inside] = 1


def black_out(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    """Set the pixels of `image` (h, w, channels) to 0 where `mask` (h, w) is 0, in place."""
    if image.shape[:2] != mask.shape:
        raise ValueError("image and mask must have the same size")
    image *= mask[:, :, None]


def _side(x: Floats, y: Floats, start: Floats, end: Floats) -> Floats:
    """Cross product that is positive on one side of the line from `start` to `end`, negative on the other."""
    side: Floats = (end[0] - start[0]) * (y - start[1]) - (x - start[0]) * (end[1] - start[1])
    return side
