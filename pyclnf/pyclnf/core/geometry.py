"""Rotations and similarity alignment, in the conventions of the point distribution model."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt


def euler_to_matrix(rotation: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Rotation matrix ``Rx(rx) @ Ry(ry) @ Rz(rz)``.

    Parameters
    ----------
    rotation : array_like, shape (3,)
        Pitch, yaw and roll in radians.

    Returns
    -------
    ndarray, shape (3, 3), float64
    """
    rx, ry, rz = (float(v) for v in np.asarray(rotation, dtype=np.float64).reshape(3))
    s1, s2, s3 = np.sin(rx), np.sin(ry), np.sin(rz)
    c1, c2, c3 = np.cos(rx), np.cos(ry), np.cos(rz)
    return np.array(
        [
            [c2 * c3, -c2 * s3, s2],
            [c1 * s3 + c3 * s1 * s2, c1 * c3 - s1 * s2 * s3, -c2 * s1],
            [s1 * s3 - c1 * c3 * s2, c3 * s1 + c1 * s2 * s3, c1 * c2],
        ]
    )


def matrix_to_euler(matrix: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Pitch, yaw and roll (radians) of a rotation matrix, by way of its quaternion.

    Parameters
    ----------
    matrix : array_like, shape (3, 3)
        A proper rotation.

    Returns
    -------
    ndarray, shape (3,), float64
        NaN where the matrix is a half turn whose trace rounds below -1, as in OpenFace (``RotationHelpers.h``).
    """
    m = np.asarray(matrix, dtype=np.float64).reshape(3, 3)
    with np.errstate(invalid="ignore", divide="ignore"):
        q0 = np.sqrt(1.0 + np.trace(m)) / 2.0
        q1 = (m[2, 1] - m[1, 2]) / (4.0 * q0)
        q2 = (m[0, 2] - m[2, 0]) / (4.0 * q0)
        q3 = (m[1, 0] - m[0, 1]) / (4.0 * q0)
        yaw = np.arcsin(np.clip(2.0 * (q0 * q2 + q1 * q3), -1.0, 1.0))
        pitch = np.arctan2(2.0 * (q0 * q1 - q2 * q3), q0 * q0 - q1 * q1 - q2 * q2 + q3 * q3)
        roll = np.arctan2(2.0 * (q0 * q3 - q1 * q2), q0 * q0 + q1 * q1 - q2 * q2 - q3 * q3)
    return np.array([pitch, yaw, roll])


def align_similarity(source: npt.ArrayLike, target: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Rotation and scale that take centred `source` points to centred `target` points.

    The rotation is the least-squares one; the scale is the ratio of the RMS radii, not the least-squares scale.

    Parameters
    ----------
    source, target : array_like, shape (n, 2)
        Corresponding points.

    Returns
    -------
    ndarray, shape (2, 2), float32
        ``A`` with ``target - mean(target) ~ (source - mean(source)) @ A.T``.

    Notes
    -----
    OpenFace's ``AlignShapesWithScale`` (``RotationHelpers.h``) to the last bit: float32 with OpenCV's order of
    roundings. A last-bit difference moves the 1/32 px grid of a warp, hence single pixels of an aligned face.
    """
    a = np.ascontiguousarray(source, dtype=np.float32).reshape(-1, 2)
    b = np.ascontiguousarray(target, dtype=np.float32).reshape(-1, 2)
    if a.shape != b.shape or a.shape[0] < 2:
        raise ValueError(
            f"align_similarity needs two equal sets of at least two points, got {a.shape} and {b.shape}"
        )
    a, radius_a = _normalised(a)
    b, radius_b = _normalised(b)
    covariance = (a.astype(np.float64).T @ b.astype(np.float64)).astype(np.float32)
    u, v = _singular_vectors(covariance)
    if np.linalg.det(u) * np.linalg.det(v) <= 0:  # a reflection is no rotation
        v[:, 1] = -v[:, 1]
    rotation = (v @ u.T).astype(np.float32)
    out: npt.NDArray[np.float32] = (radius_b / radius_a) * rotation
    return out


def _normalised(points: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], np.float32]:
    """Centre points and scale them to unit RMS radius; also return the radius."""
    n = points.shape[0]
    centred = points - (points.sum(axis=0, dtype=np.float64) * (1.0 / n)).astype(np.float32)
    radius = np.float32(math.sqrt((centred * centred).sum(dtype=np.float64) / n))
    # OpenCV divides by a number by multiplying with its reciprocal. One point only has no radius.
    return centred * np.float32(1.0 / float(radius) if radius > 0 else 0.0), radius


def _singular_vectors(
    matrix: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Left and right singular vectors (columns) of a 2x2 matrix, by Jacobi rotations rounded to float32.

    OpenCV's ``SVD`` keeps angles and norms in double, vectors in float; they come as double for exact products.
    """
    columns = matrix.T.copy()
    vectors = np.eye(2, dtype=np.float32)
    for _ in range(30):
        wide = columns.astype(np.float64)
        first, second, product = float(wide[0] @ wide[0]), float(wide[1] @ wide[1]), float(wide[0] @ wide[1])
        if abs(product) <= 2.0 * float(np.finfo(np.float32).eps) * math.sqrt(first * second):
            break
        difference, length = first - second, math.hypot(2.0 * product, first - second)
        if difference < 0:
            sine = np.float32(math.sqrt((length - difference) * 0.5 / length))
            cosine = np.float32(product / (length * float(sine)))
        else:
            cosine = np.float32(math.sqrt((length + difference) / (length * 2.0)))
            sine = np.float32(product / (length * float(cosine)))
        columns = np.stack([cosine * columns[0] + sine * columns[1], cosine * columns[1] - sine * columns[0]])
        vectors = np.stack([cosine * vectors[0] + sine * vectors[1], cosine * vectors[1] - sine * vectors[0]])
    norms = np.sqrt(np.square(columns.astype(np.float64)).sum(axis=1))
    order = [1, 0] if norms[0] < norms[1] else [0, 1]
    reciprocals = np.array([1.0 / norm if norm > np.finfo(np.float32).tiny else 0.0 for norm in norms])
    left = columns * reciprocals.astype(np.float32)[:, None]
    return left[order].T.astype(np.float64), vectors[order].T.astype(np.float64)
