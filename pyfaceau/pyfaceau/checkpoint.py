"""Saved runs: one file of plain arrays and a header in JSON. Nothing in it is ever unpickled."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from pyclnf.io import atomic_write

from .errors import CheckpointError
from .state import State, as_text, from_text

_FORMAT = 1
_HEADER = "header"


def write_checkpoint(path: str | os.PathLike[str], header: Mapping[str, Any], arrays: State) -> None:
    """Write a saved run; what stood at `path` before is replaced only by a complete file.

    Parameters
    ----------
    path : path-like
    header : mapping
        Values that JSON knows.
    arrays : dict of str to ndarray
        Without objects.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    text = json.dumps({"format": _FORMAT, **header}, allow_nan=True)
    with (
        atomic_write(Path(path), "wb") as stream,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name, array in {_HEADER: as_text(text), **arrays}.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                npy.write_array(entry, np.asarray(array, order="C"), allow_pickle=False)


def read_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, Any], State]:
    """Read what `write_checkpoint` wrote.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    header : dict
    arrays : dict of str to ndarray

    Raises
    ------
    CheckpointError
        The file is missing, damaged, from another version, or no saved run. No more memory is taken than the
        file has bytes.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            arrays = {name.removesuffix(".npy"): _read_array(archive, name) for name in names}
        header = json.loads(from_text(arrays.pop(_HEADER)))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        raise CheckpointError(f"{path}: not a saved run, or damaged ({error})") from error
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise CheckpointError(f"{path}: saved by another version of pyfaceau; analyse the video anew")
    return header, arrays


def _read_array(archive: zipfile.ZipFile, name: str) -> Any:
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise ValueError(f"{name} is compressed")
    stream = io.BytesIO(archive.read(info))
    version = npy.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f"{name} has version {version}")
    shape, fortran, dtype = npy.read_array_header_1_0(stream)
    data = stream.getbuffer()[stream.tell() :]
    if dtype.hasobject or fortran or any(n < 0 for n in shape):
        raise ValueError(f"{name} is not a plain array")
    count = 1
    for n in shape:
        count *= n  # Python integers: no overflow
    if count * dtype.itemsize != len(data):
        raise ValueError(f"{name} holds {len(data)} bytes, its header says {count * dtype.itemsize}")
    return np.frombuffer(data, dtype).reshape(shape).copy()
