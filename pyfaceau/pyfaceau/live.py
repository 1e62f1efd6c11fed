"""Frames as they happen: cameras, whose frames are dropped rather than queued while the pipeline is busy."""

from __future__ import annotations

import itertools
import logging
import math
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
import numpy.typing as npt

from .errors import VideoError
from .video import DEFAULT_FPS, BGRImage, ImageFolder, VideoFile, VideoFrame, as_bgr

_WAKE_UP = 0.5  # s between looks at whether to go on waiting; lets Ctrl-C through everywhere
_PATIENCE = 5.0  # s that closing waits for a camera that has stopped delivering

logger = logging.getLogger(__name__)

Frame = npt.NDArray[np.generic]


@runtime_checkable
class Capture(Protocol):
    """The part of ``cv2.VideoCapture`` that is used."""

    def read(self) -> tuple[bool, Frame | None]:
        """Wait for the next frame; False when there are no more."""
        ...

    def release(self) -> None:
        """Let go of the device."""
        ...


class LiveSource:
    """Takes frames from a camera in a thread of its own and hands out the newest.

    While the consumer is busy, a frame that it did not fetch is replaced by the next. So a frame is never
    older than one frame period when work on it begins, however slow the work is, and at most one frame is held.

    Parameters
    ----------
    capture : Capture or iterable of ndarray
        A ``cv2.VideoCapture``, anything with its ``read`` and ``release``, or an iterable of images as
        :func:`~pyfaceau.video.as_bgr` takes them that waits for each, such as a generator around another
        camera library. Put one that does not wait into :class:`PacedFrames`.
    fps : float, optional
        Frames per second; what the capture says by default, else 30. For the record only: time stamps are
        measured.
    name : str
        For messages and results.
    clock : callable
        Seconds, from any start, never going back.

    Attributes
    ----------
    n_frames : None
        A camera does not say how many frames will come.

    Examples
    --------
    >>> with LiveSource(cv2.VideoCapture(0)) as source:          # doctest: +SKIP
    ...     for result in FullPythonAUPipeline().stream(source):
    ...         print(result.au_intensities["AU12"])
    """

    owns_images = True

    def __init__(
        self,
        capture: Capture | Iterable[Frame],
        fps: float | None = None,
        name: str = "camera",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capture: Capture = capture if isinstance(capture, Capture) else _Iterated(capture)
        self.fps = _known_rate(self._capture) if fps is None else _checked_rate(fps)
        self.name = name
        self.n_frames: int | None = None
        self._newest = _Newest(clock)
        self._thread = threading.Thread(
            target=_take_frames, args=(self._capture, self._newest, name), name="pyfaceau-live"
        )
        weakref.finalize(self, self._newest.stop)  # for those who forget to close

    @property
    def captured(self) -> int:
        """Frames that the camera has delivered so far, which is the number of the newest."""
        return self._newest.captured

    @property
    def dropped(self) -> int:
        """Frames that were replaced by the next one before they were fetched."""
        return self._newest.dropped

    @property
    def now(self) -> float:
        """Seconds since the first frame, on the clock of the time stamps; 0 before."""
        return self._newest.now

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the newest frame, and wait for a newer one if it has been fetched already.

        Numbers count what the camera delivered, so they have gaps where frames were dropped. Time stamps say
        when a frame arrived.

        Raises
        ------
        VideoError
            The camera delivers no frame at all.
        Exception
            What the capture raised, after the frames before it.
        """
        if self._thread.ident is None and not self._newest.stopped:
            self._thread.start()
        while (frame := self._newest.take()) is not None:
            yield frame

    def close(self) -> None:
        """Stop the thread and release the camera; iteration ends."""
        self._newest.stop()
        if self._thread.ident is None:
            self._capture.release()
        elif self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE)
            if self._thread.is_alive():
                logger.warning("%s: does not answer, so it is released only when it does", self.name)

    def __enter__(self) -> LiveSource:
        """Use as a context manager to be sure that the camera is released."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


class _Newest:
    """Where the thread leaves the newest frame for the consumer."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._start: float | None = None
        self._frame: VideoFrame | None = None
        self._error: BaseException | None = None
        self.captured = 0
        self.dropped = 0
        self.stopped = False

    @property
    def now(self) -> float:
        return 0.0 if self._start is None else self._clock() - self._start

    def put(self, image: BGRImage) -> None:
        with self._changed:
            if self._start is None:
                self._start = self._clock()
            self.captured += 1
            self.dropped += self._frame is not None
            self._frame = VideoFrame(self.captured, self.now, image)
            self._changed.notify_all()

    def take(self) -> VideoFrame | None:
        """Fetch the newest frame; None at the end. An error of the thread is raised after the frames."""
        with self._changed:
            while self._frame is None and not self.stopped:
                self._changed.wait(_WAKE_UP)
            frame, self._frame = self._frame, None
            if frame is None and self._error is not None:
                error, self._error = self._error, None
                raise error
            return frame

    def finish(self, error: BaseException | None) -> None:
        """No more frames will come; the last one can still be fetched."""
        with self._changed:
            self._error = error
            self.stopped = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Nobody wants frames any more."""
        with self._changed:
            self._frame = self._error = None
            self.stopped = True
            self._changed.notify_all()


def _take_frames(capture: Capture, newest: _Newest, name: str) -> None:
    """Body of the thread; knows nothing of the `LiveSource`, which may be forgotten meanwhile."""
    end: BaseException | None = None
    try:
        while not newest.stopped and threading.main_thread().is_alive():
            read, image = capture.read()
            if newest.stopped or not read or image is None:
                break
            newest.put(as_bgr(image).copy())  # some cameras write every frame into the same memory
        if newest.captured == 0:
            end = VideoError(f"{name}: delivers no frames (is it in use by another program?)")
    except BaseException as error:  # handed over to the consumer's thread, whatever it is
        end = error
    finally:
        if not newest.stopped:
            newest.finish(end)
        capture.release()


class _Iterated:
    """An iterable of images as a capture."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = iter(frames)

    def read(self) -> tuple[bool, Frame | None]:
        image = next(self._frames, None)
        return image is not None, image

    def release(self) -> None:
        self._frames = iter(())


class PacedFrames:
    """A camera without a camera: frames that exist already, delivered on a clock.

    Like a camera it does not wait for its reader: a frame that is not read before the next one is due is gone.

    Parameters
    ----------
    frames : iterable of ndarray
        Images as :func:`~pyfaceau.video.as_bgr` takes them.
    fps : float
        Frames per second.
    clock : callable
        Seconds, never going back.
    sleep : callable
        Waits for so many seconds of `clock`.
    """

    def __init__(
        self,
        frames: Iterable[Frame],
        fps: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.fps = _checked_rate(fps)
        self._frames = iter(frames)
        self._clock, self._sleep = clock, sleep
        self._start: float | None = None
        self._next = 0

    def read(self) -> tuple[bool, Frame | None]:
        """Wait until a frame is due; the first is due at once."""
        now = self._clock()
        if self._start is None:
            self._start = now
        late = math.floor((now - self._start) * self.fps) - self._next
        if late > 0:
            next(itertools.islice(self._frames, late - 1, late), None)  # passes over the missed ones
            self._next += late
        else:
            wait = self._start + self._next / self.fps - now
            if wait > 0:
                self._sleep(wait)
        self._next += 1
        image = next(self._frames, None)
        return image is not None, image

    def get(self, prop: int) -> float:
        """Frames per second for ``cv2.CAP_PROP_FPS``, else 0, as ``cv2.VideoCapture``."""
        return self.fps if prop == cv2.CAP_PROP_FPS else 0.0

    def release(self) -> None:
        """Deliver no more."""
        self._frames = iter(())


def open_camera(index: int = 0) -> LiveSource:
    """Open a camera of this computer.

    Parameters
    ----------
    index : int
        As the system counts them, from 0.

    Raises
    ------
    VideoError
        There is no such camera, or it may not be used.

    Examples
    --------
    >>> from pyfaceau import VideoError, open_camera
    >>> try:
    ...     open_camera(99)
    ... except VideoError as error:
    ...     print(error)
    camera 99: cannot be opened (is it connected, not in use, and allowed for this program?)
    """
    capture = cv2.VideoCapture(index)
    if not capture.isOpened():
        capture.release()
        raise VideoError(
            f"camera {index}: cannot be opened (is it connected, not in use, and allowed for this program?)"
        )
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # where the driver queues frames, the oldest would come first
    return LiveSource(capture, name=f"camera {index}")


def open_as_camera(path: str | os.PathLike[str]) -> LiveSource:
    """Play a video file, or a folder of images, at its frame rate as if it were a camera.

    Parameters
    ----------
    path : path-like
        Video file or folder.

    Raises
    ------
    VideoError
        Missing, not decodable, or without frames.
    """
    source = ImageFolder(path) if Path(path).is_dir() else VideoFile(path)
    return LiveSource(PacedFrames((frame.image for frame in source), source.fps), name=source.name)


def _checked_rate(fps: float) -> float:
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps must be positive, got {fps}")
    return float(fps)


def _known_rate(capture: Capture) -> float:
    get = getattr(capture, "get", None)
    rate = float(get(cv2.CAP_PROP_FPS)) if callable(get) else 0.0
    return rate if math.isfinite(rate) and rate > 0 else DEFAULT_FPS
