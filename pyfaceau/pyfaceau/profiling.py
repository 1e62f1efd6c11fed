"""Where the time goes: times each stage of a pipeline from outside; the stages know nothing of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pyclnf.core.optimizer import Fitter

    from .pipeline import FullPythonAUPipeline
    from .run import AnalysisRun


@dataclass(frozen=True)
class StageTime:
    """Time of one stage or kernel.

    Attributes
    ----------
    name : str
        Indented below the stage that it is part of.
    calls : int
    median : float
        Milliseconds a call.
    total : float
        Milliseconds in all.
    """

    name: str
    calls: int
    median: float
    total: float


class Profile:
    """Times the stages of a pipeline.

    Wraps methods of the pipeline's own objects, so that other pipelines and the stages' code are untouched.
    Costs about a microsecond a call.

    Parameters
    ----------
    pipeline : FullPythonAUPipeline
        Is timed from now on.
    """

    def __init__(self, pipeline: FullPythonAUPipeline) -> None:
        self._times: dict[str, list[float]] = {}
        self._lock = threading.Lock()
        self._wrap(pipeline.engine.detector, "detect", "face detection")
        self._wrap(pipeline.engine.stage, "in_sequence", "pose, gaze, action units")
        begin = pipeline.run

        def run(*args: Any, **kwargs: Any) -> AnalysisRun:
            begun = begin(*args, **kwargs)
            self._wrap_run(begun)
            return begun

        pipeline.run = run  # type: ignore[method-assign]

    def _wrap_run(self, run: AnalysisRun) -> None:
        self._wrap(run.tracker, "track", "landmarks")
        for fitter in _fitters(run):
            self._wrap_model(fitter)
        make = run.people.analyser

        def analyser(face_id: int) -> Any:
            found = make(face_id)
            if "process" not in vars(found):
                self._wrap(found, "process", "  action units")
                self._wrap(found._pdm, "fit_landmarks", "    shape parameters")
                self._wrap(found._aligner, "align", "    alignment and mask")
                self._wrap(found._descriptor, "hog", "    HOG")
                self._wrap(found._median, "update", "    medians")
                self._wrap(found._predictor, "project", "    prediction")
            return found

        run.people.analyser = analyser  # type: ignore[method-assign]

    def clear(self) -> None:
        """Forget what was measured."""
        with self._lock:
            self._times.clear()

    def stages(self) -> list[StageTime]:
        """Return the times in the order of the work."""
        with self._lock:
            return [
                StageTime(name, len(t), 1e3 * float(np.median(t)), 1e3 * float(np.sum(t)))
                for name, t in sorted(self._times.items(), key=lambda item: _ORDER.index(item[0]))
            ]

    def table(self, frames: int) -> str:
        """Lay the times out for people: milliseconds a frame, calls a frame, median a call."""
        lines = [f"{'stage':32} {'ms/frame':>9} {'calls/frame':>12} {'ms/call':>9}"]
        for s in self.stages():
            lines.append(f"{s.name:32} {s.total / frames:9.3f} {s.calls / frames:12.2f} {s.median:9.3f}")
        return "\n".join(lines)

    def _wrap_model(self, fitter: Fitter) -> None:
        for experts in fitter.model.scales:
            self._wrap(experts, "responses", "  patch responses")
        self._wrap(fitter, "_climb", "  mean shift")
        self._wrap(fitter.model.pdm, "fit_planar", "  landmarks to parameters")
        if fitter.model.validator is not None:
            self._wrap(fitter.model.validator, "certainty", "  validation")

    def _wrap(self, owner: Any, method: str, name: str) -> None:
        if method in vars(owner):  # already timed: objects may be shared
            return
        inner: Callable[..., Any] = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = perf_counter()
            try:
                return inner(*args, **kwargs)
            finally:
                elapsed = perf_counter() - start
                with self._lock:
                    self._times.setdefault(name, []).append(elapsed)

        setattr(owner, method, timed)


_ORDER = [
    "face detection",
    "landmarks",
    "  patch responses",
    "  mean shift",
    "  landmarks to parameters",
    "  validation",
    "pose, gaze, action units",
    "  action units",
    "    shape parameters",
    "    alignment and mask",
    "    HOG",
    "    medians",
    "    prediction",
]


def _fitters(run: AnalysisRun) -> Iterator[Fitter]:
    from pyclnf import FaceTracker

    if isinstance(run.tracker, FaceTracker):
        yield run.tracker._fitter
        yield from run.tracker._fitter.parts
