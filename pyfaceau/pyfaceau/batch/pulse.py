"""What a worker does between two frames: save, tell how far it is, and learn that it is to stop."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..video import FrameSource, VideoFrame

_LOOK_EVERY = 0.2  # seconds between looks at the file that says to go on
_TELL_EVERY = 0.5  # seconds between notes of how far the work is
_PARENT_EVERY = 0.5  # seconds between looks at the process that started this one
_WIDTH = 64  # bytes of a note, always the same, so that a full disk does not matter

_stopped_batches: set[str] = set()
_terminated = threading.Event()


class Stopped(BaseException):
    """The batch is to stop; the run has been saved."""


def stop_batch(batch: str) -> None:
    """Tell the jobs of a batch in this process to stop; for workers that share no disk with the batch."""
    _stopped_batches.add(batch)


def begin_worker(parent: int, threads: int) -> None:
    """Prepare a local worker process: Ctrl-C is the batch's business, SIGTERM means to save and stop.

    Parameters
    ----------
    parent : int
        Process id of the batch; the worker ends when that process has ended, however it did.
    threads : int
        Threads that OpenCV may use.
    """
    import cv2

    cv2.setNumThreads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: _terminated.set())
    if hasattr(os, "getppid") and os.name == "posix":
        threading.Thread(target=_leave_with, args=(parent,), name="pyfaceau-parent", daemon=True).start()


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_EVERY)
    os._exit(1)  # files are replaced whole, so nothing is torn


class Pulse:
    """Called between frames.

    Parameters
    ----------
    batch : str
    go : str, optional
        File whose removal means to stop.
    every : float
        Most seconds between two checkpoints.
    note : Path, optional
        File in which `read_note` finds how far the work is.
    sizes : dict of str to int
        Bytes of each video of the job, to tell its share.
    """

    def __init__(
        self, batch: str, go: str | None, every: float, note: Path | None, sizes: dict[str, int]
    ) -> None:
        self._batch, self._go, self._every, self._note = batch, go, every, note
        self._sizes, self._total = sizes, max(1, sum(sizes.values()))
        self._saved_at = self._told_at = time.monotonic()
        self._looked_at = float(
            "-inf"
        )  # a batch that has stopped meanwhile is noticed before the first frame
        self._stop = False
        self.analysed = 0
        self._saved = 0

    @property
    def stop(self) -> bool:
        """Whether the batch is to stop."""
        now = time.monotonic()
        if self._go is not None and now - self._looked_at >= _LOOK_EVERY:
            self._looked_at = now
            self._stop = self._stop or not os.path.exists(self._go)
        return self._stop or _terminated.is_set() or self._batch in _stopped_batches

    def check(self) -> None:
        """Raise `Stopped` if the batch is to stop."""
        if self.stop:
            raise Stopped

    def frame(self, save: Callable[[], None], done: int, share: Callable[[], float]) -> None:
        """Between two frames: save if it is time, or if the batch is to stop.

        Parameters
        ----------
        save : callable
            Writes a checkpoint.
        done : int
            Frames of the job so far.
        share : callable
            Share of the job that is done.
        """
        now, stop = time.monotonic(), self.stop
        if stop or now - self._saved_at >= self._every:
            save()
            self._saved_at, self._saved = time.monotonic(), done
        if self._note is not None and now - self._told_at >= _TELL_EVERY:
            self._told_at = now
            write_note(self._note, done, share(), self._saved)
        if stop:
            raise Stopped

    def share(self, before: list[str], path: str, part: float) -> float:
        """Share of the job's bytes that is done: some videos, and a part of another."""
        done = sum(self._sizes.get(p, 0) for p in before) + part * self._sizes.get(path, 0)
        return min(1.0, done / self._total)


def write_note(path: Path, frames: int, share: float, saved: int) -> None:
    """Write how far a job is; failures are ignored."""
    try:
        with open(path, "r+b" if path.exists() else "wb") as stream:
            stream.write(f"{frames} {share:.4f} {saved}".ljust(_WIDTH).encode())
    except OSError:
        pass


def read_note(path: Path) -> tuple[int, float, int]:
    """Return frames done, share of the job, and frames in the last checkpoint; zeros if there is no note."""
    try:
        with open(path, "rb") as stream:
            frames, share, saved = stream.read(_WIDTH).split()
        return int(frames), float(share), int(saved)
    except (OSError, ValueError):
        return 0, 0.0, 0


class PulsedSource:
    """Another source, with a call before each of its frames.

    Parameters
    ----------
    source : FrameSource
        Closed by its owner.
    before : callable
        Called with the number of frames given out so far.
    """

    name: str
    fps: float
    n_frames: int | None

    def __init__(self, source: FrameSource, before: Callable[[int], None]) -> None:
        self._source, self._before = source, before

    def __getattr__(self, name: str) -> Any:
        """Whatever else the source says about itself."""
        return getattr(self.__dict__["_source"], name)

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames."""
        given = 0
        frames = iter(self._source)
        while True:
            self._before(given)
            frame = next(frames, None)
            if frame is None:
                return
            yield frame
            given = frame.number

    def close(self) -> None:
        """Leave the source to its owner."""
