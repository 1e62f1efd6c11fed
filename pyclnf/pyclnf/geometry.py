"""Rotations and similarity alignment, in the conventions of the point distribution model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._kernels import kernels


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
        ``A`` with ``target - mean(target) ~ (source - mean(source)) @ A.T``. NaN where all source points are one, or a
        point is not finite.

    Raises
    ------
    ValueError
        If the sets differ in size or have fewer than two points.

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
    out: npt.NDArray[np.float32] = kernels.align_similarity(a, b)
    return out
