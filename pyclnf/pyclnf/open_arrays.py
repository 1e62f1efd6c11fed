"""Files of the open pack that stand beside a model's main file: archives of named arrays."""

from __future__ import annotations

import functools
import io
import math
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

EYES_FILE: Final = "eyes_open.npz"
HEAD_FILE: Final = "head_open.npz"
_Loaded = TypeVar("_Loaded")
_LARGEST_ARRAY = 4 << 20  # bytes of one array


def beside(main_file: Path, name: str) -> Path | None:
    """File of that name beside a model's main file; None where there is none."""
    path = main_file.with_name(name)
    return path if path.is_file() else None


def open_files(main_file: Path) -> list[Path]:
    """List the open pack's own files beside a model's main file."""
    found = (beside(main_file, name) for name in (EYES_FILE, HEAD_FILE))
    return [path for path in found if path is not None]


@functools.lru_cache(maxsize=8)
def _loaded(load: Callable[[Path], Any], path: Path, changed: int, size: int) -> Any:
    return load(path)


def load_beside(main_file: Path, name: str, load: Callable[[Path], _Loaded]) -> _Loaded | None:
    """Load a file beside a model's main file, once for as long as it stays the same; None where there is none."""
    path = beside(main_file, name)
    if path is None:
        return None
    state = path.stat()
    found: _Loaded = _loaded(load, path, state.st_mtime_ns, state.st_size)
    return found


def read_arrays(path: str | os.PathLike[str], names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """Read those of the named arrays that an archive has; all of floating point.

    Raises
    ------
    ValueError, OSError, zipfile.BadZipFile
        If it is not an archive, or an array is too large, cut off or of another kind.
    """
    with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
        # sizes before anything is allocated
        if any(entry.file_size > _LARGEST_ARRAY for entry in archive.infolist()):
            raise ValueError("an array is too large")
        there = {entry.filename for entry in archive.infolist()}
        return {name: _array(archive.read(f"{name}.npy")) for name in names if f"{name}.npy" in there}


def _array(content: bytes) -> npt.NDArray[Any]:
    """Array of floating point in the bytes of a .npy file; its size is checked against them first."""
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array is in an unknown form")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind != "f" or fortran:
        raise ValueError("an array is not of floating point by rows")
    rest = content[stream.tell() :]
    if math.prod(shape) * dtype.itemsize != len(rest):
        raise ValueError("an array is cut off")
    return np.frombuffer(rest, dtype).reshape(shape)
