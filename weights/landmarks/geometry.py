"""Weak-perspective poses of many shapes at once (x right, y down, z away from the camera)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyclnf.oracle import matrix_to_euler

Array = NDArray[np.float64]


def rotations_to_euler(rotations: Array) -> Array:
    """Euler angles (N, 3) in radians of rotation matrices (N, 3, 3)."""
    return np.array([matrix_to_euler(rotation) for rotation in rotations]).reshape(-1, 3)


def fit_pose(
    shape: Array, points: Array, weight: Array, iterations: int = 12, start: Array | None = None
) -> tuple[Array, Array, Array]:
    """Weak-perspective pose of 3D shapes (N, n, 3) seen at points (N, n, 2): scale (N,), R (N, 3, 3), t (N, 2).

    ``weight`` (n,) counts the points.  Iterates scaled orthographic projection: the missing third image
    row is filled in from the current estimate, then a rigid 3D alignment is solved in closed form.
    ``start`` (N, 3, 3) are rotations to begin with, the identity by default.
    """
    w = weight / weight.sum()
    shape_mean = np.einsum("i,nik->nk", w, shape)
    point_mean = np.einsum("i,nik->nk", w, points)
    centred = shape - shape_mean[:, None]
    seen = points - point_mean[:, None]
    scale = np.sqrt((w * (seen**2).sum(2)).sum(1) / (w * (centred[..., :2] ** 2).sum(2)).sum(1))
    rotation = np.broadcast_to(np.eye(3), (len(shape), 3, 3)) if start is None else start
    for _ in range(iterations):
        depth = scale[:, None] * np.einsum("nj,nij->ni", rotation[:, 2], centred)
        full = np.concatenate([seen, depth[..., None]], axis=2)
        covariance = np.einsum("i,nij,nik->njk", w, full, centred)
        u, _, vt = np.linalg.svd(covariance)
        sign = np.sign(np.linalg.det(u @ vt))
        u[:, :, 2] *= sign[:, None]
        rotation = u @ vt
        rotated = np.einsum("njk,nik->nij", rotation[:, :2], centred)
        scale = np.einsum("i,nij,nij->n", w, rotated, seen) / np.einsum("i,nij,nij->n", w, rotated, rotated)
    shift = point_mean - scale[:, None] * np.einsum("njk,nk->nj", rotation[:, :2], shape_mean)
    return scale, rotation, shift


def project(shape: Array, scale: Array, rotation: Array, shift: Array) -> Array:
    """Project 3D shapes (N, n, 3) to image points (N, n, 2)."""
    rotated = np.einsum("njk,nik->nij", rotation[:, :2], shape)
    return np.asarray(scale[:, None, None] * rotated + shift[:, None], dtype=np.float64)
