"""The fitter: takes a landmark model through an image from a starting pose, coarse to fine, then its parts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .._state import (
    Rebuilding,
    State,
    StateLike,
    StateReader,
    below,
    count,
    flag,
    number,
    read_whole,
    rebuilt,
)
from ..config import (
    LIKELIHOOD_FACE_SCALE,
    LIKELIHOOD_FLOOR,
    PARTS_FACE_SCALE,
    SMALLEST_FACE_SCALE,
    FitParameters,
)
from ..picture import Grey, around
from .mean_shift import MeanShift, Responses
from .model import LandmarkModel
from .patch_experts import SUPPORT, new_maps
from .validator import MARGIN

Float32Array = npt.NDArray[np.float32]
_REST = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
_NO_SIZE = 1e-6  # px/mm


@dataclass
class FitState:
    """Where a fit stands. Arrays are replaced, not written to, so a copy of the references is a snapshot.

    Attributes
    ----------
    params_global : ndarray, shape (6,), float32
    params_local : ndarray, shape (m,), float32
    landmarks : ndarray, shape (2n,), float32
        All x, then all y, px.
    landmark_likelihoods : ndarray, shape (n,), float32
    likelihood : float
    certainty : float
    success : bool
    view : int
    """

    params_global: Float32Array
    params_local: Float32Array
    landmarks: Float32Array
    landmark_likelihoods: Float32Array
    likelihood: float = LIKELIHOOD_FLOOR
    certainty: float = 0.0
    success: bool = False
    view: int = 0

    @classmethod
    def at_rest(cls, n_points: int, n_modes: int) -> FitState:
        """State before anything was seen."""
        return cls(
            np.array(_REST, np.float32),
            np.zeros(n_modes, np.float32),
            np.zeros(2 * n_points, np.float32),
            np.zeros(n_points, np.float32),
        )

    def state(self) -> State:
        """Copy everything, as plain arrays."""
        return {
            "params_global": self.params_global.copy(),
            "params_local": self.params_local.copy(),
            "landmarks": self.landmarks.copy(),
            "landmark_likelihoods": self.landmark_likelihoods.copy(),
            "likelihood": number(self.likelihood),
            "certainty": number(self.certainty),
            "success": flag(self.success),
            "view": count(self.view),
        }

    @classmethod
    def read(cls, state: StateReader, model: LandmarkModel) -> FitState:
        """Make a fit state of what :meth:`state` returned; KeyError or ValueError if it does not fit the model."""
        n = model.pdm.n_points
        return cls(
            state.array("params_global", (6,), np.float32),
            state.array("params_local", (model.pdm.n_modes,), np.float32),
            state.array("landmarks", (2 * n,), np.float32),
            state.array("landmark_likelihoods", (n,), np.float32),
            state.number("likelihood"),
            state.number("certainty"),
            state.flag("success"),
            state.count("view", below=max([1, *(len(experts.centres) for experts in model.scales)])),
        )

    def is_finite(self) -> bool:
        """Whether every number is one."""
        # The landmarks are the parameters' projection: not finite if one of these is not.
        return (
            math.isfinite(self.likelihood) and _finite(self.landmarks) and _finite(self.landmark_likelihoods)
        )


@dataclass
class _Workspace:
    """Response maps, one buffer per window size, reused from frame to frame."""

    n_points: int
    maps: dict[int, Float32Array] = field(default_factory=dict)

    def maps_for(self, window: int) -> Float32Array:
        if window not in self.maps:
            self.maps[window] = new_maps(self.n_points, window)
        return self.maps[window]


class Fitter:
    """Fits one model; holds its state, its buffers, and a fitter for each of its parts.

    Parameters
    ----------
    model : LandmarkModel
    parameters : FitParameters
    threads : int
        Threads for the response maps. Results do not depend on it.

    Raises
    ------
    ValueError
        If `threads` is less than 1.

    References
    ----------
    Baltrusaitis, Robinson, Morency: Constrained Local Neural Fields for Robust Facial Landmark Detection in the Wild.
    ICCVW 2013.
    OpenFace 2.2, ``LandmarkDetectorModel.cpp``.
    """

    def __init__(self, model: LandmarkModel, parameters: FitParameters, threads: int = 1) -> None:
        if threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        self.model = model
        self.parameters = parameters
        self.threads = threads
        self.parts = tuple(Fitter(p.model, p.parameters, threads) for p in model.parts)
        self._workspace = _Workspace(model.pdm.n_points)
        steps = [self._mean_shift_of(k) for k in range(len(model.scales))]
        self._mean_shifts = tuple(algorithm for algorithm, _ in steps)
        self._weight_factors = tuple(factor for _, factor in steps)
        self._centres = tuple(np.ascontiguousarray(s.centres, np.float32) for s in model.scales)
        self._weights: dict[tuple[int, int], Float32Array] = {}
        self.reset()

    def __reduce__(self) -> Rebuilding:
        arguments = {"model": self.model, "parameters": self.parameters, "threads": self.threads}
        return rebuilt, (type(self), arguments, self.state())

    def reset(self) -> None:
        """Forget the face, and those of the parts."""
        self.present = FitState.at_rest(self.model.pdm.n_points, self.model.pdm.n_modes)
        for part in self.parts:
            part.reset()

    def state(self) -> State:
        """Copy what the next fit depends on, parts included, as plain arrays."""
        state = self.present.state()
        for i, part in enumerate(self.parts):
            state |= below(f"parts.{i}", part.state())
        return state

    def restore(self, state: StateLike) -> None:
        """Go on from what :meth:`state` returned.

        Raises
        ------
        KeyError, ValueError
            If an entry is missing, is not of this model, or is unknown; the fitter is left as it was.
        """
        self.adopt(read_whole(state, self.read))

    def read(self, state: StateReader) -> list[FitState]:
        """Check a state; return the fit states of this fitter and of its parts for :meth:`adopt`."""
        states = [FitState.read(state, self.model)]
        for i, part in enumerate(self.parts):
            states += part.read(state.nested(f"parts.{i}"))
        return states

    def adopt(self, states: list[FitState]) -> None:
        """Go on from what :meth:`read` returned."""
        remaining = iter(states)
        for fitter in self._all():
            fitter.present = next(remaining)

    def _all(self) -> Iterator[Fitter]:
        yield self
        for part in self.parts:
            yield from part._all()

    def start(self, box: npt.ArrayLike, rotation: npt.ArrayLike = (0.0, 0.0, 0.0)) -> None:
        """Put the mean shape into a box."""
        self.present.params_local = np.zeros(self.model.pdm.n_modes, np.float32)
        self.present.params_global = self.model.pdm.params_from_box(box, None, rotation)

    def detect(
        self,
        grey: Grey,
        windows: tuple[int, ...],
        *,
        parts: bool = True,
        validate: bool = True,
    ) -> bool:
        """Fit from the present state; sets landmarks, certainty and success, and returns success."""
        state = self.present
        before = state.params_global, state.params_local
        fitted = self.fit(grey, windows)
        state.landmarks = self.model.pdm.project_planar(state.params_global, state.params_local)
        if not state.is_finite():
            fitted = False
            self._undo(*before)
        elif parts and self.parameters.use_parts and self.parts:
            self._fit_parts(grey)
        if validate and self.parameters.validate and self.model.validator is not None and fitted:
            seen = _around_points(grey, state.landmarks, MARGIN + 2)
            state.certainty = self.model.validator.certainty(state.params_global[1:4], seen, state.landmarks)
            state.success = bool(
                np.float32(state.certainty) > np.float32(self.parameters.validation_boundary)
            )
        else:
            state.success = fitted
            state.certainty = 1.0 if fitted else 0.0
        return state.success

    def fit(self, grey: Grey, windows: tuple[int, ...]) -> bool:
        """Rigid, then full mean shift at every scale whose window is not 0; False if the face becomes too small."""
        state, scales = self.present, self.model.scales
        g, p = state.params_global.copy(), state.params_local.copy()
        state.params_global, state.params_local = g, p
        windows = (*windows, *(0,) * len(scales))
        for k in range(len(scales)):
            if windows[k] == 0:
                continue
            if not (_finite(g) and abs(g[0]) > _NO_SIZE):
                return False  # points without extent have no similarity to the reference frame
            last = k == len(scales) - 1 or windows[k + 1] == 0
            self._climb(k, self._responses(grey, k, windows[k]), last=last)
            if not g[0] >= SMALLEST_FACE_SCALE:
                return False
        return True

    def _responses(self, grey: Grey, k: int, window: int) -> Responses:
        """Look around the present shape with the patch experts of a scale."""
        state, experts = self.present, self.model.scales[k]
        seen = self.model.pdm.look(state.params_global, state.params_local, experts.scale, self._centres[k])
        view = state.view = seen.view
        maps = self._workspace.maps_for(window)
        # Farthest that an expert looks from its landmark, and what bilinear sampling takes from beside it.
        reach = (window + SUPPORT) / 2 * float(abs(seen.to_image[0, 0]) + abs(seen.to_image[0, 1])) + 2
        x0, y0, x1, y1 = seen.box
        pixels = around(grey, x0 - reach, y0 - reach, x1 + reach, y1 + reach)
        experts.responses(pixels, seen.base, seen.to_image, window, view, maps, self.threads)
        return Responses(
            maps,
            experts.visibility[view],
            self._weights_of(k, view),
            seen.base,
            seen.to_reference,
            seen.to_image,
        )

    def _weights_of(self, k: int, view: int) -> Float32Array | None:
        """Weights of the landmarks at a scale; None for equal ones."""
        factor = self._weight_factors[k]
        if factor <= 0:
            return None
        weights = self._weights.get((k, view))
        if weights is None:
            weights = self._weights[k, view] = np.float32(factor) * self.model.scales[k].confidence[view]
        return weights

    def _climb(self, k: int, responses: Responses, *, last: bool) -> None:
        """Rigid, then full mean shift, in place; the likelihoods are those of the last scale."""
        state, mean_shift = self.present, self._mean_shifts[k]
        g, p = state.params_global, state.params_local
        mean_shift(responses, g, p, rigid=True)
        if last or g[0] < LIKELIHOOD_FACE_SCALE:
            state.landmark_likelihoods = np.empty(self.model.pdm.n_points, np.float32)
            state.likelihood = mean_shift(
                responses, g, p, rigid=False, likelihoods=state.landmark_likelihoods
            )
        else:
            mean_shift(responses, g, p, rigid=False)

    def _mean_shift_of(self, k: int) -> tuple[MeanShift, float]:
        """Algorithm and weight factor of a scale. OpenFace 2.2: LandmarkDetectorModel.cpp, Fit."""
        s = self.parameters
        regularisation, sigma, weight_factor = s.regularisation, s.sigma, s.weight_factor
        if s.refine:
            q = math.log2(self.model.scales[min(k, 2)].scale / 0.25)
            regularisation = regularisation - 15.0 * q
            if regularisation <= 0:
                regularisation = 0.001
            sigma, weight_factor = sigma + 0.25 * q, weight_factor + 2.0 * weight_factor * q
        algorithm = MeanShift(
            self.model.pdm, sigma=sigma, regularisation=regularisation, iterations=s.iterations
        )
        return algorithm, weight_factor

    def _undo(self, params_global: Float32Array, params_local: Float32Array) -> None:
        """Undo a fit that overflowed: go back to its start, or to rest if that is not finite either."""
        landmarks = self.model.pdm.project_planar(params_global, params_local)
        rest = FitState.at_rest(self.model.pdm.n_points, self.model.pdm.n_modes)
        state = self.present
        state.params_global, state.params_local, state.landmarks = params_global, params_local, landmarks
        state.landmark_likelihoods, state.likelihood = rest.landmark_likelihoods, rest.likelihood
        if not state.is_finite():
            state.params_global, state.params_local = rest.params_global, rest.params_local
            state.landmarks = rest.landmarks

    def _fit_parts(self, grey: Grey) -> None:
        state, pdm = self.present, self.model.pdm
        whole = state.landmarks.reshape(2, -1)
        merged = whole.copy()
        used = False
        for part, fitter in zip(self.model.parts, self.parts, strict=True):
            n = part.model.pdm.n_points
            points = np.zeros((2, n), np.float32)
            points[:, part.part_index] = whole[:, part.whole_index]
            g, p = part.model.pdm.fit_planar(points.reshape(-1))
            if not (_finite(g) and _finite(p)):
                fitter.reset()  # its points have no extent; those of the whole face stay
                continue
            fitter.present.params_global, fitter.present.params_local = g, p
            if state.params_global[0] > PARTS_FACE_SCALE * part.model.scales[0].scale:
                fitter.detect(grey, part.parameters.windows_init)
                used = True
            else:
                fitter.present.landmarks = part.model.pdm.project_planar(g, p)
            merged[:, part.whole_index] = fitter.present.landmarks.reshape(2, -1)[:, part.part_index]
        if used:
            g, p = pdm.fit_planar(merged.reshape(-1))
            if _finite(g) and _finite(p):
                state.params_global, state.params_local = g, p
                state.landmarks = pdm.project_planar(g, p)


def _finite(values: Float32Array) -> bool:
    return math.isfinite(sum(values.tolist()))  # in double precision, where float32 cannot overflow it


def _around_points(grey: Grey, points: Float32Array, reach: float) -> npt.NDArray[np.uint8]:
    """Grey pixels that are valid around points (all x, then all y)."""
    x, y = points.reshape(2, -1)
    return around(
        grey, float(x.min()) - reach, float(y.min()) - reach, float(x.max()) + reach, float(y.max()) + reach
    )
