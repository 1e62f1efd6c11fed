"""Reads the result files that this library and OpenFace write, with the record beside or inside them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import ResultFileError
from .openface_csv import read_openface_csv

_MOST_RECORD = 1 << 26  # bytes of a record


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a result file.

    Parameters
    ----------
    path : path-like
        .parquet, or .csv (also .csv.gz) of this library or of OpenFace.

    Returns
    -------
    pandas.DataFrame
        As it was written; what made it is in ``.attrs``, which is empty for OpenFace's own files.

    Raises
    ------
    ResultFileError
        Missing, damaged, or not a result.

    Examples
    --------
    >>> from pyfaceau.demo import DEMO_TRUTH
    >>> read_table(DEMO_TRUTH).shape
    (450, 12)
    """
    path = Path(path)
    if path.suffix.lower() == ".parquet":
        table = _read_parquet(path)
    else:
        table = _read_csv(path)
        table.attrs = _record_beside(path)
    if not {"frame", "timestamp", "confidence", "success", "face"} & set(table.columns):
        raise ResultFileError(f"{path}: not a result of pyfaceau or OpenFace (no frame, timestamp or confidence)")
    return table


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        table: pd.DataFrame = pd.read_parquet(path)
    except ImportError as error:
        raise ResultFileError(f"{path}: Parquet needs pyarrow; run `pip install pyarrow`") from error
    except (OSError, ValueError) as error:  # pyarrow's errors are of these kinds
        raise ResultFileError(f"{path}: cannot be read ({error})") from error
    if not isinstance(table.attrs, dict):
        table.attrs = {}
    return table


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        with open(path, "rb") as stream:
            head = stream.read(1 << 16).split(b"\n", 1)[0]
    except OSError as error:
        raise ResultFileError(f"{path}: cannot be read ({error.strerror or error})") from error
    if b", " in head:  # OpenFace's own spacing: checked line by line, as its files may be cut short
        return read_openface_csv(path)
    try:
        table: pd.DataFrame = pd.read_csv(path, skipinitialspace=True)
    except (OSError, ValueError) as error:
        raise ResultFileError(f"{path}: cannot be read ({error})") from error
    # Presences with gaps are integers, as in the table that was written.
    for name in table.columns:
        if str(name).startswith("AU") and "_c" in str(name) and table[name].hasnans:
            table[name] = table[name].astype("Int64")
    return table


def _record_beside(path: Path) -> dict[str, Any]:
    record = path.with_name(path.name + ".json")
    if not record.is_file():
        return {}
    try:
        if record.stat().st_size > _MOST_RECORD:
            raise ValueError("it is too large")
        found = json.loads(record.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it is not an object")
    except (OSError, ValueError) as error:
        raise ResultFileError(f"{record}: the record of {path.name} cannot be read ({error})") from error
    return found
