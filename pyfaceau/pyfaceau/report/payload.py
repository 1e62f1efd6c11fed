"""What the page's scripts need of a table, small enough for recordings of hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..action_units import AU_NAMES, unit_of
from ..findings import layout
from ..findings.layout import Track
from ..output.columns import group_columns
from ..overlay import camera_of
from .exports import Event
from .packing import bytes_of_shares, extremes, pack, quantised

MOST_POINTS = 20_000  # of a timeline; a longer one shows the lowest and the highest of neighbours
MOST_SHAPES = 40_000  # landmarks, poses and gaze of a face; of a longer recording every n-th frame
_FULL = 5.0  # intensity
_CLOCK = 1e-4  # s
_SHAPE_ERROR = 0.35  # px; largest root mean square error of a frame's landmarks at first
_MOST_MODES = 40
_SAMPLE = 3000  # frames that modes of shape are found in
_COEFFICIENT = 1.0  # px over all coordinates together: 0.03 px each
_MILLIMETRE, _TURN, _DIRECTION = 1.0, 1e-4, 1e-4  # steps of translation, rotation (radians) and gaze


def units_of(columns: Mapping[str, str]) -> dict[str, str]:
    """Choose the models that are shown: those of the video, or where there are no others the static ones.

    Parameters
    ----------
    columns : mapping of str to str
        As of `layout.intensity_columns`.

    Returns
    -------
    dict of str to str
        Columns by unit: "AU12" to "AU12_r" or "AU12_r_static".
    """
    dynamic = {unit: name for unit, name in columns.items() if not unit.endswith("_static")}
    return dynamic or {unit_of(unit): name for unit, name in columns.items()}


def find_events(table: pd.DataFrame, threshold: float) -> list[Event]:
    """Find the events of the units that are shown."""
    shown = set(units_of(layout.intensity_columns(table)).values())
    keys = {key for key, name in layout.intensity_columns(table).items() if name in shown}
    found = table.face.events(threshold=threshold)
    return [
        Event(
            face=int(row.get("face_id", 0)),
            unit=unit_of(row["au"]),
            **{name: float(row[name]) for name in ("onset", "apex", "offset", "duration", "peak")},
            complete=bool(row["complete"]),
        )
        for row in found[found["au"].isin(keys)].to_dict("records")
    ]


def face_number(track: Track) -> int:
    """Which face of the table a track is; 0 where there is one."""
    return int(track.key.get("face_id", 0))  # type: ignore[call-overload, no-any-return]


def payload(
    table: pd.DataFrame,
    faces: Sequence[Track],
    hints: Sequence[str],
    events: Sequence[Event],
    size: tuple[int, int] | None,
) -> dict[str, Any]:
    """Collect what the scripts need.

    Parameters
    ----------
    table : pandas.DataFrame
    faces : sequence of Track
    hints : sequence of str
        Units that are hints only.
    events : sequence of Event
    size : (int, int), optional
        Width and height of the frames, px.

    Returns
    -------
    dict
        Of values that JSON knows.
    """
    intensities = units_of(layout.intensity_columns(table))
    presences = units_of(layout.presence_columns(table))
    units = sorted({*intensities, *presences})
    clock = layout.seconds(table)
    return {
        "units": [
            {
                "unit": unit,
                "name": AU_NAMES.get(unit, ""),
                "hint": unit in hints,
                "measured": unit in intensities,
            }
            for unit in units
        ],
        "faces": [_face(table, clock, each, units, intensities, presences, size) for each in faces],
        "events": _events(events, units),
        "size": list(size) if size else None,
        "camera": _camera(table, size),
        "interval": 1 / layout.rate_of(table, faces[0]) if faces else 1 / 30,
    }


def _face(
    table: pd.DataFrame,
    clock: npt.NDArray[np.float64],
    face: Track,
    units: Sequence[str],
    intensities: Mapping[str, str],
    presences: Mapping[str, str],
    size: tuple[int, int] | None,
) -> dict[str, Any]:
    rows, n = face.rows, len(face.rows)
    tracked = layout.has_face(table)[rows]
    width = max(1, -(-n // MOST_POINTS))

    def values(columns: Mapping[str, str]) -> npt.NDArray[np.float64]:
        out = np.full((n, len(units)), np.nan)
        places = [place for place, unit in enumerate(units) if unit in columns]
        out[:, places] = layout.values(table, [columns[units[place]] for place in places])[rows]
        return out

    low, high = extremes(values(intensities), width)
    _, present = extremes(values(presences), width)
    frames = table["frame"].to_numpy(np.int64)[rows] if "frame" in table else np.arange(1, n + 1)
    sure = layout.numbers(table, "confidence")[rows] if "confidence" in table else np.ones(n)
    return {
        "face": face_number(face),
        "frames": pack(frames.astype(np.uint32)),
        "clock": pack(np.rint(np.nan_to_num(clock[rows]).clip(0) / _CLOCK).astype(np.uint32)),
        "tracked": pack(tracked.astype(np.uint8)),
        "width": width,
        "low": pack(bytes_of_shares(low.T, _FULL)) if width > 1 else None,
        "high": pack(bytes_of_shares(high.T, _FULL)),
        "present": pack(bytes_of_shares(present.T, 1.0, 1)),
        "confidence": pack(bytes_of_shares(extremes(np.where(tracked, sure, 0.0), width)[0], 1.0, 100)),
        "shapes": _shapes(table, rows[tracked], np.flatnonzero(tracked), size),
    }


def _events(events: Sequence[Event], units: Sequence[str]) -> dict[str, Any]:
    """Pack the events; times as of the rows."""

    def clock(name: str) -> dict[str, Any]:
        times = np.array([getattr(event, name) for event in events])
        return pack(np.rint(times / _CLOCK).astype(np.uint32))

    return {
        "face": pack(np.array([event.face for event in events], np.uint32)),
        "unit": pack(np.array([units.index(event.unit) for event in events], np.uint8)),
        **{name: clock(name) for name in ("onset", "apex", "end")},
    }


def _shapes(
    table: pd.DataFrame,
    rows: npt.NDArray[np.intp],
    places: npt.NDArray[np.intp],
    size: tuple[int, int] | None,
) -> dict[str, Any] | None:
    """Pack landmarks, pose and gaze of the rows with a face; None if the table has none of them."""
    step = max(1, -(-len(rows) // MOST_SHAPES))
    rows, places = rows[::step], places[::step]
    groups = {name: _group(table, name, rows) for name in ("landmarks", "pose", "gaze")}
    if size is None or not len(rows) or all(each is None for each in groups.values()):
        return None
    turn = int(table.attrs.get("rotated") or 0)
    landmarks, pose, gaze = groups["landmarks"], groups["pose"], groups["gaze"]
    out: dict[str, Any] = {"places": pack(places.astype(np.uint32)), "step": step, "turned": turn}
    if landmarks is not None:
        out["landmarks"] = _modes(landmarks)
    if pose is not None:
        out["pose"] = pack(
            np.concatenate([quantised(pose[:, :3], _MILLIMETRE), quantised(pose[:, 3:], _TURN)], 1).T
        )
    if gaze is not None:
        out["gaze"] = pack(quantised(gaze[:, :6], _DIRECTION).T)
    return out


def _modes(landmarks: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Landmarks as a mean and the few directions in which they move: a tenth of the bytes.

    As many directions are kept as hold the root mean square error of the worst of 100 frames below 0.35 px.
    """
    complete = np.asarray(np.isfinite(landmarks).all(axis=1))
    mean = landmarks[complete].mean(axis=0) if complete.any() else np.zeros(landmarks.shape[1])
    moved = np.where(complete[:, None], landmarks - mean, 0.0)
    sample = moved[:: max(1, len(moved) // _SAMPLE)]
    directions = np.linalg.eigh(sample.T @ sample)[1][:, ::-1].T
    coefficients = sample @ directions.T
    left = np.sum(sample**2, axis=1)[:, None] - np.cumsum(coefficients**2, axis=1)
    worst = np.sqrt(np.percentile(left.clip(0), 99, axis=0) / landmarks.shape[1])
    enough = np.flatnonzero(worst < _SHAPE_ERROR)
    count = min(len(directions), _MOST_MODES, int(enough[0]) + 1 if len(enough) else _MOST_MODES)
    directions = directions[:count]
    # 1e-4 of a direction moves a point by less than 0.1 px even for a face that crosses a frame of 1000 px.
    kept = quantised(directions, 1e-4)
    amounts = quantised(moved @ np.linalg.pinv(kept * 1e-4), _COEFFICIENT)
    amounts[~complete] = -32768
    return {
        "modes": count,
        "mean": pack(quantised(mean, 0.25)),
        "directions": pack(kept),
        "amounts": pack(amounts.T),
    }


def _group(table: pd.DataFrame, group: str, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64] | None:
    names = list(group_columns(group))
    return layout.values(table, names)[rows] if set(names) <= set(table.columns) else None


def _camera(table: pd.DataFrame, size: tuple[int, int] | None) -> list[float] | None:
    if size is None:
        return None
    camera = camera_of({str(name): value for name, value in table.attrs.items()}, *size)
    return [camera.fx, camera.fy, camera.cx, camera.cy]
