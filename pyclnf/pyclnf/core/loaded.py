"""Landmark models that this process has loaded: a pickled model is its path, and is loaded once per process."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from ..errors import MissingModelError, ModelFileError

if TYPE_CHECKING:
    from .model import LandmarkModel

Stamps = tuple[tuple[str, int, int], ...]

_KEPT = 2  # unpickled models that stay in memory from one task of a worker to the next

_lock = threading.RLock()
_known: WeakValueDictionary[Path, LandmarkModel] = WeakValueDictionary()
_kept: OrderedDict[Path, LandmarkModel] = OrderedDict()


def stamps_of(files: Iterable[Path]) -> Stamps:
    """Path, bytes and time of the last change (ns) of each file."""
    out = []
    for file in files:
        try:
            status = os.stat(file)
        except FileNotFoundError:
            raise MissingModelError([file]) from None
        out.append((str(file), status.st_size, status.st_mtime_ns))
    return tuple(out)


def sizes_of(stamps: Stamps) -> tuple[int, ...]:
    """Bytes of each file."""
    return tuple(size for _, size, _ in stamps)


def remember(model: LandmarkModel) -> None:
    """Use this model, while it lives, for every later unpickling from the same unchanged files."""
    with _lock:
        _known[model.path.resolve()] = model


def unpickled(path: Path, sizes: tuple[int, ...]) -> LandmarkModel:
    """Return the model of a main file: the one in memory if its files have not changed since, else a new one.

    Parameters
    ----------
    path : Path
        Absolute path of the main file.
    sizes : tuple of int
        Bytes of each of the model's files when it was loaded.

    Raises
    ------
    pyclnf.errors.MissingModelError
        If a file is not on this machine.
    pyclnf.errors.ModelFileError
        If a file is malformed, or the files are not those of the pickled model.
    """
    from .model import LandmarkModel

    with _lock:  # also while a model is loaded: other threads wait for it instead of loading it too
        model = _known.get(path)
        if model is None or stamps_of(model.files) != model.stamps:
            _kept.pop(path, None)
            model = LandmarkModel.load(path)
        if model.stamps is None or sizes_of(model.stamps) != sizes:
            raise ModelFileError(path, None, "its files are not those of the model that was pickled")
        _kept[path] = model
        _kept.move_to_end(path)
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)
        return model


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()  # a thread that does not exist in this process may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
