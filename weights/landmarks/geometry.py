"""Weak-perspective geometry of OpenFace's PDM, vectorised over faces (x right, y down, z away from the camera)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def euler_to_matrix(euler: Array) -> Array:
    """Rotation matrices (..., 3, 3) of Euler angles (..., 3) in radians: ``Rx(rx) Ry(ry) Rz(rz)``."""
    s1, s2, s3 = (np.sin(euler[..., k]) for k in range(3))
    c1, c2, c3 = (np.cos(euler[..., k]) for k in range(3))
    rows = [
        [c2 * c3, -c2 * s3, s2],
        [c1 * s3 + c3 * s1 * s2, c1 * c3 - s1 * s2 * s3, -c2 * s1],
        [s1 * s3 - c1 * c3 * s2, c3 * s1 + c1 * s2 * s3, c1 * c2],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def matrix_to_euler(rotation: Array) -> Array:
    """Euler angles (..., 3) of rotation matrices (..., 3, 3), inverse of :func:`euler_to_matrix`."""
    ry = np.arcsin(np.clip(rotation[..., 0, 2], -1.0, 1.0))
    rx = np.arctan2(-rotation[..., 1, 2], rotation[..., 2, 2])
    rz = np.arctan2(-rotation[..., 0, 1], rotation[..., 0, 0])
    return np.stack([rx, ry, rz], axis=-1)


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
