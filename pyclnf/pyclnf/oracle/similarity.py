"""Similarity alignment of two point sets by singular value decomposition.

Source: OpenFace 2.2, ``RotationHelpers.h``, ``AlignShapesWithScale`` (after Kabsch).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt


def align_similarity(source: npt.ArrayLike, target: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Matrix ``A`` (2, 2) with ``target - mean(target) ~ (source - mean(source)) @ A.T``.

    The rotation is the least-squares one, never a reflection; the scale is the ratio of the RMS radii.

    Parameters
    ----------
    source, target : array_like, shape (n, 2)
    """
    a = np.asarray(source, dtype=np.float64)
    b = np.asarray(target, dtype=np.float64)
    a = a - a.mean(axis=0)
    b = b - b.mean(axis=0)
    radius_a, radius_b = np.sqrt((a * a).sum() / len(a)), np.sqrt((b * b).sum() / len(b))
    u, _, vt = np.linalg.svd((a / radius_a).T @ (b / radius_b))
    proper = np.diag([1.0, np.sign(np.linalg.det(vt.T @ u.T))])
    return np.asarray(radius_b / radius_a * (vt.T @ proper @ u.T))


def align_similarity_rounded(source: npt.ArrayLike, target: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Do the same in float32 with OpenCV's order of roundings, which the reference's last bit depends on.

    Parameters
    ----------
    source, target : array_like, shape (n, 2)
    """
    a = np.asarray(source, dtype=np.float32)
    b = np.asarray(target, dtype=np.float32)
    a, radius_a = _normalised(a)
    b, radius_b = _normalised(b)
    covariance = (a.astype(np.float64).T @ b.astype(np.float64)).astype(np.float32)
    u, v = _singular_vectors(covariance)
    if np.linalg.det(u) * np.linalg.det(v) <= 0:  # a reflection, not a rotation
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
