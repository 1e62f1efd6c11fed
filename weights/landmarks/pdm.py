"""Point distribution model: ICT-FaceKit prior, refined by non-rigid structure from motion on the annotations.

Probabilistic model: a 3D shape is Gaussian (mean, covariance), an annotation is its weak-perspective view plus
noise.  EM alternates the posterior of every shape with poses, mean and covariance (Torresani, Hertzmann and
Bregler, PAMI 2008); the ICT covariance acts as an inverse-Wishart prior, so directions that the images do not
show (depth) keep what the scanned heads say.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyclnf import PDM
from pyclnf.io import read_pdm

from .data import MIRROR_68
from .geometry import fit_pose, project

Array = NDArray[np.float64]
LOG = logging.getLogger(__name__)
N_MODES = 34
PRIOR_COUNT = 250.0
JAW_NOISE_MM, FACE_NOISE_MM = 3.0, 1.4
# weight of each expression: mean and standard deviation of its activation
EXPRESSION_MEAN, EXPRESSION_STD = 0.08, 0.22
EM_ITERATIONS = 25
# upper and lower inner lip
LIP_PAIRS = ((61, 67), (62, 66), (63, 65))
PARTED = 0.06  # lip gap, in outer-eye distances, of faces that are cut into triangles: of shut lips these have no area
# EM on averaged labels understates how much faces differ, and the fitter is held to the mean by these
# variances. x2, x4, x8, x16 on
# validation people and 36 London people: lids 0.0096, 0.0077, 0.0063, 0.0056, crops 0.1096, 0.1105, 0.1114, 0.1126
VARIANCE_INFLATION = 8.0
# validation people, mouths open by more than 0.06: lip gap 0.769, 0.789, 0.800 of the labels' with 1, 3, 7 (0.827 with
# an open mean and the experts before); shut mouths of London people 0.0150, 0.0153, 0.0154 (0.0190)
OPENING_SHARE = 7.0


@dataclass(frozen=True)
class ShapeModel:
    """3D shape model: mean (68, 3) mm, basis (204, m) planar (all x, all y, all z), eigenvalues (m,)."""

    mean: Array
    basis: Array
    eigenvalues: Array

    @classmethod
    def from_file(cls, path: Path) -> ShapeModel:
        """Read a model in OpenFace's text format."""
        file = read_pdm(path)
        arrays = (file.mean.reshape(3, -1).T, file.basis, file.eigenvalues)
        return cls(*(np.asarray(array, np.float64) for array in arrays))

    def shapes(self, local: Array) -> Array:
        """3D shapes (N, 68, 3) of local parameters (N, m)."""
        planar = self.mean.T.reshape(-1) + local @ self.basis.T
        return np.asarray(planar.reshape(-1, 3, 68).transpose(0, 2, 1), dtype=np.float64)

    def pdm(self) -> PDM:
        """Return the same model as the product's, in float32."""
        return PDM(self.mean.T.reshape(-1), self.basis, self.eigenvalues)


def ict_prior(path: Path) -> tuple[Array, Array]:
    """Mean (204,) and covariance (204, 204), interleaved xyz per point in mm, of ICT-FaceKit's landmark vertices."""
    with np.load(path, allow_pickle=False) as model:
        vertices = model["landmark_vertices"]
        # ICT is in cm with y up and z towards the viewer
        unit = np.array([10.0, -10.0, -10.0])
        neutral = model["neutral"][vertices].astype(np.float64) * unit
        identity = (model["identity"][:, vertices].astype(np.float64) * unit).reshape(100, -1)
        expression = (model["expression"][:, vertices].astype(np.float64) * unit).reshape(53, -1)
    mean = neutral.reshape(-1) + EXPRESSION_MEAN * expression.sum(axis=0)
    covariance = identity.T @ identity + EXPRESSION_STD**2 * expression.T @ expression
    covariance += 0.5**2 * np.eye(204)
    return mean, covariance


def _symmetrise(mean: Array, covariance: Array) -> tuple[Array, Array]:
    """Average a model with its mirror image."""
    order = (MIRROR_68[:, None] * 3 + np.arange(3)).reshape(-1)
    sign = np.tile([-1.0, 1.0, 1.0], 68)
    mean = 0.5 * (mean + sign * mean[order])
    flipped = covariance[np.ix_(order, order)] * sign[:, None] * sign
    return mean, 0.5 * (covariance + flipped)


def _remove_rigid(mean: Array, covariance: Array) -> tuple[Array, Array]:
    """Centre the mean and project translation, rotation and size out of the covariance."""
    points = mean.reshape(-1, 3)
    points = points - points.mean(axis=0)
    directions = [np.tile(axis, 68) for axis in np.eye(3)]
    directions += [np.cross(axis, points).reshape(-1) for axis in np.eye(3)]
    directions.append(points.reshape(-1))
    q, _ = np.linalg.qr(np.stack(directions, axis=1))
    projector = np.eye(len(mean)) - q @ q.T
    return points.reshape(-1), projector @ covariance @ projector


def symmetric_without_motion(mean: Array, covariance: Array) -> tuple[Array, Array]:
    """Make a model of shapes mirror-symmetric, centred and free of turns, moves and size."""
    return _symmetrise(*_remove_rigid(mean, covariance))


def fit_model(annotations: Array, ict_path: Path, n_modes: int = N_MODES) -> ShapeModel:
    """Fit the PDM to annotations (N, 68, 2) in px.

    Returns a model whose size is that of the mean ICT head (about 147 mm wide at the jaw) and whose mean has its
    mouth shut.
    """
    prior_mean, prior_covariance = symmetric_without_motion(*ict_prior(ict_path))
    size = np.sqrt((prior_mean**2).sum())
    mean, covariance = prior_mean, prior_covariance
    noise = np.full(68, FACE_NOISE_MM)
    noise[:17] = JAW_NOISE_MM
    weight = 1.0 / noise**2
    count = len(annotations)
    shapes = np.broadcast_to(mean.reshape(68, 3), (count, 68, 3))
    trust = np.ones(count)
    for iteration in range(EM_ITERATIONS):
        scale, rotation, shift = fit_pose(shapes, annotations, weight)
        root = np.linalg.cholesky(covariance + 1e-3 * np.eye(204))
        seen = (annotations - shift[:, None]) / scale[:, None, None]
        posterior = np.empty((count, 204))
        information = np.zeros((204, 204))
        for start in range(0, count, 128):
            part = slice(start, start + 128)
            view = rotation[part, :2]
            a = np.einsum("njk,ikm->nijm", view, root.reshape(68, 3, 204)).reshape(-1, 136, 204)
            gram = a @ a.transpose(0, 2, 1) + np.diag(np.repeat(noise**2, 2))
            residual = seen[part] - np.einsum("njk,ik->nij", view, mean.reshape(68, 3))
            solved = np.linalg.solve(gram, np.concatenate([a, residual.reshape(-1, 136, 1)], axis=2))
            posterior[part] = mean + np.einsum("nam,na->nm", a, solved[:, :, 204]) @ root.T
            information += np.tensordot(
                a * trust[part, None, None], solved[:, :, :204], axes=([0, 1], [0, 1])
            )
        total = trust.sum()
        new_mean = (PRIOR_COUNT * prior_mean + trust @ posterior) / (PRIOR_COUNT + total)
        centred = posterior - new_mean
        spread = (
            (centred * trust[:, None]).T @ centred + total * (root @ root.T) - root @ information @ root.T
        )
        new_covariance = (PRIOR_COUNT * prior_covariance + spread) / (PRIOR_COUNT + total)
        mean, covariance = symmetric_without_motion(new_mean, new_covariance)
        mean *= size / np.sqrt((mean**2).sum())
        shapes = posterior.reshape(-1, 68, 3)
        error = np.linalg.norm(project(shapes, scale, rotation, shift) - annotations, axis=2) / scale[:, None]
        per_face = np.sqrt((error**2).mean(axis=1))
        trust = 1.0 / (1.0 + (per_face / (3.0 * np.median(per_face))) ** 4)
        LOG.info(
            "EM %d: median residual %.3f mm, total variance %.0f",
            iteration,
            np.median(error),
            np.trace(covariance),
        )
    values, vectors = np.linalg.eigh(covariance)
    order = np.argsort(values)[::-1][:n_modes]
    interleaved = vectors[:, order]
    sign = np.sign(interleaved[np.abs(interleaved).argmax(axis=0), np.arange(n_modes)])
    planar = (interleaved * sign).reshape(68, 3, n_modes).transpose(1, 0, 2).reshape(204, n_modes)
    return at_rest(ShapeModel(mean.reshape(68, 3), planar, values[order]), VARIANCE_INFLATION)


def with_lip_gap(model: ShapeModel, gap: float) -> ShapeModel:
    """Move the mean to that of the model's faces whose lips are ``gap`` apart, in outer-eye distances."""
    basis = model.basis.reshape(3, 68, -1)
    opened = np.array([basis[1, below] - basis[1, above] for above, below in LIP_PAIRS])
    now = np.array([model.mean[below, 1] - model.mean[above, 1] for above, below in LIP_PAIRS])
    wanted = gap * np.linalg.norm(model.mean[45] - model.mean[36])
    spread = model.eigenvalues[:, None] * opened.T  # the mean of a Gaussian, given the gaps
    local = spread @ np.linalg.solve(opened @ spread, wanted - now)
    return replace(model, mean=model.shapes(local[None])[0])


def at_rest(model: ShapeModel, inflation: float) -> ShapeModel:
    """Give a model with the same shapes whose mean has its mouth shut, and variances times ``inflation``.

    A fit starts at the mean and is held to it. The mean of all annotations has its mouth open by 0.06 outer-eye
    distances, as many mouths of talking heads are open and none is more than shut; of a face about which nothing is
    known, a shut mouth is likelier. So that open mouths are not held back more than before, the variance along the
    move grows by `OPENING_SHARE` of the move's square (1 would be the second moment about the new mean), and the modes
    are those of the new covariance.
    """
    shut = with_lip_gap(model, 0.0)
    moved = model.basis.T @ (model.mean - shut.mean).T.reshape(-1)
    values, turn = np.linalg.eigh(np.diag(model.eigenvalues) + OPENING_SHARE * np.outer(moved, moved))
    basis = model.basis @ turn[:, ::-1]
    sign = np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(basis.shape[1])])
    return ShapeModel(shut.mean, basis * sign, inflation * values[::-1])


def fit_points(
    model: ShapeModel, points: Array, regularisation: float = 1.0, iterations: int = 25
) -> tuple[Array, ...]:
    """Fit the model to points (N, 68, 2): scale, rotation, shift, local (N, m); ridge in mm**2 units."""
    uniform = np.ones(68)
    local = np.zeros((len(points), len(model.eigenvalues)))
    penalty = np.diag(regularisation / model.eigenvalues)
    basis = model.basis.reshape(3, 68, -1)
    rotation: Array | None = None
    for _ in range(iterations):
        shapes = model.shapes(local)
        scale, rotation, shift = fit_pose(shapes, points, uniform, 6, rotation)
        residual = (points - shift[:, None]) / scale[:, None, None]
        residual = residual - np.einsum("njk,ik->nij", rotation[:, :2], model.mean)
        design = np.einsum("njk,kim->nijm", rotation[:, :2], basis).reshape(len(points), 136, -1)
        gram = design.transpose(0, 2, 1) @ design + penalty
        rhs = np.einsum("nam,na->nm", design, residual.reshape(len(points), 136))
        local = np.linalg.solve(gram, rhs[..., None])[..., 0]
    scale, rotation, shift = fit_pose(model.shapes(local), points, uniform, 12, rotation)
    return scale, rotation, shift, local
