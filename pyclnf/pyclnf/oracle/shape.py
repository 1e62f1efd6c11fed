"""Point distribution model: shape, projection, Jacobian and update.

Source: OpenFace 2.2, ``PDM.cpp`` and ``RotationHelpers.h``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ShapeModel:
    """Mean (3n,) in mm, basis (3n, m) and eigenvalues (m,); rows are all x, then all y, then all z."""

    mean: npt.NDArray[np.floating]
    basis: npt.NDArray[np.floating]
    eigenvalues: npt.NDArray[np.floating]


def euler_to_matrix(rotation: npt.ArrayLike) -> Float64Array:
    """``Rx(pitch) @ Ry(yaw) @ Rz(roll)``."""
    (s1, s2, s3), (c1, c2, c3) = np.sin(rotation), np.cos(rotation)
    x = np.array([[1.0, 0.0, 0.0], [0.0, c1, -s1], [0.0, s1, c1]])
    y = np.array([[c2, 0.0, s2], [0.0, 1.0, 0.0], [-s2, 0.0, c2]])
    z = np.array([[c3, -s3, 0.0], [s3, c3, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(x @ y @ z)


def matrix_to_euler(matrix: Float64Array) -> Float64Array:
    """Pitch, yaw, roll of a rotation by way of its quaternion; NaN for a half turn."""
    with np.errstate(invalid="ignore", divide="ignore"):
        w = np.sqrt(1.0 + np.trace(matrix)) / 2.0
        x, y, z = (
            np.array([matrix[2, 1], matrix[0, 2], matrix[1, 0]]) - [matrix[1, 2], matrix[2, 0], matrix[0, 1]]
        ) / (4 * w)
        yaw = np.arcsin(np.clip(2 * (w * y + x * z), -1.0, 1.0))
        pitch = np.arctan2(2 * (w * x - y * z), w * w - x * x - y * y + z * z)
        roll = np.arctan2(2 * (w * z - x * y), w * w + x * x - y * y - z * z)
    return np.array([pitch, yaw, roll])


def shape_3d(model: ShapeModel, params_local: npt.ArrayLike) -> Float64Array:
    """Shape in the model's own frame, (3, n), mm."""
    p = np.asarray(params_local, dtype=np.float64)
    return np.asarray(model.mean + model.basis.astype(np.float64) @ p).reshape(3, -1)


def project(model: ShapeModel, params_global: npt.ArrayLike, params_local: npt.ArrayLike) -> Float64Array:
    """Landmarks in the image, (2, n), px: scaled orthography."""
    scale, *rotation, tx, ty = np.asarray(params_global, dtype=np.float64)
    seen = euler_to_matrix(rotation)[:2] @ shape_3d(model, params_local)
    return np.asarray(scale * seen + np.array([[tx], [ty]]))


def jacobian(
    model: ShapeModel, params_global: npt.ArrayLike, params_local: npt.ArrayLike, rigid: bool = False
) -> Float64Array:
    """Differentiate the landmarks (all x, then all y) by scale, body-frame rotation, translation and modes.

    A rotation increment w turns the shape before R: ``R (I + [w]x)``.

    Returns
    -------
    ndarray, shape (2n, 6) if `rigid` else (2n, 6 + m), float64
    """
    scale, *rotation, _, _ = np.asarray(params_global, dtype=np.float64)
    camera = euler_to_matrix(rotation)[:2]
    shape = shape_3d(model, params_local)
    n = shape.shape[1]
    columns = [camera @ shape]
    for axis in np.eye(3):
        columns.append(scale * camera @ np.cross(axis, shape.T).T)
    columns += [np.repeat([[1.0], [0.0]], n, axis=1), np.repeat([[0.0], [1.0]], n, axis=1)]
    if not rigid:
        columns += [scale * camera @ mode.reshape(3, -1) for mode in model.basis.T.astype(np.float64)]
    return np.stack([c.reshape(-1) for c in columns], axis=1)


def solve(matrix: Float64Array, right: Float64Array) -> Float64Array | None:
    """Solution of linear equations; None if the matrix is singular or not finite."""
    if not (np.isfinite(matrix).all() and np.isfinite(right).all()):
        return None
    try:
        return np.asarray(np.linalg.solve(matrix, right))
    except np.linalg.LinAlgError:
        return None


def apply_update(
    params_global: npt.ArrayLike, params_local: npt.ArrayLike, step: npt.ArrayLike
) -> tuple[Float64Array, Float64Array]:
    """Parameters after a step in the coordinates of :func:`jacobian`; a step of 6 leaves the modes alone."""
    g = np.array(params_global, dtype=np.float64)
    p = np.array(params_local, dtype=np.float64)
    d = np.asarray(step, dtype=np.float64)
    g[0] += d[0]
    g[4:] += d[4:6]
    wx, wy, wz = d[1:4]
    near_rotation = np.array([[1.0, -wz, wy], [wz, 1.0, -wx], [-wy, wx, 1.0]])
    angles = np.full(3, np.nan)
    if np.isfinite(near_rotation).all():
        u, _, vt = np.linalg.svd(near_rotation)
        increment = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
        angles = matrix_to_euler(euler_to_matrix(g[1:4]) @ increment)
    g[1:4] = 0.0 if np.isnan(angles).any() else angles
    p[: len(d) - 6] += d[6:]
    return g, p
