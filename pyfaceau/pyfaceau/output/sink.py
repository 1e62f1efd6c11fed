"""What takes results frame by frame, and files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any, Protocol, runtime_checkable

from pyclnf.io import atomic_write

from ..errors import OutputError
from ..result import FrameResult
from ..video import BGRImage


class Sink(Protocol):
    """Takes the results of a sequence as they come."""

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
