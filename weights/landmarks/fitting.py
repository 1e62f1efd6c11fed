"""A plain NumPy CE-CLM fitter for judging trained experts: same algorithm as the product, no parts, no validator.

The product's own fitter (``pyclnf.CLNF``) is what counts; this one needs no compiled code and takes any experts
that are still in memory, so training can look at end-to-end errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyclnf.io import CENFile

from .geometry import euler_to_matrix, matrix_to_euler
from .pdm import ShapeModel
from .sampling import SUPPORT, align_similarity, sample_areas

Array = NDArray[np.float64]
WINDOWS_INIT, WINDOWS_SMALL = (11, 9, 7, 5), (0, 9, 7, 0)  # OpenFace 2.2: LandmarkDetectorParameters
ITERATIONS, SIGMA, REGULARISATION = 5, 2.25, 22.5  # idem, after the CE-CLM correction
KERNEL_STEP = 0.1
HYPOTHESES = (
    (0.0, 0.0, 0.0), (0.0, -0.5236, 0.0), (0.0, 0.5236, 0.0), (0.0, -0.96, 0.0), (0.0, 0.96, 0.0), (0.0, 0.0, 0.5236),
    (0.0, 0.0, -0.5236), (0.0, -1.57, 0.0), (0.0, 1.57, 0.0), (0.0, -1.22, 0.698), (0.0, 1.22, -0.698),
)  # fmt: skip
SMALLEST_SCALE = 0.25


@dataclass(frozen=True)
class ScaleExperts:
    """Experts of one scale, stacked: per view the layers of all 68 landmarks and which are evaluated mirrored."""

    scale: float
    centres: Array
    layers: tuple[tuple[tuple[NDArray[np.float32], NDArray[np.float32], int], ...], ...]
    flipped: NDArray[np.bool_]


def stack_experts(cen: CENFile) -> ScaleExperts:
    """Resolve mirroring of a CEN file: every view gets layers for every landmark."""
    views, flipped = [], np.zeros((len(cen.centres), 68), dtype=bool)
    for view in range(len(cen.centres)):
        chosen = []
        for landmark in range(68):
            expert = cen.experts[view][landmark]
            if not expert.layers:
                flipped[view, landmark] = True
                expert = cen.experts[cen.mirror_views[view]][cen.mirror_landmarks[landmark]]
            chosen.append(expert)
        depth = len(chosen[0].layers)
        views.append(
            tuple(
                (
                    np.stack([np.asarray(e.layers[k].weight, dtype=np.float32) for e in chosen]),
                    np.stack([np.asarray(e.layers[k].bias, dtype=np.float32).reshape(-1) for e in chosen]),
                    chosen[0].layers[k].activation,
                )
                for k in range(depth)
            )
        )
    return ScaleExperts(cen.scale, np.asarray(cen.centres), tuple(views), flipped)


@dataclass
class Fit:
    """State of a fit: pose, local shape and the likelihood of the last pass."""

    pose: Array
    local: Array
    likelihood: float = -10.0
    view: int = 0
    ok: bool = False


@dataclass
class Fitter:
    """NU-RLMS with CEN responses."""

    model: ShapeModel
    experts: Sequence[ScaleExperts]
    early: tuple[Array, Array, Array] | None = None
    sigma: float = SIGMA
    regularisation: float = REGULARISATION
    _kernels: dict[tuple[int, float], NDArray[np.float32]] = field(default_factory=dict)

    def project(self, fit: Fit) -> Array:
        """Image points (68, 2) of a fit."""
        shape = self.model.shapes(fit.local[None])[0]
        return np.asarray(fit.pose[0] * shape @ euler_to_matrix(fit.pose[1:4])[:2].T + fit.pose[4:6])

    def from_box(self, box: Sequence[float], euler: Sequence[float]) -> Fit:
        """Pose of the mean shape, turned by ``euler``, that fills a box (x, y, w, h)."""
        shape = self.model.mean @ euler_to_matrix(np.asarray(euler, dtype=np.float64)).T
        low, high = shape[:, :2].min(axis=0), shape[:, :2].max(axis=0)
        size = np.asarray(box[2:], dtype=np.float64)
        scale = float((size / (high - low)).mean())
        shift = np.asarray(box[:2]) + size / 2 - scale * (low + high) / 2
        return Fit(np.array([scale, *euler, *shift]), np.zeros(len(self.model.eigenvalues)))

    def responses(
        self, image: NDArray[np.uint8], fit: Fit, k: int, window: int
    ) -> tuple[Array, Array, Array, int]:
        """Response maps (68, w, w), both frame matrices and the view."""
        bank = self.experts[k]
        view = int(((fit.pose[1:4] - bank.centres) ** 2).sum(axis=1).argmin())
        reference = bank.scale * self.model.shapes(fit.local[None])[0][:, :2]
        points = self.project(fit)
        to_ref = align_similarity(points, reference)
        to_image = np.asarray(np.linalg.inv(to_ref), dtype=np.float64)
        areas = sample_areas(image, points, to_image, window + SUPPORT - 1)
        mirrored = bank.flipped[view]
        areas[mirrored] = areas[mirrored][:, :, ::-1]
        views = np.lib.stride_tricks.sliding_window_view(areas, (SUPPORT, SUPPORT), axis=(1, 2))
        rows, cols = np.nonzero(np.add.outer(np.arange(window), np.arange(window)) % 2)
        x = views[:, rows, cols].swapaxes(-1, -2).reshape(68, len(rows), SUPPORT**2)
        x = x - x.mean(axis=2, keepdims=True)
        norm = np.linalg.norm(x, axis=2, keepdims=True)
        x = x / np.where(norm == 0, 1, norm)
        x = np.concatenate([np.ones_like(x[..., :1]), x], axis=2)
        for weight, bias, activation in bank.layers[view]:
            x = x @ weight.transpose(0, 2, 1) + bias[:, None]
            if activation == 0:
                x = 1.0 / (1.0 + np.exp(-x))
            elif activation == 2:
                x = np.maximum(x, 0)
        padded = np.zeros((68, window + 2, window + 2))
        padded[:, rows + 1, cols + 1] = x[..., 0]
        inner = padded[:, 1:-1, 1:-1]
        known = np.zeros((window + 2, window + 2))
        known[rows + 1, cols + 1] = 1
        total = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
        number = known[:-2, 1:-1] + known[2:, 1:-1] + known[1:-1, :-2] + known[1:-1, 2:]
        maps = np.where(known[1:-1, 1:-1] > 0, inner, total / np.maximum(number, 1))
        maps[mirrored] = maps[mirrored][:, :, ::-1]
        return np.asarray(maps, dtype=np.float64), to_ref, to_image, view

    def _mean_shift(self, maps: Array, offset: Array, sigma: float) -> Array:
        window = maps.shape[1]
        at = np.clip(offset, 0, window - 0.1)
        quantised = np.floor(at / KERNEL_STEP + 0.5) * KERNEL_STEP
        grid = np.arange(window)
        kx = np.exp(-0.5 / sigma**2 * (quantised[:, 0, None] - grid) ** 2)
        ky = np.exp(-0.5 / sigma**2 * (quantised[:, 1, None] - grid) ** 2)
        value = maps * ky[:, :, None] * kx[:, None, :]
        total = value.sum(axis=(1, 2))
        x = (value.sum(axis=1) @ grid) / total
        y = (value.sum(axis=2) @ grid) / total
        return np.stack([x, y], axis=1) - at

    def _rlms(
        self,
        fit: Fit,
        maps: Array,
        base: Array,
        to_ref: Array,
        to_image: Array,
        sigma: float,
        reg: float,
        rigid: bool,
    ) -> Array:
        model, previous = self.model, None
        basis = model.basis.reshape(3, 68, -1)
        half = (maps.shape[1] - 1) // 2
        offset = np.zeros((68, 2))
        for _ in range(ITERATIONS):
            current = self.project(fit)
            if previous is not None and np.linalg.norm(current - previous) < 0.01:
                break
            previous = current
            offset = (current - base) @ to_ref.T + half
            shift = self._mean_shift(maps, offset, sigma) @ to_image.T
            scale, rotation = fit.pose[0], euler_to_matrix(fit.pose[1:4])
            shape = model.shapes(fit.local[None])[0]
            x, y, z = shape.T
            rows = []
            for r in rotation[:2]:
                columns = [shape @ r, scale * (y * r[2] - z * r[1]), -scale * (x * r[2] - z * r[0]),
                           scale * (x * r[1] - y * r[0])]  # fmt: skip
                rows.append(columns)
            ones, zeros = np.ones(68), np.zeros(68)
            jacobian = np.concatenate(
                [np.stack([*rows[0], ones, zeros], axis=1), np.stack([*rows[1], zeros, ones], axis=1)]
            )
            if not rigid:
                local = scale * np.einsum("jk,kim->jim", rotation[:2], basis).reshape(136, -1)
                jacobian = np.concatenate([jacobian, local], axis=1)
            rhs = jacobian.T @ shift.T.reshape(-1)
            gram = jacobian.T @ jacobian
            if not rigid:
                rhs[6:] -= reg / model.eigenvalues * fit.local
                gram[np.arange(6, len(gram)), np.arange(6, len(gram))] += reg / model.eigenvalues
            step = np.linalg.solve(gram, rhs)
            self._update(fit, step)
        return offset

    def _update(self, fit: Fit, step: Array) -> None:
        d1, d2, d3 = step[1:4]
        u, _, vt = np.linalg.svd(np.array([[1, -d3, d2], [d3, 1, -d1], [-d2, d1, 1]]))
        turn = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
        fit.pose[1:4] = matrix_to_euler(euler_to_matrix(fit.pose[1:4]) @ turn)
        fit.pose[0] += step[0]
        fit.pose[4:6] += step[4:6]
        limit = 3.0 * np.sqrt(self.model.eigenvalues)
        if len(step) > 6:
            fit.local = fit.local + step[6:]
        fit.local = np.clip(fit.local, -limit, limit)

    def run(self, image: NDArray[np.uint8], fit: Fit, windows: Sequence[int]) -> bool:
        """One detection pass over the scales whose window is not 0."""
        for k in range(len(self.experts)):
            window = windows[k]
            if window == 0:
                continue
            maps, to_ref, to_image, view = self.responses(image, fit, k, window)
            octave = np.log2(self.experts[min(k, 2)].scale / 0.25)
            reg = max(self.regularisation - 15 * octave, 0.001)
            sigma = self.sigma + 0.25 * octave
            base = self.project(fit)
            self._rlms(fit, maps, base, to_ref, to_image, sigma, reg, True)
            offset = self._rlms(fit, maps, base, to_ref, to_image, sigma, reg, False)
            grid = np.arange(window)
            kx = np.exp(-0.5 / sigma**2 * (offset[:, 0, None] - grid) ** 2)
            ky = np.exp(-0.5 / sigma**2 * (offset[:, 1, None] - grid) ** 2)
            likelihood = np.einsum("nij,ni,nj->n", maps, ky, kx)
            fit.likelihood, fit.view = float(np.log(likelihood + 1e-8).mean()), view
            if fit.pose[0] < SMALLEST_SCALE:
                return False
        return True

    def fit_box(self, image: NDArray[np.uint8], box: Sequence[float], multi: bool = True) -> Fit:
        """Fit a face in a box from all starting poses (early termination) or from the frontal one."""
        poses = HYPOTHESES if multi else HYPOTHESES[:1]
        first = [WINDOWS_INIT[0], 0, 0, 0]
        second = [0, *WINDOWS_INIT[1:]]
        tried: list[tuple[float, Fit]] = []
        for euler in poses:
            fit = self.from_box(box, euler)
            self.run(image, fit, first)
            score = fit.likelihood
            if self.early is not None:
                weights, biases, cutoffs = self.early
                score = score * weights[fit.view] + biases[fit.view]
                if score > cutoffs[fit.view]:
                    fit.ok = self.run(image, fit, second)
                    return fit
            tried.append((score, fit))
        last = tried[-1][1]
        best: Fit | None = None
        for _, fit in sorted(tried, key=lambda item: -item[0])[:3]:
            if fit is not last:  # OpenFace forgets all remembered shapes but the last one
                fit.local = np.zeros_like(fit.local)
            fit.ok = self.run(image, fit, second)
            if best is None or fit.likelihood > best.likelihood:
                best = fit
        assert best is not None
        return best
