"""Head pose from 3D points and their pixels: Levenberg-Marquardt on the reprojection error.

Source: ``solvePnP`` with an initial guess, as OpenFace 2.2 calls it (``LandmarkDetectorUtils.cpp``, ``GetPose``).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .shape import Float64Array, solve


def rodrigues(rotation_vector: npt.ArrayLike) -> Float64Array:
    """Rotation matrix of an axis-angle vector."""
    r = np.asarray(rotation_vector, dtype=np.float64)
    angle = float(np.linalg.norm(r))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = r / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def residuals(
    points: Float64Array,
    pixels: Float64Array,
    camera: npt.ArrayLike,
    rotation: Float64Array,
    translation: Float64Array,
) -> Float64Array:
    """Reprojection errors (2n,) of points (n, 3) for a camera fx, fy, cx, cy."""
    fx, fy, cx, cy = np.asarray(camera, dtype=np.float64)
    x, y, z = (points @ rotation.T + translation).T
    return np.stack([fx * x / z + cx, fy * y / z + cy], axis=1).reshape(-1) - pixels.reshape(-1)


def solve_pnp(
    points: Float64Array,
    pixels: Float64Array,
    camera: npt.ArrayLike,
    rotation_vector: npt.ArrayLike,
    translation: npt.ArrayLike,
    iterations: int = 100,
) -> tuple[Float64Array, Float64Array]:
    """Pose that minimises the reprojection error, from a start nearby.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
    pixels : ndarray, shape (n, 2)
    camera : array_like, shape (4,)
        fx, fy, cx, cy in px.
    rotation_vector, translation : array_like, shape (3,)
        Start.
    iterations : int

    Returns
    -------
    rotation : ndarray, shape (3, 3)
    translation : ndarray, shape (3,)
    """
    rotation, t = rodrigues(rotation_vector), np.array(translation, dtype=np.float64)
    damping = 1e-3

    def moved(step: Float64Array) -> tuple[Float64Array, Float64Array]:
        return rodrigues(step[:3]) @ rotation, t + step[3:]

    for _ in range(iterations):
        error = residuals(points, pixels, camera, rotation, t)
        size = np.array([1e-6] * 3 + [1e-6 * max(1.0, float(np.linalg.norm(t)))] * 3)
        J = np.stack(  # noqa: N806 - the field's name
            [
                (residuals(points, pixels, camera, *moved(d)) - residuals(points, pixels, camera, *moved(-d)))
                / (2 * h)
                for h, d in zip(size, np.diag(size), strict=True)
            ],
            axis=1,
        )
        normal = J.T @ J
        found = solve(normal + damping * np.diag(np.diag(normal)), J.T @ error)
        if found is None:
            break
        step = -found
        candidate = moved(step)
        if np.abs(step[:3]).max() < 1e-12 and np.abs(step[3:]).max() < 1e-12 * np.linalg.norm(t):
            break
        if np.sum(residuals(points, pixels, camera, *candidate) ** 2) <= np.sum(error**2):
            rotation, t = candidate
            damping = max(damping / 10, 1e-12)
        else:
            damping *= 10
    return rotation, t
