"""NU-RLMS: fits a landmark model to an image from a starting pose, coarse to fine, then its parts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt

from ..config import (
    LIKELIHOOD_FACE_SCALE,
    LIKELIHOOD_FLOOR,
    PARTS_FACE_SCALE,
    SMALLEST_FACE_SCALE,
    FitParameters,
)
from .mean_shift import kernel_table
from .model import LandmarkModel
from .patch_experts import nearest_view, new_maps

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

    References
    ----------
    Baltrusaitis, Robinson, Morency: Constrained Local Neural Fields for Robust Facial Landmark Detection in the Wild.
    ICCVW 2013.
    OpenFace 2.2, ``LandmarkDetectorModel.cpp``.
    """

    def __init__(self, model: LandmarkModel, parameters: FitParameters, threads: int = 1) -> None:
        self.model = model
        self.parameters = parameters
        self.threads = threads
        self.parts = tuple(Fitter(p.model, p.parameters, threads) for p in model.parts)
        self._workspace = _Workspace(model.pdm.n_points)
        self.reset()

    def reset(self) -> None:
        """Forget the face, and those of the parts."""
        self.state = FitState.at_rest(self.model.pdm.n_points, self.model.pdm.n_modes)
        for part in self.parts:
            part.reset()

    def start(self, box: npt.ArrayLike, rotation: npt.ArrayLike = (0.0, 0.0, 0.0)) -> None:
        """Put the mean shape into a box."""
        self.state.params_local = np.zeros(self.model.pdm.n_modes, np.float32)
        self.state.params_global = self.model.pdm.params_from_box(box, None, rotation)

    def detect(
        self,
        grey: npt.NDArray[np.uint8],
        windows: tuple[int, ...],
        *,
        parts: bool = True,
        validate: bool = True,
    ) -> bool:
        """Fit from the present state; sets landmarks, certainty and success, and returns success."""
        state = self.state
        fitted = self.fit(grey, windows)
        state.landmarks = self.model.pdm.project_planar(state.params_global, state.params_local)
        if parts and self.parameters.use_parts and self.parts:
            self._fit_parts(grey)
        if validate and self.parameters.validate and self.model.validator is not None and fitted:
            state.certainty = self.model.validator.certainty(state.params_global[1:4], grey, state.landmarks)
            state.success = bool(
                np.float32(state.certainty) > np.float32(self.parameters.validation_boundary)
            )
        else:
            state.success = fitted
            state.certainty = 1.0 if fitted else 0.0
        return state.success

    def fit(self, grey: npt.NDArray[np.uint8], windows: tuple[int, ...]) -> bool:
        """Rigid, then full mean shift at every scale whose window is not 0. False if the face becomes too small."""
        state, pdm, settings = self.state, self.model.pdm, self.parameters
        g, p = state.params_global.copy(), state.params_local.copy()
        state.params_global, state.params_local = g, p
        scales = self.model.scales
        windows = (*windows, *(0,) * len(scales))
        for k, experts in enumerate(scales):
            window = windows[k]
            if window == 0:
                continue
            if not (np.isfinite(g).all() and abs(g[0]) > _NO_SIZE):
                return False  # points without extent have no similarity to the reference frame
            regularisation, sigma, weight_factor = self._refined(k)
            base = pdm.project_planar(g, p)
            to_reference, to_image = pdm.reference_frame(base, p, experts.scale)
            view = state.view = nearest_view(experts.centres, g[1:4])
            maps = self._workspace.maps_for(window)
            experts.responses(grey, base, to_image, window, view, maps, self.threads)

            step = partial(
                pdm.mean_shift_fit,
                responses=maps,
                visible=experts.visibility[view],
                weights=np.float32(weight_factor) * experts.confidence[view] if weight_factor > 0 else None,
                base=base,
                kernel=kernel_table(window, sigma),
                to_reference=to_reference,
                to_image=to_image,
                params_global=g,
                params_local=p,
                iterations=settings.iterations,
                regularisation=regularisation,
                sigma=sigma,
            )
            step(rigid=True)
            if k == len(scales) - 1 or windows[k + 1] == 0 or g[0] < LIKELIHOOD_FACE_SCALE:
                state.landmark_likelihoods = np.empty(pdm.n_points, np.float32)
                state.likelihood = step(rigid=False, likelihoods=state.landmark_likelihoods)
            else:
                step(rigid=False)
            if not g[0] >= SMALLEST_FACE_SCALE:
                return False
        return True

    def _refined(self, scale_index: int) -> tuple[float, float, float]:
        """Regularisation, sigma and weight factor at a scale. OpenFace 2.2: LandmarkDetectorModel.cpp, Fit."""
        s = self.parameters
        if not s.refine:
            return s.regularisation, s.sigma, s.weight_factor
        q = math.log2(self.model.scales[min(scale_index, 2)].scale / 0.25)
        regularisation = s.regularisation - 15.0 * q
        if regularisation <= 0:
            regularisation = 0.001
        return regularisation, s.sigma + 0.25 * q, s.weight_factor + 2.0 * s.weight_factor * q

    def _fit_parts(self, grey: npt.NDArray[np.uint8]) -> None:
        state, pdm = self.state, self.model.pdm
        whole = state.landmarks.reshape(2, -1)
        used = False
        for part, fitter in zip(self.model.parts, self.parts, strict=True):
            n = part.model.pdm.n_points
            points = np.zeros((2, n), np.float32)
            points[:, part.part_index] = whole[:, part.whole_index]
            g, p = part.model.pdm.fit_planar(points.reshape(-1))
            fitter.state.params_global, fitter.state.params_local = g, p
            if state.params_global[0] > PARTS_FACE_SCALE * part.model.scales[0].scale:
                fitter.detect(grey, part.parameters.windows_init)
                used = True
            else:
                fitter.state.landmarks = part.model.pdm.project_planar(g, p)
        if used:
            merged = whole.copy()
            for part, fitter in zip(self.model.parts, self.parts, strict=True):
                merged[:, part.whole_index] = fitter.state.landmarks.reshape(2, -1)[:, part.part_index]
            state.params_global, state.params_local = pdm.fit_planar(merged.reshape(-1))
            state.landmarks = pdm.project_planar(state.params_global, state.params_local)
