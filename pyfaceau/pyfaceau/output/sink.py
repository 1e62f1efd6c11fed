"""What takes results frame by frame, and files that appear whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar, runtime_checkable

from pyclnf.io import atomic_write

from .._warning import warn
from ..errors import OutputError, SideOutputWarning
from ..result import FrameResult
from ..video import BGRImage


class Sink(Protocol):
    """Takes the results of a sequence as they come.

    Examples
    --------
    Anything with these two methods is a sink:

    >>> from pyfaceau import FullPythonAUPipeline
    >>> from pyfaceau.demo import DEMO_CLIP
    >>> class Counter:
    ...     frames = 0
    ...     def write(self, result, image):
    ...         self.frames += 1
    ...     def close(self):
    ...         print(self.frames, "frames")
    >>> pipeline = FullPythonAUPipeline(models="open")
    >>> table = pipeline.process_video(DEMO_CLIP, max_frames=3, progress=False, sinks=[Counter()])
    3 frames
    """

    def write(self, result: FrameResult, image: BGRImage) -> None:
        """Take one face of one frame; frames come in order.

        Parameters
        ----------
        result : FrameResult
        image : ndarray, shape (H, W, 3), uint8
            The frame, BGR; not to be changed.
        """

    def close(self) -> None:
        """Finish the files. Closing again does nothing."""


@runtime_checkable
class FileSink(Sink, Protocol):
    """A sink of files that can also be given up."""

    def discard(self) -> None:
        """Remove unfinished files, after a failure; does nothing after `close`."""


_Guarded = TypeVar("_Guarded", bound="GuardedSink")


class GuardedSink:
    """Lets a side output fail alone: what cannot be written is a warning, and is not tried again.

    Parameters
    ----------
    sink : Sink

    Attributes
    ----------
    name : str
        Of its file, or of its kind.
    failure : str or None
        Why it was given up.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        path = getattr(sink, "path", None)
        self.name = type(sink).__name__ if path is None else Path(path).name
        self.failure: str | None = None

    @classmethod
    def around(cls: type[_Guarded], sink: Sink) -> _Guarded:
        """Guard a sink, unless it is guarded so already."""
        return sink if isinstance(sink, cls) else cls(sink)

    def write(self, result: FrameResult, image: BGRImage) -> None:
        """Take one face of one frame; does nothing after a failure."""
        if self.failure is None:
            try:
                self._sink.write(result, image)
            except (OutputError, OSError) as error:
                self._give_up(error)

    def close(self) -> None:
        """Finish the files, unless the sink was given up."""
        self._end(complete=True)

    def discard(self) -> None:
        """Remove unfinished files, or close a sink that has none."""
        self._end(complete=False)

    def _end(self, *, complete: bool) -> None:
        if self.failure is not None:
            return
        try:
            if not complete and isinstance(self._sink, FileSink):
                self._sink.discard()
            else:
                self._sink.close()
        except (OutputError, OSError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self.failure = str(error) or type(error).__name__
        warn(f"{self.failure}; the analysis goes on without this file", SideOutputWarning)
        if isinstance(self._sink, FileSink):
            with suppress(OutputError, OSError):  # it has been said that the file is not there
                self._sink.discard()


class SharedSink(GuardedSink):
    """Lends a sink to runs that are not to close it."""

    def close(self) -> None:
        """Left to the owner."""

    def discard(self) -> None:
        """Left to the owner."""

    def finish(self, *, complete: bool = True) -> None:
        """Close the sink, or discard its files."""
        self._end(complete=complete)


class AtomicFile:
    """A binary file that is written over a whole sequence and takes its name only when it is finished.

    Parameters
    ----------
    path : path-like
        Its folder is created if need be.

    Raises
    ------
    OutputError
        The folder cannot be written to.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._context = atomic_write(self.path)
        try:
            self._stream: IO[Any] | None = self._context.__enter__()
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror or error})") from error

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes.

        Raises
        ------
        OutputError
            The disk refuses them, or the file is closed.
        """
        if self._stream is None:
            raise OutputError(f"{self.path}: already finished")
        try:
            self._stream.write(data)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror or error})") from error

    def close(self) -> None:
        """Give the file its name.

        Raises
        ------
        OutputError
            The disk refuses; nothing is left then.
        """
        if self._stream is not None:
            self._stream = None
            try:
                self._context.__exit__(None, None, None)
            except OSError as error:
                raise OutputError(f"{self.path}: cannot be written ({error.strerror or error})") from error

    def discard(self) -> None:
        """Remove what was written; does nothing after `close`."""
        if self._stream is not None:
            self._stream = None
            self._context.__exit__(_DiscardedError, _DiscardedError(), None)


class _DiscardedError(Exception):
    """Tells `atomic_write` that its file is not wanted."""
