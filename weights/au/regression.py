"""Linear support vector models from sums of products.

The intensities are linear support vector regressions with squared loss and no dead zone (what scikit-learn's
``LinearSVR(loss="squared_epsilon_insensitive", epsilon=0)`` minimises), whose optimum has a closed form. The
presences are scikit-learn's `LinearSVC` in the space of the leading principal components.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, eigh
from sklearn.svm import LinearSVC

from .descriptors import F32
from .labels import F64, PRESENCES, subject_means
from .regions import REGIONS, Region

HOG_SIZE, DEFORMATION_SIZE = 4464, 204
GEOMETRY_SHARE = 0.7  # scale of the geometry features beside the HOG's unit scale
RIDGE = 3e5
COMPONENTS = 400  # of the space in which presences are classified
SVC_COST = 1e-3


@dataclass(frozen=True)
class Normal:
    """Sums of products: features with features (d, d) and features with labels (d, k)."""

    gram: NDArray[np.floating]
    cross: NDArray[np.floating]

    @classmethod
    def of(cls, features: F32, labels: F64, weights: F64 | None = None) -> Normal:
        """Of features (n, v, d), already scaled, labels (n, k) and weights (n,) of the faces (all 1)."""
        variants = features.shape[1]
        flat = features.reshape(-1, features.shape[-1])
        weighted = (
            flat if weights is None else flat * np.repeat(weights, variants)[:, None].astype(np.float32)
        )
        return cls(weighted.T @ flat, weighted.T @ np.repeat(labels, variants, axis=0).astype(np.float32))

    def __add__(self, other: Normal) -> Normal:
        return Normal(self.gram + other.gram, self.cross + other.cross)

    def __sub__(self, other: Normal) -> Normal:
        return Normal(self.gram - other.gram, self.cross - other.cross)

    def __mul__(self, factor: float) -> Normal:
        return Normal(self.gram * np.float32(factor), self.cross * np.float32(factor))


def feature_scale(features: F32) -> F32:
    """Scale (4702,): unit variance for the HOG and for the deformation as wholes, and for every shape parameter."""
    flat = features.reshape(-1, features.shape[-1])
    end = HOG_SIZE + DEFORMATION_SIZE
    scale = np.empty(flat.shape[1], np.float32)
    scale[:HOG_SIZE] = 1 / np.sqrt(np.mean(flat[:, :HOG_SIZE] ** 2))
    scale[HOG_SIZE:end] = GEOMETRY_SHARE / np.sqrt(np.mean(flat[:, HOG_SIZE:end] ** 2))
    scale[end:] = GEOMETRY_SHARE / np.sqrt(np.mean(flat[:, end:] ** 2, axis=0))
    return scale


def relative(features: F32, subjects: NDArray[np.str_]) -> F32:
    """Features (n, v, d) less their subject's mean; variants take turns in being mirrored, each side has its mean."""
    out = np.empty_like(features)
    for side in (0, 1):
        variants = features[:, side::2]
        out[:, side::2] = variants - subject_means(variants.mean(axis=1), subjects)[:, None]
    return out


def solve(total: Normal, ridge: float = RIDGE) -> F64:
    """Weights (d, k) that minimise the squared loss plus `ridge` times their squared length."""
    gram = np.array(total.gram, np.float64)
    gram[np.diag_indices(len(gram))] += ridge
    factor = cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    return np.asarray(cho_solve(factor, np.asarray(total.cross, np.float64)))


def solve_regions(total: Callable[[Region], Normal]) -> F64:
    """Weights (d, 18) of all units, each from the sums that `total` gives for its region of the face."""
    out: F64 | None = None
    for region in REGIONS:
        sums = total(region)
        weight = region.weights(len(sums.gram))
        columns = region.columns
        part = solve(Normal(sums.gram * weight * weight[:, None], sums.cross[:, columns] * weight[:, None]))
        if out is None:
            out = np.zeros((len(part), len(PRESENCES)))
        out[:, columns] = part * weight[:, None]
    assert out is not None
    return out


def principal_components(gram: NDArray[np.floating], count: int = COMPONENTS) -> F32:
    """Leading eigenvectors (d, count) of a matrix of second moments."""
    size = len(gram)
    vectors = eigh(gram, subset_by_index=[size - count, size - 1], check_finite=False)[1]
    return np.ascontiguousarray(vectors[:, ::-1], np.float32)


def classify(coded: NDArray[np.floating], present: NDArray[np.bool_]) -> tuple[F64, float]:
    """Linear SVM on coded features (n, c): weights (c,) and bias; a positive score means present.

    The rarer class weighs more by the square root of the ratio: halfway between balance and the base rate.
    """
    rate = float(np.clip(present.mean(), 1e-3, 1 - 1e-3))
    weights = {True: np.sqrt((1 - rate) / rate), False: 1.0}
    machine = LinearSVC(C=SVC_COST, dual=False, class_weight=weights, max_iter=300)
    machine.fit(coded, present)
    return machine.coef_[0].astype(np.float64), float(machine.intercept_[0])
