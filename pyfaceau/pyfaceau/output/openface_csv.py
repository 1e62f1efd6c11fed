"""CSV files exactly as OpenFace 2.2 prints them, and reading them back."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, Literal

import numpy as np
import pandas as pd

from pyclnf.io import atomic_write

from ..errors import ResultFileError
from .columns import HEAD, IMAGE_HEAD

Program = Literal["FeatureExtraction", "FaceLandmarkImg", "FaceLandmarkVidMulti"]
PROGRAMS: tuple[Program, ...] = ("FeatureExtraction", "FaceLandmarkImg", "FaceLandmarkVidMulti")

Dialect = Literal["spaced", "compact"]
# Both are in use: OpenFace's Windows programs write the first, some builds for Linux the second.
DIALECTS: Mapping[Dialect, str] = MappingProxyType({"spaced": ", ", "compact": ","})
_INTEGERS = ("frame", "face_id", "face", "success")
_DOUBLES = ("timestamp",)  # the reference holds all else in single precision, and prints that
# OpenFace 2.2: RecorderCSV.cpp. Decimals of each kind of column.
_DECIMALS = (
    (r"frame|face_id|face|success", 0),
    (r"timestamp", 3),
    (r"gaze_[01]_[xyz]", 6),
    (r"gaze_angle_[xy]", 3),
    (r"eye_lmk_[xyXYZ]_\d+", 1),
    (r"pose_T[xyz]", 1),
    (r"pose_R[xyz]", 3),
    (r"[xyXYZ]_\d+", 1),
    (r"p_(scale|rx|ry|rz|tx|ty|\d+)", 3),
    (r"AU\d\d_r(_static)?", 2),
)
# These two depend on the program: only FeatureExtraction rewrites the AUs in a final pass.
_CONFIDENCE_DECIMALS = {"FeatureExtraction": 2, "FaceLandmarkImg": 3, "FaceLandmarkVidMulti": 2}
_PRESENCE_DECIMALS = {"FeatureExtraction": 2, "FaceLandmarkImg": 1, "FaceLandmarkVidMulti": 1}
_ROWS_AT_ONCE = 1024
_LARGEST_LINE = 1 << 20  # bytes
_MOST_COLUMNS = 10_000  # OpenFace has 714
_MOST_EXPANSION = 256  # bytes of text for each of the file


def write_openface_csv(
    table: pd.DataFrame,
    path: str | os.PathLike[str],
    program: Program = "FeatureExtraction",
    *,
    dialect: Dialect = "spaced",
) -> None:
    """Write a result as one of OpenFace's programs does: header, separators, digits.

    Parameters
    ----------
    table : pandas.DataFrame
        From `ResultTable`, or from `read_openface_csv`. NaN, which OpenFace does not know, is written as 0. Its
        ``.attrs`` go into ``<path>.json`` beside the CSV.
    path : path-like
        Its folder is created.
    program : {"FeatureExtraction", "FaceLandmarkImg", "FaceLandmarkVidMulti"}
        Whose format. "FaceLandmarkImg" begins rows with ``face, confidence``.
    dialect : {"spaced", "compact"}
        What separates values: ", " as OpenFace's Windows programs write, or "," as some builds for Linux do.
        `read_openface_csv` reads both.

    Raises
    ------
    ValueError
        The program or dialect is unknown, or the table has a column that OpenFace does not have, or lacks one
        that every row begins with.
    OSError
        The file cannot be written.
    """
    if program not in PROGRAMS:
        raise ValueError(f"program must be one of {', '.join(PROGRAMS)}, got {program!r}")
    if dialect not in DIALECTS:
        raise ValueError(f"dialect must be one of {', '.join(DIALECTS)}, got {dialect!r}")
    separator = DIALECTS[dialect]
    path = Path(path)
    table = _with_head_of(table, program)
    names = [str(name) for name in table.columns]
    with atomic_write(path, "w", encoding="ascii", newline="") as stream:
        stream.write(separator.join(names) + "\n")
        stream.writelines(_lines(table, names, program, separator))
    if table.attrs:
        with atomic_write(path.with_name(path.name + ".json"), "w", encoding="utf-8", newline="\n") as stream:
            json.dump(table.attrs, stream, indent=1, default=str)
            stream.write("\n")


def _with_head_of(table: pd.DataFrame, program: Program) -> pd.DataFrame:
    """Begin the rows as the program does."""
    if program == "FaceLandmarkImg" and "face" not in table:
        table = table.rename(columns={"face_id": "face"})
        table = table.drop(columns=[name for name in HEAD if name in table and name not in IMAGE_HEAD])
    head = IMAGE_HEAD if program == "FaceLandmarkImg" else HEAD
    if tuple(table.columns[: len(head)]) != head:
        raise ValueError(f"columns of {program} begin with {', '.join(head)}")
    return table


def _format_of(name: str, program: Program) -> str:
    if name == "confidence":
        return f"%.{_CONFIDENCE_DECIMALS[program]}f"
    if re.fullmatch(r"AU\d\d_c(_static)?", name):
        return f"%.{_PRESENCE_DECIMALS[program]}f"
    for pattern, decimals in _DECIMALS:
        if re.fullmatch(pattern, name):
            return "%d" if name in _INTEGERS else f"%.{decimals}f"
    raise ValueError(f"OpenFace has no column {name!r}; leave it out, or write a plain .csv")


def _lines(table: pd.DataFrame, names: list[str], program: Program, separator: str) -> Iterator[str]:
    row_format = separator.join(_format_of(name, program) for name in names) + "\n"
    single = np.array([name not in _INTEGERS and name not in _DOUBLES for name in names])
    for start in range(0, len(table), _ROWS_AT_ONCE):
        rows = table.iloc[start : start + _ROWS_AT_ONCE].to_numpy(np.float64, copy=True, na_value=np.nan)
        rows[:, single] = rows[:, single].astype(np.float32)
        rows[np.isnan(rows)] = 0.0
        for row in rows.tolist():
            yield row_format % tuple(row)


def read_openface_csv(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a CSV that OpenFace 2.x or `write_openface_csv` wrote.

    Parameters
    ----------
    path : path-like
        Of FeatureExtraction, FaceLandmarkImg or FaceLandmarkVidMulti; may be gzipped (.gz).

    Returns
    -------
    pandas.DataFrame
        Columns as in the file, without their blanks: int64 (frame, face_id, face, success) and float64, as
        in this library's own results.

    Raises
    ------
    ResultFileError
        Missing, cut short, or not OpenFace's; the message names file, line and reason.
    """
    path = Path(path)
    names = _check_rows(path)
    types = {name: np.int64 if name in _INTEGERS else np.float64 for name in names}
    try:
        with _opened(path) as stream:
            # No quotes: they would let a value go over several of the lines that have been checked.
            return pd.read_csv(
                stream, header=0, names=names, dtype=types, skipinitialspace=True, quoting=csv.QUOTE_NONE
            )
    except (OSError, EOFError, zlib.error) as error:  # changed meanwhile
        raise ResultFileError(f"{path}: cannot be read ({error})") from error
    except (ValueError, OverflowError) as error:
        raise ResultFileError(f"{path}: holds something that is not a number ({error})") from error


def _check_rows(path: Path) -> list[str]:
    """Check that every line has as many fields as the header; return the header's names."""
    try:
        # Of rows of zeros gzip makes little, but not this little.
        most = _LARGEST_LINE + _MOST_EXPANSION * path.stat().st_size
        with _opened(path) as stream:
            names = _header(path, stream.readline(_LARGEST_LINE))
            number, total = 1, 0
            while line := stream.readline(_LARGEST_LINE):
                number, total = number + 1, total + len(line)
                fields = line.count(b",") + 1
                if total > most:
                    raise ResultFileError(f"{path}: line {number}: more than a table of this size can hold")
                if fields != len(names) and line.strip():
                    raise ResultFileError(
                        f"{path}: line {number}: {fields} values under {len(names)} columns (cut short?)"
                    )
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ResultFileError(f"{path}: cannot be read ({reason})") from error
    return names


def _header(path: Path, line: bytes) -> list[str]:
    """Return the names in the first line."""
    names = [name.strip() for name in line.decode("utf-8-sig", "replace").split(",")]
    head = IMAGE_HEAD if names[0] == "face" else ("frame",)
    if tuple(names[: len(head)]) != head or "confidence" not in names:
        raise ResultFileError(f"{path}: line 1: not the header of an OpenFace CSV")
    if len(set(names)) != len(names):
        raise ResultFileError(f"{path}: line 1: a column appears twice")
    if len(names) > _MOST_COLUMNS:
        raise ResultFileError(f"{path}: line 1: more than {_MOST_COLUMNS} columns")
    return names


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]
