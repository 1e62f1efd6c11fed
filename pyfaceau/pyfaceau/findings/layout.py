"""Which columns of a table hold what, which rows have a face, and which rows follow each other in time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..action_units import AU_NAMES
from ..errors import MissingColumnsError
from ..output.columns import N_LANDMARKS, group_columns

F64 = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

_INTENSITY = re.compile(r"(AU\d\d)_r(_static)?")
_PRESENCE = re.compile(r"(AU\d\d)_c(_static)?")
_USUAL_RATE = 30.0  # frames/s, where nothing says
_REMEDY = {
    "aus": "analyse with include=(..., 'aus') or --include aus, or OpenFace's -aus",
    "pose": "analyse with include=(..., 'pose') or --include pose, or OpenFace's -pose",
    "gaze": "analyse with include=(..., 'gaze') or --include gaze, or OpenFace's -gaze",
    "landmarks": "analyse with include=(..., 'landmarks') or --include landmarks, or OpenFace's -2Dfp",
    "landmarks_3d": "analyse with include=(..., 'landmarks_3d') or --include landmarks_3d, or OpenFace's -3Dfp",
    "time": "photographs have no time; use the table of a video",
}


@dataclass(frozen=True, eq=False)
class Track:
    """One face of one recording.

    Attributes
    ----------
    key : dict of str to object
        What tells it from the others of the table: ``video`` and ``face_id``, as far as there are several.
    rows : ndarray of intp
        Positions of its rows, in the order of time.
    breaks : ndarray of bool, shape (rows,)
        Whether a row does not follow the one before: the first row, and those after rows that were left out.
    """

    key: dict[str, object]
    rows: Rows
    breaks: npt.NDArray[np.bool_]


def intensity_columns(table: pd.DataFrame) -> dict[str, str]:
    """Return the columns of intensities by unit: "AU12" (or "AU12_static") to "AU12_r" (or "AU12_r_static")."""
    return _matching(table, _INTENSITY)


def presence_columns(table: pd.DataFrame) -> dict[str, str]:
    """Return the columns of presences by unit; see `intensity_columns`."""
    return _matching(table, _PRESENCE)


def _matching(table: pd.DataFrame, pattern: re.Pattern[str]) -> dict[str, str]:
    found = {}
    for name in map(str, table.columns):
        if match := pattern.fullmatch(name):
            found[match[1] + (match[2] or "")] = name
    return found


def columns_of(table: pd.DataFrame, group: str) -> list[str]:
    """Return the names of a group of columns.

    Parameters
    ----------
    table : pandas.DataFrame
    group : {"pose", "gaze", "landmarks", "landmarks_3d"}

    Returns
    -------
    list of str

    Raises
    ------
    MissingColumnsError
        Some of them are not in the table.
    """
    names = list(group_columns(group))
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise lacking(group, missing)
    return names


def lacking(group: str, missing: list[str]) -> MissingColumnsError:
    """Say what is missing from a table and what brings it."""
    named = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    return MissingColumnsError(f"the table has no {named}: {_REMEDY[group]}")


def has_face(table: pd.DataFrame, min_confidence: float = 0.0) -> npt.NDArray[np.bool_]:
    """Which rows show a face.

    Parameters
    ----------
    table : pandas.DataFrame
    min_confidence : float
        Least confidence, 0 to 1.

    Returns
    -------
    ndarray of bool
        Rows with ``success`` 1 and enough confidence; tables of OpenFace's FaceLandmarkImg have no ``success``.
    """
    found = np.ones(len(table), np.bool_)
    if "success" in table:
        found &= numbers(table, "success") == 1
    if "confidence" in table:
        found &= numbers(table, "confidence") >= min_confidence  # False where it is NaN
    elif min_confidence > 0:
        raise MissingColumnsError("the table has no confidence to choose rows by; keep that column")
    return found


def numbers(table: pd.DataFrame, column: str) -> F64:
    """Return a column as float64, gaps as NaN."""
    return np.asarray(table[column].to_numpy(np.float64, na_value=np.nan))


def values(table: pd.DataFrame, columns: list[str]) -> F64:
    """Return columns as float64, shape (n, columns): NaN in rows without a face, whatever the file holds there."""
    part = table[columns]
    if any(isinstance(kind, pd.api.extensions.ExtensionDtype) for kind in part.dtypes):
        part = part.astype("Float64")
    out: F64 = part.to_numpy(np.float64, na_value=np.nan, copy=True)
    out[~has_face(table)] = np.nan
    return out


def intensities(table: pd.DataFrame) -> pd.DataFrame:
    """Return the intensities, one column a unit; see `FaceTable.aus`."""
    units = intensity_columns(table)
    if not units:
        raise lacking("aus", [f"{unit}_r" for unit in AU_NAMES if unit != "AU28"])
    return frame(values(table, [*units.values()]), table.index, [*units])


def chosen(table: pd.DataFrame, units: str | Sequence[str] | None) -> pd.DataFrame:
    """Return the intensities of some units.

    Parameters
    ----------
    table : pandas.DataFrame
    units : str, sequence of str, or None
        Such as "AU12" or "AU12_r"; None for all.

    Returns
    -------
    pandas.DataFrame
        One column a unit, as of `intensities`.

    Raises
    ------
    MissingColumnsError
        The table has no such intensity.
    TypeError
        Units are not named by words.
    """
    found = intensities(table)
    if units is None:
        return found
    names = [units] if isinstance(units, str) else list(units) if isinstance(units, Iterable) else [units]
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"action units are named by words such as 'AU12', got {units!r}")
    names = [name.removesuffix("_r") for name in names]
    for name in names:
        if name in found:
            continue
        if name in presence_columns(table):
            raise MissingColumnsError(
                f"{name} has no intensity, only a presence: table.face.presence[{name!r}]"
            )
        raise MissingColumnsError(f"the table has no intensity {name!r}; it has {', '.join(found.columns)}")
    part: pd.DataFrame = found[names]
    return part


def frame(data: F64, index: pd.Index, columns: list[str]) -> pd.DataFrame:
    """Make a table of numbers."""
    out: pd.DataFrame = pd.DataFrame(data, index=index, columns=columns)
    return out


def landmarks(table: pd.DataFrame) -> F64:
    """Return the landmarks, shape (n, 68, 2)."""
    flat = values(table, columns_of(table, "landmarks"))
    return np.ascontiguousarray(flat.reshape(len(table), 2, N_LANDMARKS).transpose(0, 2, 1))


def require_time(table: pd.DataFrame) -> None:
    """Raise MissingColumnsError for a table without frames, or of photographs."""
    if "frame" not in table and "timestamp" not in table:
        raise lacking("time", ["frame or timestamp"])
    if "input" in table:
        raise MissingColumnsError(f"the rows are of several pictures: {_REMEDY['time']}")


def seconds(table: pd.DataFrame) -> F64:
    """Return the time of each row in s: ``timestamp``, or ``frame`` by the frame rate where there is no clock."""
    stamps = numbers(table, "timestamp") if "timestamp" in table else np.zeros(len(table))
    if "frame" not in table or (len(stamps) and np.nanmax(np.nan_to_num(stamps)) > 0):
        return stamps
    rate = float(table.attrs.get("fps") or _USUAL_RATE)
    return (numbers(table, "frame") - 1) / (rate if np.isfinite(rate) and rate > 0 else _USUAL_RATE)


def rate_of(table: pd.DataFrame, track: Track) -> float:
    """Return the rows a second of a track: one by the median distance of its time stamps."""
    steps = np.diff(seconds(table)[track.rows])
    steps = steps[steps > 0]
    return float(1 / np.median(steps)) if len(steps) else float(table.attrs.get("fps") or _USUAL_RATE)


def track_keys(table: pd.DataFrame) -> dict[str, npt.NDArray[np.object_] | pd.Index | pd.Series]:
    """Return what tells the rows' tracks apart, by name: the video, and the face where there are several."""
    keys: dict[str, npt.NDArray[np.object_] | pd.Index | pd.Series] = {}
    if "video" in table.index.names:
        keys["video"] = table.index.get_level_values("video")
    elif "video" in table.columns:
        keys["video"] = table["video"]
    if "face_id" in table and table["face_id"].nunique() > 1:
        keys["face_id"] = table["face_id"]
    return keys


def tracks(table: pd.DataFrame) -> list[Track]:
    """Split a table into faces of recordings.

    Parameters
    ----------
    table : pandas.DataFrame

    Returns
    -------
    list of Track
        In the order of their first rows.
    """
    keys = track_keys(table)
    if not keys:
        return [_track(table, {}, np.arange(len(table)))] if len(table) else []
    codes = pd.DataFrame({name: np.asarray(key) for name, key in keys.items()})
    grouped = codes.groupby(list(keys), sort=False, dropna=False).indices
    found = []
    for key, rows in sorted(grouped.items(), key=lambda item: int(item[1][0])):
        parts = key if isinstance(key, tuple) else (key,)
        found.append(_track(table, dict(zip(keys, parts, strict=True)), np.asarray(rows, np.intp)))
    return found


def _track(table: pd.DataFrame, key: dict[str, object], rows: Rows) -> Track:
    breaks = np.zeros(len(rows), np.bool_)
    breaks[:1] = True
    clock = (numbers(table, "frame") if "frame" in table else seconds(table))[rows]
    order = np.argsort(clock, kind="stable")
    steps = np.diff(clock[order])
    usual = float(np.median(steps)) if len(steps) else 0.0
    if usual > 0:
        breaks[1:] = steps > 1.5 * usual
    return Track(key, rows[order], breaks)


def with_keys(parts: list[tuple[Track, pd.DataFrame]]) -> pd.DataFrame:
    """Put the results of several tracks below each other, with their keys as first levels of the index."""
    names = list(parts[0][0].key)
    if not names:
        return parts[0][1]
    keys = [tuple(track.key.values()) for track, _ in parts]
    whole: pd.DataFrame = pd.concat(
        [part for _, part in parts],
        keys=keys if len(names) > 1 else [key[0] for key in keys],
        names=[*names, *parts[0][1].index.names],
    )
    return whole
