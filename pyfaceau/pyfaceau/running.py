"""Runs landmarks of the next frame while the rest of this one is computed; keeps what was done if something fails."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import pandas as pd

from pyclnf import FaceFit

from .errors import ProcessingError
from .output import FileSink, Sink, write_table
from .result import FrameResult
from .video import BGRImage, FrameSource, VideoFrame

Track: TypeAlias = Callable[[BGRImage], list[tuple[int, FaceFit]]]
Finish: TypeAlias = Callable[[VideoFrame, int, FaceFit], FrameResult]

logger = logging.getLogger(__name__)


def overlapped(
    source: FrameSource, track: Track, finish: Finish, in_flight: int, max_frames: int | None = None
) -> Iterator[tuple[FrameResult, BGRImage]]:
    """Yield the results of a sequence in order.

    Parameters
    ----------
    source : FrameSource
    track : callable
        Faces of an image, run here.
    finish : callable
        Result of a face, run in one worker that takes the faces in order, so that its numbers are those of serial
        work. Not called again after it has failed.
    in_flight : int
        Most faces that may wait for the worker.
    max_frames : int, optional
        Stop after so many frames.

    Yields
    ------
    result : FrameResult
    image : ndarray
        Its frame.
    """
    guarded = _until_failure(finish)
    pending: deque[tuple[Future[FrameResult], BGRImage]] = deque()
    failure: BaseException | None = None
    with ThreadPoolExecutor(1, "pyfaceau-stage") as worker:
        try:
            for frame in source:
                for face_id, fit in track(frame.image):
                    pending.append((worker.submit(guarded, frame, face_id, fit), frame.image))
                while len(pending) > in_flight:
                    future, image = pending.popleft()
                    yield future.result(), image
                if frame.number == max_frames:
                    break
        except GeneratorExit:
            raise
        except BaseException as error:  # what is on its way is handed over first
            failure = error
        while pending and not (failure and pending[0][0].exception()):
            future, image = pending.popleft()
            yield future.result(), image
    if failure is not None:
        raise failure


def _until_failure(function: Finish) -> Finish:
    """Refuse further calls after one has failed, so that no later frame takes the place of the lost one."""
    failures: list[BaseException] = []

    def call(*args: Any) -> FrameResult:
        if failures:
            raise RuntimeError("not computed, as an earlier frame failed") from failures[0]
        try:
            return function(*args)
        except BaseException as error:
            failures.append(error)
            raise

    return call


@contextmanager
def finishing(sinks: Sequence[Sink]) -> Iterator[None]:
    """Close sinks at the end; after a failure, files that would look complete are discarded instead."""
    try:
        yield
    except BaseException:
        for sink in sinks:
            if isinstance(sink, FileSink):
                sink.discard()
            else:
                sink.close()
        raise
    for sink in sinks:
        sink.close()


def fail_with_partial(
    error: BaseException, partial: pd.DataFrame, name: str, output: str | os.PathLike[str] | None
) -> NoReturn:
    """Keep what was computed before an error: beside the wanted output, and in the exception.

    Raises
    ------
    ProcessingError
        Always, unless `error` is no `Exception` (Ctrl-C), which goes on as it is.
    """
    kept = ""
    if output is not None and len(partial):
        target = Path(output)
        target = target.with_name(f"{target.stem}.partial{target.suffix}")
        write_table(partial, target)
        kept = f"; the first {len(partial)} rows are in {target}"
    if not isinstance(error, Exception):
        logger.warning("%s: interrupted%s", name, kept)
        raise error
    raise ProcessingError(f"{name}: failed after {len(partial)} rows: {error}{kept}", partial) from error
