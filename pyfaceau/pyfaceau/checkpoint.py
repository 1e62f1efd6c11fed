"""Saved runs: one file of plain arrays and a header in JSON. Nothing in it is ever unpickled."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from pyclnf.io import atomic_write, read_archive

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
        arrays = read_archive(path)
        text = arrays.pop(_HEADER)
        if text.dtype != np.uint8 or text.ndim != 1:
            raise ValueError("its header is no text")
        header = json.loads(from_text(text))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    # RecursionError: of lists in lists, which no saved run has.
    except (OSError, KeyError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not a saved run, or damaged ({error})") from error
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise CheckpointError(f"{path}: saved by another version of pyfaceau; analyse the video anew")
    return header, arrays
