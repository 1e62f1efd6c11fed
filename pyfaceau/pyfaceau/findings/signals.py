"""Signals over time: other frame rates, smoothing, and how two people move together."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from .layout import (
    F64,
    Track,
    frame,
    has_face,
    intensities,
    intensity_columns,
    lacking,
    presence_columns,
    rate_of,
    require_time,
    seconds,
    tracks,
)

SmoothingMethod = Literal["mean", "median"]
_HEAD = ("frame", "face_id", "face", "timestamp", "success", "video")


def smooth(table: pd.DataFrame, duration: float = 0.2, method: SmoothingMethod = "mean") -> pd.DataFrame:
    """Smooth the measured columns; see `FaceTable.smooth`."""
    if method not in ("mean", "median"):
        raise ValueError(f"method is 'mean' or 'median', got {method!r}")
    if not duration > 0:
        raise ValueError(f"duration is seconds above 0, got {duration}")
    require_time(table)
    columns = _measured(table)
    seen = has_face(table)
    data = table[columns].to_numpy(np.float64, na_value=np.nan, copy=True)
    for track in tracks(table):
        window = 2 * round((duration * rate_of(table, track) - 1) / 2) + 1
        if window <= 1:
            continue
        usable = seen[track.rows]
        # A stretch ends where rows are left out and where there is no face: neighbours in time only.
        stretch = np.cumsum(track.breaks | ~usable)[usable]
        rows = track.rows[usable]
        part = pd.DataFrame(data[rows])
        rolled = part.groupby(stretch, sort=False).rolling(window, center=True, min_periods=1)
        result = rolled.mean() if method == "mean" else rolled.median()
        data[rows] = np.where(np.isnan(data[rows]), np.nan, result.to_numpy())
    return _replaced(table, columns, data)


def resample(table: pd.DataFrame, fps: float) -> pd.DataFrame:
    """Bring a table to another frame rate; see `FaceTable.resample`."""
    if not (np.isfinite(fps) and fps > 0):
        raise ValueError(f"fps is frames a second, above 0, got {fps}")
    require_time(table)
    columns = _measured(table)
    parts = []
    for track in tracks(table):
        part = table.iloc[track.rows]
        times = seconds(table)[track.rows]
        rate = rate_of(table, track)
        if fps < rate:  # else movements faster than the new rate would come out as slower ones
            part = smooth(part, 1.0 / fps)
        first, last = float(times[0]), float(times[-1])
        grid = first + np.arange(int(np.floor((last - first) * fps + 1e-6)) + 1) / fps
        at = np.searchsorted(times, grid - 1e-9)
        after = np.minimum(at, len(times) - 1)
        before = np.maximum(after - 1, 0)
        nearest = np.where(np.abs(times[before] - grid) < np.abs(times[after] - grid), before, after)
        exact = np.abs(times[nearest] - grid) < 1e-6
        share = np.clip((grid - times[before]) / np.maximum(times[after] - times[before], 1e-12), 0, 1)
        data = part[columns].to_numpy(np.float64, na_value=np.nan, copy=True)
        data[~has_face(part)] = np.nan
        new = data[before] * (1 - share[:, None]) + data[after] * share[:, None]
        new[exact] = data[nearest[exact]]
        # Nothing is made up where rows are left out.
        hole = track.breaks[after] & (after > 0) & ~exact
        new[hole] = np.nan
        out = part.iloc[nearest].copy()
        out = _replaced(out, columns, new)
        if "timestamp" in out:
            out["timestamp"] = grid
        if "frame" in out:
            out["frame"] = np.arange(1, len(grid) + 1)
        if "success" in out:
            out["success"] = np.where(hole, 0, out["success"]).astype(np.int64)
        for name in presence_columns(out).values():
            out[name] = out[name].mask(hole)
        parts.append(out)
    result = pd.concat(parts) if parts else table.copy()
    if table.index.nlevels == 1:
        result = result.reset_index(drop=True)
    options = {**table.attrs.get("options", {}), "every": 1}
    result.attrs = {**table.attrs, "fps": float(fps), "options": options, "resampled_to_fps": float(fps)}
    return result


def correlate(
    table: pd.DataFrame, other: pd.DataFrame, *, max_lag: float = 2.0, fps: float | None = None
) -> pd.DataFrame:
    """Correlate two faces; see `FaceTable.correlate`."""
    if not isinstance(other, pd.DataFrame):
        raise TypeError("other is a table, such as pyfaceau.read_table('other.csv')")
    if max_lag < 0:
        raise ValueError(f"max_lag is seconds, 0 or more, got {max_lag}")
    both = []
    for part, name in ((table, "the table"), (other, "the other table")):
        require_time(part)
        found = tracks(part)
        if len(found) != 1:
            raise ValueError(
                f"{name} has {len(found)} faces or videos; choose one of each, such as table[table['face_id'] == 0]"
            )
        both.append((part, found[0]))
    rate = fps or min(rate_of(part, track) for part, track in both)
    start = max(float(seconds(part)[track.rows[0]]) for part, track in both)
    end = min(float(seconds(part)[track.rows[-1]]) for part, track in both)
    units = [unit for unit in intensity_columns(table) if unit in intensity_columns(other)]
    if not units:
        raise lacking("aus", ["intensity that both have"])
    grid = start + np.arange(max(0, int(np.floor((end - start) * rate + 1e-6)) + 1)) / rate
    if len(grid) < 3:
        raise ValueError(
            "the two tables have less than three frames in common; do their clocks start together?"
        )
    first, second = (_on_grid(part, track, units, grid, rate) for part, track in both)
    most = min(round(max_lag * rate), len(grid) - 3)
    lags = np.arange(-most, most + 1)
    r = np.stack([_pearson(*_shifted(first, second, int(lag))) for lag in lags])
    return frame(r, pd.Index(np.round(lags / rate, 9), name="lag"), units)


def _shifted(first: F64, second: F64, lag: int) -> tuple[F64, F64]:
    """Pair each row of the one with the row of the other that comes `lag` rows later."""
    if lag >= 0:
        return first[: len(first) - lag], second[lag:]
    return first[-lag:], second[: len(second) + lag]


def _pearson(x: F64, y: F64) -> F64:
    """Pearson r of each pair of columns over the rows that both have; NaN where one does not vary."""
    both = ~(np.isnan(x) | np.isnan(y))
    n = np.maximum(both.sum(axis=0), 1)
    x, y = np.where(both, x, 0.0), np.where(both, y, 0.0)
    x, y = np.where(both, x - x.sum(axis=0) / n, 0.0), np.where(both, y - y.sum(axis=0) / n, 0.0)
    spread = np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((both.sum(axis=0) > 2) & (spread > 0), (x * y).sum(axis=0) / spread, np.nan)


def _on_grid(table: pd.DataFrame, track: Track, units: list[str], grid: F64, rate: float) -> F64:
    """Interpolate intensities at given times; NaN in gaps."""
    part = table.iloc[track.rows]
    if rate < 0.99 * rate_of(table, track):
        part = smooth(part, 1.0 / rate)
    signal = intensities(part)[units].to_numpy()
    times = seconds(part)
    after = np.clip(np.searchsorted(times, grid - 1e-9), 1, len(times) - 1)
    before = after - 1
    share = np.clip((grid - times[before]) / np.maximum(times[after] - times[before], 1e-12), 0, 1)[:, None]
    # NaN of a neighbour that has no weight must not spread.
    out = np.where(share == 0, 0, signal[after] * share) + np.where(
        share == 1, 0, signal[before] * (1 - share)
    )
    out[track.breaks[after] & (share[:, 0] > 0) & (share[:, 0] < 1)] = np.nan
    return out


def _measured(table: pd.DataFrame) -> list[str]:
    """Columns of measurements: numbers that are neither counts nor presences."""
    presences = set(presence_columns(table).values())
    return [
        str(name)
        for name, kind in table.dtypes.items()
        if pd.api.types.is_float_dtype(kind)
        and name not in _HEAD
        and name not in presences
        and name != "confidence"
    ]


def _replaced(table: pd.DataFrame, columns: list[str], data: F64) -> pd.DataFrame:
    others = table.drop(columns=columns)
    new = pd.DataFrame(data, index=table.index, columns=columns)
    out: pd.DataFrame = pd.concat([others, new], axis=1)[list(table.columns)]
    out.attrs = dict(table.attrs)
    return out


__all__ = ["SmoothingMethod", "correlate", "resample", "smooth"]
