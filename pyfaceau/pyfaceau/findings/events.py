"""Movements of an action unit: where they begin, culminate and end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from .layout import F64, Track, chosen, require_time, seconds, tracks

COLUMNS = ("au", "onset", "apex", "offset", "duration", "peak", "first", "last", "complete")


def find_events(
    table: pd.DataFrame,
    au: str | Sequence[str] | None = None,
    threshold: float = 1.0,
    *,
    min_duration: float = 0.0,
    max_gap: float = 0.0,
) -> pd.DataFrame:
    """Find the movements; see `FaceTable.events`."""
    require_time(table)
    if min_duration < 0 or max_gap < 0:
        raise ValueError("min_duration and max_gap are seconds, 0 or more")
    units = chosen(table, au)
    times = seconds(table)
    found: list[dict[str, object]] = []
    keys: list[str] = []
    for track in tracks(table):
        keys = list(track.key)
        for name in units.columns:
            signal = units[name].to_numpy()[track.rows]
            for event in _events(signal, times[track.rows], track, threshold, min_duration, max_gap):
                found.append({**track.key, "au": name, **event})
    out: pd.DataFrame = pd.DataFrame(found, columns=[*keys, *COLUMNS])
    if not found:
        out = out.astype(
            dict.fromkeys(COLUMNS[1:6], np.float64) | {"first": int, "last": int, "complete": bool}
        )
    return out


def starts(active: npt.NDArray[np.bool_], seen: npt.NDArray[np.bool_], track: Track) -> npt.NDArray[np.bool_]:
    """Mark rows in which a movement begins before our eyes: active, after a row with a face and no movement.

    Parameters
    ----------
    active, seen : ndarray of bool, shape (n, k)
        Of the rows of the track.
    track : Track

    Returns
    -------
    ndarray of bool, shape (n, k)
    """
    out = np.zeros_like(active)
    out[1:] = active[1:] & seen[:-1] & ~active[:-1] & ~track.breaks[1:, None]
    return out


def _events(
    signal: F64, times: F64, track: Track, threshold: float, min_duration: float, max_gap: float
) -> list[dict[str, object]]:
    active = signal >= threshold  # False for NaN
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    edges = np.diff(np.concatenate(([False], active, [False])).astype(np.int8))
    # A run that goes on behind rows that were left out is two.
    broken = track.breaks & active & np.concatenate(([False], active[:-1]))
    begins = np.sort(np.concatenate((np.flatnonzero(edges == 1), np.flatnonzero(broken))))
    ends = np.sort(np.concatenate((np.flatnonzero(edges == -1), np.flatnonzero(broken)))) - 1
    runs: list[tuple[int, int]] = []
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        if runs and _joins(signal, times, track, runs[-1][1], begin, max_gap):
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((begin, end))
    found: list[dict[str, object]] = []
    for begin, end in runs:
        duration = float(times[end] - times[begin]) + step
        if duration < min_duration - 1e-9:
            continue
        apex = begin + int(np.nanargmax(signal[begin : end + 1]))
        before = begin > 0 and not track.breaks[begin] and not np.isnan(signal[begin - 1])
        after = end + 1 < len(signal) and not track.breaks[end + 1] and not np.isnan(signal[end + 1])
        found.append(
            {
                "onset": float(times[begin]),
                "apex": float(times[apex]),
                "offset": float(times[end]),
                "duration": duration,
                "peak": float(signal[apex]),
                "first": int(track.rows[begin]),
                "last": int(track.rows[end]),
                "complete": bool(before and after),
            }
        )
    return found


def _joins(signal: F64, times: F64, track: Track, end: int, begin: int, max_gap: float) -> bool:
    between = slice(end + 1, begin)
    return bool(
        begin > end + 1
        and times[begin] - times[end] <= max_gap + 1e-9
        and not np.isnan(signal[between]).any()
        and not track.breaks[end + 1 : begin + 1].any()
    )
