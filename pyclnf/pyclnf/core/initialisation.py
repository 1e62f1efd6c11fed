"""Fitting a face of unknown orientation: starting poses, and which of their fits to keep."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..config import ORIENTATIONS
from ..picture import Grey
from .optimizer import FitState, Fitter

_TRIED_FULLY = 3  # candidates that early termination carries to the finer scales


@dataclass
class _Outcome:
    """A finished hypothesis: shallow copies of the states of the model and its parts."""

    state: FitState
    parts: list[FitState]


def fit_in_image(fitter: Fitter, grey: Grey, box: npt.ArrayLike, multi_view: bool) -> bool:
    """Fit a face in a box, keep the best of the starting poses, and return the reference's verdict.

    Parameters
    ----------
    fitter : Fitter
        Receives the result in its state.
    grey : ndarray, shape (rows, cols), uint8, or GreyFrame
    box : array_like, shape (4,)
        x, y, width, height in px.
    multi_view : bool
        Try all of :data:`~pyclnf.config.ORIENTATIONS`, else the frontal one.

    References
    ----------
    OpenFace 2.2, ``LandmarkDetectorFunc.cpp``, ``DetectLandmarksInImage``.
    """
    poses = ORIENTATIONS if multi_view else ORIENTATIONS[:1]
    if fitter.model.early_termination is None:
        return _best_of_all(fitter, grey, box, poses)
    return _first_convincing(fitter, grey, box, poses)


def _best_of_all(
    fitter: Fitter, grey: Grey, box: npt.ArrayLike, poses: tuple[tuple[float, float, float], ...]
) -> bool:
    best: _Outcome | None = None
    for pose in poses:
        fitter.start(box, pose)
        fitter.detect(grey, fitter.parameters.windows_init)
        if best is None or fitter.present.likelihood > best.state.likelihood:
            best = _outcome(fitter)
    assert best is not None
    _restore(fitter, best)
    return fitter.present.success


def _first_convincing(
    fitter: Fitter, grey: Grey, box: npt.ArrayLike, poses: tuple[tuple[float, float, float], ...]
) -> bool:
    early = fitter.model.early_termination
    assert early is not None
    windows = fitter.parameters.windows_init
    coarse, fine = (windows[0], *(0,) * (len(windows) - 1)), (0, *windows[1:])
    tried: list[tuple[float, np.ndarray, np.ndarray]] = []
    for pose in poses:
        fitter.start(box, pose)
        fitter.detect(grey, coarse, parts=False, validate=False)
        state, view = fitter.present, fitter.present.view
        score = state.likelihood * early.weights[view] + early.biases[view]
        if score > early.cutoffs[view]:
            return fitter.detect(grey, fine)
        tried.append((score, state.params_global, state.params_local))
    # The reference keeps every candidate's shape in one buffer that the next candidate zeroes, so that only the last
    # tried still has its own. Its numbers depend on that; see docs/decisions.md.
    zeros = np.zeros_like(fitter.present.params_local)
    last = len(tried) - 1
    order = sorted(range(len(tried)), key=lambda i: tried[i][0], reverse=True)[:_TRIED_FULLY]
    best: _Outcome | None = None
    verdict = False
    for i in order:
        fitter.present.params_global = tried[i][1]
        fitter.present.params_local = tried[i][2] if i == last else zeros
        verdict = fitter.detect(grey, fine)
        if best is None or fitter.present.likelihood > best.state.likelihood:
            best = _outcome(fitter)
    assert best is not None
    certainty = fitter.present.certainty
    _restore(fitter, best)
    fitter.present.certainty = certainty  # of the last candidate, like the verdict
    return verdict


def _outcome(fitter: Fitter) -> _Outcome:
    return _Outcome(copy(fitter.present), [copy(p.present) for p in fitter.parts])


def _restore(fitter: Fitter, outcome: _Outcome) -> None:
    fitter.present = outcome.state
    for part, state in zip(fitter.parts, outcome.parts, strict=True):
        part.present = state
