"""Similarity alignment of two point sets by singular value decomposition.

Source: OpenFace 2.2, ``RotationHelpers.h``, ``AlignShapesWithScale`` (after Kabsch).
"""

from __future__ import annotations

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
