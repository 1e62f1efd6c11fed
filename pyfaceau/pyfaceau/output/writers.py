"""Result files: CSV or Parquet, written whole or not at all, with what made them beside or inside."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pyclnf.io import atomic_write

from ..errors import OutputError
from .openface_csv import write_openface_csv

if TYPE_CHECKING:
    import pandas as pd

_SIGNIFICANT = "%.7g"  # what float32 results hold


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    with atomic_write(path, "w", encoding="utf-8", newline="") as stream:
        table.to_csv(stream, index=False, float_format=_SIGNIFICANT, lineterminator="\n")
    if table.attrs:
        with atomic_write(path.with_name(path.name + ".json"), "w", encoding="utf-8", newline="\n") as stream:
            json.dump(table.attrs, stream, indent=1, default=str)
            stream.write("\n")


def _write_parquet(table: pd.DataFrame, path: Path) -> None:
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        table.to_parquet(part, engine="pyarrow", index=False)  # attrs go into the file's metadata
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


FORMATS: dict[str, Callable[[pd.DataFrame, Path], None]] = {".csv": _write_csv, ".parquet": _write_parquet}


def check_target(path: str | os.PathLike[str]) -> None:
    """Learn before hours of work, and not after, that a result cannot be written.

    Parameters
    ----------
    path : path-like
        Where the result is to go; its folder is created.

    Raises
    ------
    OutputError
        Unknown ending, pyarrow missing, or the folder cannot be written to.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise OutputError(f"{path}: results are written as {' or '.join(FORMATS)}")
    if suffix == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise OutputError(f"{path}: Parquet needs pyarrow; run `pip install pyarrow`, or write .csv")
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


def write_table(
    table: pd.DataFrame,
    path: str | os.PathLike[str],
    style: Literal["plain", "openface", "openface-compact"] = "plain",
) -> None:
    """Write a result; what stood at `path` before is replaced only by a complete file.

    Parameters
    ----------
    table : pandas.DataFrame
        Its ``.attrs`` go into Parquet's metadata, or into ``<path>.json`` beside a CSV.
    path : path-like
        Ends in .csv or .parquet; folders are created.
    style : {"plain", "openface", "openface-compact"}
        Of a CSV: seven significant digits and nothing where there is no face, or OpenFace's own digits, zeros and
        separators. Parquet knows no digits.

    Raises
    ------
    OutputError
        The file cannot be written. The result is kept as a CSV in a temporary folder then, and the
        message says where.
    """
    path = Path(path)
    try:
        check_target(path)
        if style != "plain" and path.suffix.lower() == ".csv":
            write_openface_csv(table, path, dialect="compact" if style == "openface-compact" else "spaced")
        else:
            FORMATS[path.suffix.lower()](table, path)
    except (OSError, OutputError) as error:
        reason = (
            str(error) if isinstance(error, OutputError) else f"{path}: cannot be written ({error.strerror})"
        )
        raise OutputError(f"{reason}{_rescue(table, path)}") from error


def _rescue(table: pd.DataFrame, path: Path) -> str:
    """Save a result that its place refuses, and say where; say nothing if that fails too."""
    try:
        refuge = Path(tempfile.mkdtemp(prefix="pyfaceau-")) / f"{path.stem}.csv"
        _write_csv(table, refuge)
    except OSError:
        return ""
    return f"; the result was saved as {refuge} instead"
