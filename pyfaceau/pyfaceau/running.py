"""Runs landmarks of the next frame while the rest of this one is computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, TypeAlias

from pyclnf import FaceFit
from pyclnf.image import Picture

from .result import FrameResult
from .video import BGRImage, FrameSource, VideoFrame

Taken: TypeAlias = tuple[FrameResult, VideoFrame]


@dataclass(frozen=True)
class TrackedFrame:
    """What the landmark stage found in a frame.

    Attributes
    ----------
    faces : tuple of (int, FaceFit)
        Number and fit of each face.
    expected : collection of int or None
        Faces that may appear in later frames, these among them; None if the tracker does not say.
    """

    faces: tuple[tuple[int, FaceFit], ...]
    expected: Collection[int] | None


class Stages(Protocol):
    """The two stages of a run and its record."""

    def track(self, image: BGRImage | Picture) -> TrackedFrame:
        """Find the faces of the next frame."""

    def count(self, frame: VideoFrame) -> None:
        """Take note that a frame has been tracked."""

    def finish_face(self, frame: VideoFrame, face_id: int, fit: FaceFit) -> FrameResult:
        """Compute the result of one face."""

    def finish_frame(self, tracked: TrackedFrame) -> None:
        """Tidy up after a frame; called in the order of the frames, after its faces."""

    def record(self, result: FrameResult, frame: VideoFrame) -> None:
        """Take in a result, in order."""


class Overlap:
    """Overlaps the stages of consecutive frames.

    Landmarks are fitted in the caller's thread, everything else in one worker that takes the faces in order, so
    that its numbers are those of serial work. Results are recorded in the caller's thread, in order.

    Parameters
    ----------
    stages : Stages
    in_flight : int
        Most frames that may wait for the worker.
    """

    def __init__(self, stages: Stages, in_flight: int) -> None:
        self._stages = stages
        self._in_flight = in_flight
        self._waiting: deque[tuple[VideoFrame, list[Future[FrameResult]], Future[None]]] = deque()
        self._ready: deque[Taken] = deque()
        self._worker = ThreadPoolExecutor(1, "pyfaceau-stage")
        self._failure: BaseException | None = None

    def results(self, source: FrameSource, max_frames: int | None = None) -> Iterator[Taken]:
        """Yield the results of a sequence with their frames, in order.

        Parameters
        ----------
        source : FrameSource
        max_frames : int, optional
            Stop after so many frames.

        Yields
        ------
        result : FrameResult
            Recorded already.
        frame : VideoFrame
        """
        failure: BaseException | None = None
        try:
            for frame in source:
                self._submit(frame)
                while len(self._waiting) > self._in_flight:
                    self._take()
                while self._ready:
                    yield self._ready.popleft()
                if frame.number == max_frames:
                    break
        except GeneratorExit:
            raise
        except BaseException as error:  # what is on its way is handed over first
            failure = error
        try:
            self.drain()
        except BaseException as error:
            failure = failure or error
        while self._ready:
            yield self._ready.popleft()
        if failure is not None:
            raise failure

    def drain(self) -> None:
        """Wait for the frames that are under way and record them."""
        while self._waiting:
            self._take()

    def close(self) -> None:
        """End the worker, after the frames that are under way."""
        self._worker.shutdown()

    def __enter__(self) -> Overlap:
        """Use as a context manager to be sure that the worker ends."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _submit(self, frame: VideoFrame) -> None:
        tracked = self._stages.track(frame.picture)
        self._stages.count(frame)
        faces = [self._run(self._stages.finish_face, frame, *face) for face in tracked.faces]
        self._waiting.append((frame, faces, self._run(self._stages.finish_frame, tracked)))

    def _take(self) -> None:
        """Record the oldest frame under way. After a failure nothing more is: no later frame takes its place."""
        frame, faces, end = self._waiting[0]
        for future in faces:
            try:
                result = future.result()
                self._stages.record(result, frame)
            except BaseException:
                self._waiting.clear()
                raise
            self._ready.append((result, frame))
        self._waiting.popleft()
        end.result()

    def _run(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        def call() -> Any:
            if self._failure is not None:
                raise RuntimeError("not computed, as an earlier frame failed") from self._failure
            try:
                return function(*args)
            except BaseException as error:
                self._failure = error
                raise

        return self._worker.submit(call)
