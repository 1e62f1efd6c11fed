"""One process at a time in a folder: a lock that the system releases when its owner ends, however it ends."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_WAIT = 0.2  # seconds between attempts

logger = logging.getLogger(__name__)


@contextmanager
def exclusive(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of a file, after waiting for whoever holds it.

    Parameters
    ----------
    path : Path
        The lock file; created together with its folder, and left behind empty.
    wait : bool
        False raises instead of waiting.

    Yields
    ------
    bool
        False where the file system has no locks: others may be at work as well then.

    Raises
    ------
    BlockingIOError
        Somebody holds the lock, and `wait` is False.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as stream:
        waited = False
        while True:
            try:
                _lock(stream)
            except (BlockingIOError, PermissionError) as error:
                if not wait:
                    raise BlockingIOError(error.errno, "held by another process") from error
                if not waited:
                    logger.warning("waiting for another installation into %s", path.parent)
                    waited = True
                time.sleep(_WAIT)
            except OSError:
                yield False
                return
            else:
                break
        try:
            yield True
        finally:
            _unlock(stream)


if sys.platform == "win32":
    import msvcrt

    def _lock(stream: IO[bytes]) -> None:
        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)

    def _unlock(stream: IO[bytes]) -> None:
        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(stream: IO[bytes]) -> None:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(stream: IO[bytes]) -> None:
        fcntl.flock(stream, fcntl.LOCK_UN)
