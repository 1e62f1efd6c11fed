"""Atomic file writing: a reader sees the old file or the whole new one, never a part."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:
    """Open a temporary file beside `path` and move it there when the block ends well.

    Parameters
    ----------
    path : path-like
        Destination; its folder is created if need be.
    mode : str
        "wb" or "w".
    **options
        Passed to `open` (``encoding``, ``newline``).

    Yields
    ------
    file object
        What is written to it appears at `path` only if no exception leaves the block.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, mode, **options) as stream:
            yield stream
        _give_usual_permissions(name)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _give_usual_permissions(name: str) -> None:
    """Undo mkstemp's owner-only mode, as models and results are often shared in a lab."""
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(name, 0o666 & ~umask)
