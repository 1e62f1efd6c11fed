"""Atomic file writing: a reader sees the old file or the whole new one, never a part."""

from __future__ import annotations

import os
import uuid
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
    # Not tempfile.mkstemp, whose files only their owner may read: models and results are shared in a lab.
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open(mode.replace("w", "x"), **options) as stream:
            yield stream
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
