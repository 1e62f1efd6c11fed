"""What `pyclnf._core` offers, in plain NumPy: runs where nothing could be compiled, or if it is asked for.

The formulas stand in :mod:`pyclnf.oracle`; here they get the arguments, and give the dtypes, of the compiled kernels.
Sums are in float64 and products are those of NumPy's BLAS, so the last digits differ from those of compiled kernels,
and may differ between builds of NumPy. Threads are not used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from . import oracle
from .io import DenseLayer, SVRExpert, SVRModality
from .oracle import ccnf, cen, patches, sampling, validator

_F32 = npt.NDArray[np.float32]
_F64 = npt.NDArray[np.float64]
_I32 = npt.NDArray[np.int32]
_U8 = npt.NDArray[np.uint8]

_LARGEST_WINDOW = 15
_SUPPORT = 11
# OpenCV 4's fixed-point weights of ITU-R BT.601 for blue, green, red.
_GREY = np.array([3735, 19235, 9798], np.uint32)


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def instruction_sets() -> list[str]:
    """List the one form of the kernels that there is here."""
    return ["numpy"]


def instruction_set() -> str:
    """Name the form of the kernels that runs."""
    return "numpy"


def use_instruction_set(name: str) -> None:
    """Refuse every other name."""
    _expect(name == "numpy", f"NumPy's kernels run, there is no instruction set {name!r}")


def to_grey(bgr: _U8) -> _U8:
    """Grey image (rows, cols) of one in blue, green, red and perhaps a fourth channel."""
    weighted: npt.NDArray[np.uint32] = bgr[:, :, :3] @ _GREY
    shifted: npt.NDArray[np.uint32] = (weighted + np.uint32(16384)) >> np.uint32(15)
    return shifted.astype(np.uint8)


def sample_area(grey: _U8, x: float, y: float, a: float, b: float, side: int, flip: bool) -> _F32:
    """Area (side, side) around (x, y); see :func:`pyclnf.oracle.sample_area`."""
    _expect(0 < side <= 64, "side must be between 1 and 64")
    return oracle.sample_area(grey, x, y, a, b, side, flip)


def warp_inverse_u8(image: _U8, matrix: _F64, width: int, height: int, left: int = 0, top: int = 0) -> _U8:
    """Warp (rows, cols, channels) under an inverse map (2, 3), with zeros outside, as OpenCV's ``warpAffine`` does.

    The image may be a part of the input, whose first pixel is the input's (left, top).
    """
    x, y = sampling.grid_coordinates(matrix, width, height)
    x, y = x - left * sampling.GRID, y - top * sampling.GRID
    samples = [sampling.sample_grid(image[:, :, k], x, y) for k in range(image.shape[2])]
    rounded: _F32 = np.floor(np.stack(samples, axis=2) + np.float32(0.5))
    return rounded.astype(np.uint8)


def solve_pnp(
    points: npt.NDArray[np.floating],
    pixels: npt.NDArray[np.floating],
    camera: Sequence[float],
    rotation_vector: Sequence[float],
    translation: Sequence[float],
) -> tuple[_F64, _F64]:
    """Rotation (3, 3) and translation (3,); see :func:`pyclnf.oracle.solve_pnp`."""
    with np.errstate(all="ignore"):
        return oracle.solve_pnp(
            points.astype(np.float64), pixels.astype(np.float64), camera, rotation_vector, translation
        )


def align_similarity(source: _F32, target: _F32) -> _F32:
    """Similarity (2, 2); see :func:`pyclnf.oracle.align_similarity_rounded`. NaN where there is none."""
    if not (np.isfinite(source).all() and np.isfinite(target).all()) or (source == source[:1]).all():
        return np.full((2, 2), np.nan, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        return oracle.align_similarity_rounded(source, target)


def ccnf_covariances(alpha_sums: _F64, betas: _F64, components: _F32, threads: int) -> _F32:
    """Covariances (experts, w**2, w**2); see :func:`pyclnf.oracle.covariance`."""
    precision = np.tensordot(betas, components.astype(np.float64), 1)
    precision += alpha_sums[:, None, None] * np.eye(components.shape[1])
    return np.linalg.inv(2.0 * precision).astype(np.float32)


def sgemm(a: _F32, b: _F32) -> _F32:
    """Matrix product."""
    return a @ b


class ShapeModel:
    """Point distribution model; see :mod:`pyclnf.oracle.shape`. Landmarks are planar: all x, then all y."""

    def __init__(self, mean: _F32, basis_t: _F32, eigenvalues: _F32) -> None:
        _expect(len(eigenvalues) <= 122 and mean.size <= 3 * 512, "at most 122 modes and 512 points")
        wide = (array.astype(np.float64) for array in (mean, basis_t.T, eigenvalues))
        self._model = oracle.ShapeModel(*wide)

    def shape_3d(self, params_local: _F32) -> _F32:
        """Shape (3n,) in its own frame, mm."""
        return oracle.shape_3d(self._model, params_local).reshape(-1).astype(np.float32)

    def project(self, params_global: _F32, params_local: _F32) -> _F32:
        """Landmarks (2n,) in the image, px."""
        with np.errstate(over="ignore", invalid="ignore"):
            return oracle.project(self._model, params_global, params_local).reshape(-1).astype(np.float32)

    def jacobian(self, params_global: _F32, params_local: _F32, rigid: bool) -> _F32:
        """Differentiate the landmarks: (6 or 6 + m, 2n)."""
        found = oracle.jacobian(self._model, params_global, params_local, rigid)
        return np.ascontiguousarray(found.T, np.float32)

    def update(self, params_global: _F32, params_local: _F32, step: _F32) -> tuple[_F32, _F32]:
        """Parameters after a step."""
        _expect(step.size in (6, 6 + params_local.size), "update must hold 6 or 6 + modes values")
        g, p = oracle.apply_update(params_global, params_local, step)
        return g.astype(np.float32), p.astype(np.float32)

    def fit_landmarks(self, landmarks: _F32, rotation: _F32) -> tuple[_F32, _F32]:
        """Parameters that explain landmarks."""
        with np.errstate(all="ignore"):
            g, p = oracle.fit_landmarks(self._model, landmarks.reshape(2, -1), rotation)
            return g.astype(np.float32), p.astype(np.float32)

    def look(
        self, params_global: _F32, params_local: _F32, scale: float, centres: _F32
    ) -> tuple[_F32, _F32, _F32, int, tuple[float, float, float, float]]:
        """Landmarks (2n,), their reference frame both ways, the nearest view, and x0, y0, x1, y1 of the landmarks."""
        shape = self.project(params_global, params_local)
        to_reference, to_image = self.reference_frame(shape, params_local, scale)
        nearest = int(np.argmin(((centres - params_global[1:4]) ** 2).sum(axis=1)))
        x, y = shape.reshape(2, -1)
        return shape, to_reference, to_image, nearest, (x.min(), y.min(), x.max(), y.max())

    def reference_frame(self, shape: _F32, params_local: _F32, scale: float) -> tuple[_F32, _F32]:
        """Similarity from the image to the upright shape at `scale` px/mm, and its inverse."""
        upright = self.project(np.array([scale, 0, 0, 0, 0, 0], np.float32), params_local)
        points = (np.ascontiguousarray(planar.reshape(2, -1).T) for planar in (shape, upright))
        a = align_similarity(*points)
        with np.errstate(all="ignore"):
            wide = a.astype(np.float64)
            adjugate = np.array([[wide[1, 1], -wide[0, 1]], [-wide[1, 0], wide[0, 0]]])
            inverse = adjugate / (wide[0, 0] * wide[1, 1] - wide[0, 1] * wide[1, 0])
            return a, inverse.astype(np.float32)

    def rlms(
        self,
        responses: _F32,
        visible: _U8,
        weights: _F32 | None,
        base: _F32,
        kernel: _F32,
        to_reference: _F32,
        to_image: _F32,
        params_global: _F32,
        params_local: _F32,
        rigid: bool,
        iterations: int,
        regularisation: float,
        sigma: float,
        likelihoods: _F32 | None,
    ) -> float:
        """Move the parameters, in place; see :func:`pyclnf.oracle.nu_rlms`."""
        window = responses.shape[1]
        with np.errstate(all="ignore"):
            g, p, each, mean = oracle.nu_rlms(
                self._model,
                responses[:, :, :window],
                visible.astype(bool),
                np.ones(len(visible)) if weights is None else weights,
                base.reshape(2, -1),
                to_reference,
                params_global,
                params_local,
                rigid=rigid,
                iterations=iterations,
                regularisation=regularisation,
                sigma=sigma,
            )
            params_global[:], params_local[:] = g, p
        if likelihoods is None:
            return 0.0
        likelihoods[:] = each
        return mean


class _Bank:
    """Experts of one view, each of which serves landmarks of its own."""

    def __init__(self, points: int) -> None:
        self._points = points
        self._claimed: set[int] = set()

    def _claim(self, landmark: int) -> None:
        _expect(0 <= landmark < self._points, "landmark out of range")
        _expect(landmark not in self._claimed, "landmark already has an expert")
        self._claimed.add(landmark)

    def _areas(
        self, grey: _U8, shape: _F32, a: float, b: float, window: int, out: _F32
    ) -> Callable[[int], _F32]:
        """Check what a search needs, and return the function that samples a landmark's area of interest."""
        _expect(3 <= window <= _LARGEST_WINDOW and window % 2 == 1, "window must be odd and between 3 and 15")
        _expect(
            out.shape == (self._points, window, 16), "response maps must be (landmarks, window, 16) float32"
        )
        _expect(shape.size == 2 * self._points, "shape must be planar (2n,)")
        x, y = shape.reshape(2, -1).tolist()
        return lambda i: sample_area(grey, x[i], y[i], a, b, window + _SUPPORT - 1, False)


class CcnfBank(_Bank):
    """CCNF experts; see :mod:`pyclnf.oracle.ccnf`."""

    def __init__(
        self, landmarks: _I32, weights: _F32, bias: _F32, weight_sums: _F32, alpha2: _F32, points: int
    ) -> None:
        super().__init__(points)
        self._experts = list(zip(landmarks.tolist(), weights, bias, alpha2, strict=True))
        for landmark, *_ in self._experts:
            self._claim(landmark)

    def responses(
        self, grey: _U8, shape: _F32, a: float, b: float, window: int, sigma: _F32, out: _F32, threads: int
    ) -> None:
        """Fill the maps of the landmarks that have experts."""
        area = self._areas(grey, shape, a, b, window, out)
        for (landmark, *neurons), covariance in zip(self._experts, sigma, strict=True):
            potentials = ccnf.potential(area(landmark), *neurons)
            wide = covariance if sigma.ndim == 3 else covariance * np.eye(window * window)
            out[landmark, :, :window] = ccnf.response_of(potentials, wide)
            out[landmark, :, window:] = 0.0


class CenBank(_Bank):
    """CEN experts; see :mod:`pyclnf.oracle.cen`."""

    def __init__(self, points: int) -> None:
        super().__init__(points)
        self._tasks: list[tuple[list[DenseLayer], list[tuple[int, bool]]]] = []

    def add(self, layers: Sequence[tuple[_F32, _F32, int]], targets: Sequence[tuple[int, bool]]) -> None:
        """Add an expert's (weight, bias, activation) and the landmarks it serves, mirrored or not."""
        inputs = _SUPPORT * _SUPPORT + 1
        for weight, bias, _ in layers:
            _expect(weight.shape == (bias.size, inputs), "layer sizes do not chain")
            inputs = bias.size
        _expect(bool(layers) and inputs == 1, "the last layer must have one output")
        for landmark, _ in targets:
            self._claim(landmark)
        # Column 0 of the first layer multiplies the constant 1: the caller has added it to the bias.
        kept = [
            DenseLayer(activation, bias, weight[:, 1:] if k == 0 else weight)
            for k, (weight, bias, activation) in enumerate(layers)
        ]
        self._tasks.append((kept, list(targets)))

    def responses(
        self, grey: _U8, shape: _F32, a: float, b: float, window: int, out: _F32, threads: int
    ) -> None:
        """Fill the maps of the landmarks that have experts."""
        area = self._areas(grey, shape, a, b, window, out)
        row, col = np.indices((window, window))
        computed = (row + col) % 2 == 1
        response = np.zeros((window, window))
        for layers, targets in self._tasks:
            for landmark, mirrored in targets:
                step = -1 if mirrored else 1
                inputs = patches.normalised_patches(area(landmark)[:, ::step])[computed, 1:]
                response[computed] = cen.forward(layers, inputs)
                out[landmark, :, :window] = cen.fill_in(response)[:, ::step]
                out[landmark, :, window:] = 0.0


class SvrBank(_Bank):
    """SVR experts; see :mod:`pyclnf.oracle.svr`."""

    def __init__(self, points: int) -> None:
        super().__init__(points)
        self._experts: list[tuple[int, SVRExpert]] = []

    def add(self, landmark: int, modalities: Sequence[tuple[_F32, float, float, int]]) -> None:
        """Add a landmark's (template, scaling, bias, kind)."""
        self._claim(landmark)
        kept = tuple(
            SVRModality(
                kind=kind, confidence=0.0, scaling=scaling, bias=bias, weights=w.reshape(_SUPPORT, _SUPPORT)
            )
            for w, scaling, bias, kind in modalities
        )
        self._experts.append((landmark, SVRExpert(_SUPPORT, _SUPPORT, kept)))

    def responses(
        self, grey: _U8, shape: _F32, a: float, b: float, window: int, out: _F32, threads: int
    ) -> None:
        """Fill the maps of the landmarks that have experts."""
        area = self._areas(grey, shape, a, b, window, out)
        for landmark, expert in self._experts:
            out[landmark, :, :window] = oracle.svr_response(area(landmark), expert)
            out[landmark, :, window:] = 0.0


class ValidatorView:
    """One view of the validator; see :mod:`pyclnf.oracle.validator`."""

    def __init__(
        self,
        rows: int,
        cols: int,
        min_x: float,
        min_y: float,
        triangles: _I32,
        pixel_index: _I32,
        pixel_triangle: _I32,
        alpha: _F32,
        beta: _F32,
        mean: _F32,
        deviation: _F32,
        points: int,
    ) -> None:
        _expect(
            triangles.size == 0 or 0 <= triangles.min() <= triangles.max() < points, "vertex out of range"
        )
        row, col = np.divmod(pixel_index, cols)
        self._size, self._index = (rows, cols), pixel_index
        self._pixels = (col + np.float32(min_x), row + np.float32(min_y))
        self._corners = triangles.reshape(-1, 3)[pixel_triangle]
        self._alpha, self._beta = (array.reshape(-1, 3)[pixel_triangle] for array in (alpha, beta))
        self._mean, self._deviation = mean, deviation
        self._layers: list[Callable[[_F64], _F64]] = []

    def add_convolution(self, kernels: _F32, bias: _F32, relu: bool) -> None:
        """Add a convolution with kernels (out, in, h, w)."""
        by_input = kernels.transpose(1, 0, 2, 3)
        self._add(lambda maps: validator.convolved(maps, by_input, bias), relu)

    def add_max_pool(self) -> None:
        """Add a 2 x 2 maximum."""
        self._add(validator.max_pooled, relu=False)

    def add_fully_connected(self, weights: _F32, bias: _F32, relu: bool) -> None:
        """Add a fully connected layer with weights (out, in), inputs map by map and each map by rows."""
        self._add(
            lambda maps: (weights.astype(np.float64) @ maps.reshape(-1) + bias)[:, None, None], relu=relu
        )

    def _add(self, layer: Callable[[_F64], _F64], relu: bool) -> None:
        self._layers.append((lambda maps: np.maximum(layer(maps), 0.0)) if relu else layer)

    def crop(self, grey: _U8, landmarks: _F32) -> _F32:
        """Network input (rows, cols)."""
        places = validator.warped(
            self._pixels, self._corners, self._alpha, self._beta, landmarks.reshape(2, -1)
        )
        out = np.zeros(self._size)
        out.flat[self._index] = (validator.standardised_samples(grey, *places) - self._mean) / self._deviation
        return out.astype(np.float32)

    def forward(self, grey: _U8, landmarks: _F32) -> _F32:
        """Output of the network for a face."""
        maps = self.crop(grey, landmarks).astype(np.float64)[None]
        for layer in self._layers:
            maps = layer(maps)
        return maps.reshape(-1).astype(np.float32)
