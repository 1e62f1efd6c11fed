"""A z-buffer rasteriser for attributed triangle meshes (numba)."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def rasterize(
    points: NDArray[np.float64],
    triangles: NDArray[np.int32],
    attributes: NDArray[np.float64],
    height: int,
    width: int,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Interpolate vertex attributes over the nearest triangle of every pixel.

    Parameters
    ----------
    points : (n, 3) float64
        x, y in pixels (centres at integers), z growing away from the viewer.
    triangles : (t, 3) int32
    attributes : (n, k) float64
    height, width : size of the picture

    Returns
    -------
    values : (height, width, k) float32, zero where nothing is drawn
    triangle : (height, width) int32, index of the visible triangle, -1 where nothing is drawn
    """
    n_attributes = attributes.shape[1]
    values = np.zeros((height, width, n_attributes), np.float32)
    owner = np.full((height, width), -1, np.int32)
    depth = np.full((height, width), np.inf)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by = points[a, 0], points[a, 1], points[b, 0], points[b, 1]
        cx, cy = points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        x0 = max(0, int(np.ceil(min(ax, bx, cx))))
        x1 = min(width - 1, int(np.floor(max(ax, bx, cx))))
        y0 = max(0, int(np.ceil(min(ay, by, cy))))
        y1 = min(height - 1, int(np.floor(max(ay, by, cy))))
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                wb = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
                wc = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
                wa = 1.0 - wb - wc
                if wa < -1e-9 or wb < -1e-9 or wc < -1e-9:
                    continue
                z = wa * points[a, 2] + wb * points[b, 2] + wc * points[c, 2]
                if z < depth[y, x]:
                    depth[y, x] = z
                    owner[y, x] = t
                    for k in range(n_attributes):
                        values[y, x, k] = (
                            wa * attributes[a, k] + wb * attributes[b, k] + wc * attributes[c, k]
                        )
    return values, owner


def vertex_normals(vertices: NDArray[np.float64], triangles: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return unit normals (n, 3), area weighted."""
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    face = np.cross(b - a, c - a)
    out = np.zeros_like(vertices)
    for i in range(3):
        for k in range(3):
            out[:, k] += np.bincount(triangles[:, i], face[:, k], len(vertices))
    length = np.linalg.norm(out, axis=1, keepdims=True)
    return np.asarray(out / np.maximum(length, 1e-12))
