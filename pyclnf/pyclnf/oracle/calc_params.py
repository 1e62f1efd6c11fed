"""Shape parameters from 2D landmarks: damped Gauss-Newton with the shape prior.

Source: OpenFace 2.2, ``PDM.cpp``, ``CalcParams(params_global, params_local, landmarks, rotation)``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .shape import Float64Array, ShapeModel, apply_update, euler_to_matrix, jacobian, project, shape_3d, solve

DAMPING = 0.75
MOST_ITERATIONS = 1000
INSUFFICIENT = 0.999  # the error must fall below this fraction of the last one
MOST_FAILURES = 3  # in total, not in a row


def fit_landmarks(
    model: ShapeModel, landmarks: npt.NDArray[np.floating], rotation: npt.ArrayLike = (0.0, 0.0, 0.0)
) -> tuple[Float64Array, Float64Array]:
    """Parameters whose projection explains the landmarks.

    Parameters
    ----------
    model : ShapeModel
    landmarks : ndarray, shape (2, n)
        Points with x exactly 0 are not visible.
    rotation : array_like, shape (3,)
        Start, radians.

    Returns
    -------
    params_global : ndarray, shape (6,), float64
    params_local : ndarray, shape (m,), float64
    """
    seen = landmarks[0] != 0
    if not seen.any():
        return np.array([1.0, 0, 0, 0, 0, 0]), np.zeros(len(model.eigenvalues))
    target = landmarks[:, seen].astype(np.float64)
    rows = np.tile(seen, 3)
    part = ShapeModel(model.mean[rows], model.basis[rows], model.eigenvalues)
    prior = 1.0 / model.eigenvalues.astype(np.float64)
    ridge = np.diag(np.concatenate([np.zeros(6), prior]))

    g = _start(part, target, rotation)
    p = np.zeros(len(prior))
    error = float(np.linalg.norm(project(part, g, p) - target))
    failures = 0
    for _ in range(MOST_ITERATIONS):
        before = shape_3d(part, p)
        J = jacobian(part, g, p)  # noqa: N806 - the field's name
        right = J.T @ (target - project(part, g, p)).reshape(-1)
        right[6:] -= p * prior
        step = solve(J.T @ J + ridge, right)
        if step is None:
            break
        g, p = apply_update(g, p, DAMPING * step)
        # The reference measures the error with the shape from before the update.
        stale = g[0] * euler_to_matrix(g[1:4])[:2] @ before + g[4:, None]
        now = float(np.linalg.norm(stale - target))
        failures += INSUFFICIENT * error < now
        error = now
        if failures == MOST_FAILURES:
            break
    return g, p


def _start(model: ShapeModel, target: Float64Array, rotation: npt.ArrayLike) -> Float64Array:
    """Scale from the bounding boxes; the centre of the model's own box is not subtracted."""
    size = np.ptp(target, axis=1) / np.ptp(model.mean.reshape(3, -1)[:2].astype(np.float64), axis=1)
    centre = (target.min(axis=1) + target.max(axis=1)) / 2
    return np.array([size.mean(), *np.asarray(rotation, dtype=np.float64).reshape(3), *centre])
