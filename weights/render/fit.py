"""Fit the ICT model (pose, identity, expression) to 68 landmarks of a photograph."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .ict import F64, ICTModel

#: Landmarks on the face's outline slide along the surface, so they count for little.
_JAW_WEIGHT = 0.3


def euler_matrix(rx: float, ry: float, rz: float) -> F64:
    """Rotation ``Rx @ Ry @ Rz``."""
    cx, cy, cz = np.cos([rx, ry, rz])
    sx, sy, sz = np.sin([rx, ry, rz])
    mx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    my = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    mz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(mx @ my @ mz)


@dataclass(frozen=True)
class Camera:
    """Weak perspective: ``scale * (R @ v)[:2] + (tx, ty)``."""

    scale: float
    rotation: tuple[float, float, float]
    tx: float
    ty: float

    def project(self, vertices: F64) -> F64:
        """Image coordinates and depth (n, 3), all in pixels."""
        out = self.scale * vertices @ euler_matrix(*self.rotation).T
        out[:, 0] += self.tx
        out[:, 1] += self.ty
        return np.asarray(out)

    def turned(self, rx: float, ry: float, rz: float) -> Camera:
        """Return the camera with angles (radians) added to its rotation."""
        a, b, c = self.rotation
        return replace(self, rotation=(a + rx, b + ry, c + rz))


def _fit_camera(points: F64, landmarks: F64, weight: F64, start: Camera) -> Camera:
    """Gauss-Newton on the six pose parameters."""
    x = np.array([start.scale, *start.rotation, start.tx, start.ty])

    def shape(p: F64) -> F64:
        return Camera(p[0], (p[1], p[2], p[3]), p[4], p[5]).project(points)[:, :2]

    for _ in range(12):
        base = shape(x)
        jac = np.empty((base.size, 6))
        for k, step in enumerate((1e-3, 1e-5, 1e-5, 1e-5, 1e-3, 1e-3)):
            moved = x.copy()
            moved[k] += step
            jac[:, k] = ((shape(moved) - base) / step * weight[:, None]).ravel()
        x += np.linalg.lstsq(jac, ((landmarks - base) * weight[:, None]).ravel(), rcond=None)[0]
    return Camera(float(x[0]), (float(x[1]), float(x[2]), float(x[3])), float(x[4]), float(x[5]))


def _bounded_ridge(system: F64, rhs: F64, prior: F64, low: F64, high: F64) -> F64:
    """Least squares with a quadratic prior and bounds: what leaves its bounds is fixed there, the rest solved again."""
    gram, moment = system.T @ system + np.diag(prior**2), system.T @ rhs
    fixed = np.zeros(len(prior), bool)
    value = np.zeros(len(prior))
    for _ in range(8):
        free = ~fixed
        target = moment[free] - gram[np.ix_(free, fixed)] @ value[fixed]
        value[free] = np.linalg.solve(gram[np.ix_(free, free)], target)
        outside = free & ((value < low) | (value > high))
        if not outside.any():
            break
        fixed |= outside
        value = np.clip(value, low, high)
    return np.asarray(np.clip(value, low, high))


@dataclass(frozen=True)
class ICTFit:
    """A fitted face: camera, identity coefficients, expression weights, RMS residual in pixels."""

    camera: Camera
    identity: F64
    weights: F64
    rms: float


def fit_ict(
    model: ICTModel,
    landmarks: NDArray[np.floating],
    identities: int = 40,
    free: tuple[str, ...] | None = None,
    identity_cost: float = 0.25,
    weight_cost: float = 0.6,
) -> ICTFit:
    """Fit pose, identity and expression to 68 landmarks.

    Parameters
    ----------
    model : the face model
    landmarks : (68, 2) pixels
    identities : number of identity modes used
    free : expression shapes that may be non-zero (all when None)
    identity_cost, weight_cost : strength of the priors relative to 1 % of the face's width
    """
    target = np.asarray(landmarks, np.float64)
    weight = np.ones(68)
    weight[:17] = _JAW_WEIGHT
    rows = model.landmark_vertices
    used = np.array([free is None or n in free or n[:-2] in free for n in model.names])
    shapes = np.flatnonzero(used)
    id_basis = model.identity[:identities, rows]
    ex_basis = model.expression[shapes][:, rows]
    basis = np.concatenate([id_basis, ex_basis])
    identity, weights = np.zeros(identities), np.zeros(len(model.names))
    width = np.ptp(target[:, 0])
    start = model.neutral[rows]
    camera = Camera(float(width / np.ptp(start[:, 0])), (0.0, 0.0, 0.0), *map(float, target.mean(0)))
    noise = 0.01 * width
    prior = np.concatenate([np.full(identities, identity_cost), np.full(len(shapes), weight_cost)])
    low = np.concatenate([np.full(identities, -3.0), np.zeros(len(shapes))])
    high = np.concatenate([np.full(identities, 3.0), np.ones(len(shapes))])
    for _ in range(5):
        points = model.neutral[rows] + np.tensordot(np.concatenate([identity, weights[shapes]]), basis, 1)
        camera = _fit_camera(points, target, weight, camera)
        rotation = euler_matrix(*camera.rotation)[:2]
        jac = camera.scale * (basis @ rotation.T)
        offset = camera.project(model.neutral[rows])[:, :2]
        scale = weight[None, :, None] / noise
        system = (jac * scale).reshape(len(basis), -1).T
        rhs = ((target - offset) * scale[0]).ravel()
        solution = _bounded_ridge(system, rhs, prior, low, high)
        identity, weights = solution[:identities], np.zeros(len(model.names))
        weights[shapes] = solution[identities:]
    residual = camera.project(model.shape(identity, weights)[rows])[:, :2] - target
    return ICTFit(camera, identity, weights, float(np.sqrt(np.mean(np.sum(residual[17:] ** 2, 1)))))
