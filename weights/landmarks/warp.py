"""Piecewise-affine warp of the validator: our own triangulation of the mean shape, seen from each view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from pyclnf.io import PieceWiseWarp
from pyclnf.oracle import euler_to_matrix, sample_grid
from pyclnf.oracle.sampling import GRID
from pyclnf.oracle.validator import warp_maps

from .data import MIRROR_68
from .patches import VIEW_YAW_DEGREES
from .pdm import PARTED, ShapeModel, with_lip_gap

Array = NDArray[np.float64]
CROP = 60  # side of the network's input, as in OpenFace's validators


def make_warp(model: ShapeModel, yaw: float) -> PieceWiseWarp:
    """Warp of a view: the mean shape turned by ``yaw`` (rad), fitted into a 60x60 image."""
    points = (model.mean @ euler_to_matrix(np.array([0.0, yaw, 0.0])).T)[:, :2]
    points = points - (points.max(axis=0) + points.min(axis=0)) / 2
    points *= (CROP - 1) / (points.max(axis=0) - points.min(axis=0)).max()
    return _assemble(points, Delaunay(points).simplices.astype(np.int32))


def mirrored_warp(warp: PieceWiseWarp) -> PieceWiseWarp:
    """Mirror image of a warp, with the partners of its triangles."""
    points = warp.destination[MIRROR_68].astype(np.float64) * np.array([-1.0, 1.0])
    return _assemble(points, MIRROR_68[warp.triangles])


def _assemble(points: Array, triangles: NDArray[np.int32]) -> PieceWiseWarp:
    points = points.astype(np.float32).astype(np.float64)
    corner = -(CROP - 1) / 2.0
    alpha, beta = np.empty((len(triangles), 3)), np.empty((len(triangles), 3))
    for t, (i, j, k) in enumerate(triangles):
        # barycentric weights of j and k as affine functions of (1, X, Y)
        system = np.array([[1.0, *points[i]], [1.0, *points[j]], [1.0, *points[k]]])
        inverse = np.linalg.inv(system)
        alpha[t], beta[t] = inverse[:, 1], inverse[:, 2]
    v, u = np.mgrid[:CROP, :CROP]
    homogeneous = np.stack([np.ones(CROP * CROP), u.ravel() + corner, v.ravel() + corner])
    a, b = alpha @ homogeneous, beta @ homogeneous
    inside = (a >= -1e-9) & (b >= -1e-9) & (a + b <= 1 + 1e-9)
    owner = np.where(inside.any(axis=0), inside.argmax(axis=0), -1).reshape(CROP, CROP)
    mask = owner >= 0
    return PieceWiseWarp(
        n_pixels=int(mask.sum()), min_x=corner, min_y=corner, destination=points.astype(np.float32),
        triangles=np.ascontiguousarray(triangles, dtype=np.int32), pixel_triangle=owner.astype(np.int32), mask=mask,
        alpha=alpha.astype(np.float32), beta=beta.astype(np.float32),
    )  # fmt: skip


def warp_face(warp: PieceWiseWarp, image: NDArray[np.uint8], landmarks: Array) -> NDArray[np.float32] | None:
    """Cut out a face as the validator does: masked pixels in column-major order; None where the crop is empty.

    The crop's zero border is reproduced: the face's box with 3 px around it, end exclusive.
    """
    height, width = image.shape
    low, high = landmarks.min(axis=0) - 3.0, landmarks.max(axis=0) + 3.0
    if not np.isfinite(low).all() or not np.isfinite(high).all():
        return None
    x0, y0 = int(np.clip(int(low[0]), 0, width - 1)), int(np.clip(int(low[1]), 0, height - 1))
    x1, y1 = int(np.clip(int(high[0]), 0, width - 1)), int(np.clip(int(high[1]), 0, height - 1))
    if x1 - x0 <= 1 or y1 - y0 <= 1:
        return None
    x, y = (
        np.rint(at * np.float32(GRID)).astype(np.int64) for at in warp_maps(warp, (landmarks - [x0, y0]).T)
    )
    crop = np.zeros(warp.mask.shape, dtype=np.float32)
    crop[warp.mask] = sample_grid(image[y0:y1, x0:x1], x, y)
    return np.asarray(crop.T[warp.mask.T])


def standardised(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Zero mean and unit (population) standard deviation over the masked pixels."""
    spread = pixels.std(axis=-1, keepdims=True)
    return np.asarray((pixels - pixels.mean(axis=-1, keepdims=True)) / np.where(spread == 0, 1, spread))


def view_warps(model: ShapeModel) -> tuple[PieceWiseWarp, PieceWiseWarp, PieceWiseWarp]:
    """Warps of the three views, onto a face whose lips are a little apart."""
    model = with_lip_gap(model, PARTED)
    frontal, side = (make_warp(model, float(np.radians(yaw))) for yaw in VIEW_YAW_DEGREES[:2])
    return frontal, side, mirrored_warp(side)
