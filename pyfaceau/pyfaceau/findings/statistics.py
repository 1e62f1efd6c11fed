"""What a recording shows of each action unit, with confidence intervals for frames that resemble their neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .events import starts
from .layout import F64, Track, intensities, rate_of, tracks, with_keys

#: Blocks are longer than a movement: most last half a second to four seconds (Ekman, Friesen & Hager 2002).
BLOCK_SECONDS = 5.0
_LEAST_BLOCKS, _MOST_BLOCKS = 10, 200
_COLUMNS = [
    "frames", "mean", "mean_low", "mean_high", "peak", "active", "active_low", "active_high", "onsets_per_minute",
    "onsets_per_minute_low", "onsets_per_minute_high",
]  # fmt: skip
_FIGURES, _LOW, _HIGH, _PEAK = [1, 5, 8], [2, 6, 9], [3, 7, 10], 4


def summarise(
    table: pd.DataFrame,
    threshold: float = 1.0,
    *,
    level: float = 0.95,
    resamples: int = 1000,
    block: float | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Summarise the action units; see `FaceTable.summary`."""
    if not 0 < level < 1:
        raise ValueError(f"level is a share between 0 and 1, got {level}")
    if resamples < 0 or (block is not None and not block > 0):
        raise ValueError("resamples is 0 or more, block a number of seconds above 0")
    units = intensities(table)
    photographs = "input" in table or not ({"frame", "timestamp"} & set(table.columns))
    parts = []
    for track in tracks(table):
        rate = np.nan if photographs else rate_of(table, track)
        length = 1 if photographs else _block_length(len(track.rows), rate, block)
        found = _summary(units.to_numpy()[track.rows], track, threshold, rate, length, level, resamples, seed)
        found.index = pd.Index(units.columns, name="au")
        parts.append((track, found))
    if not parts:
        empty = np.full((0, units.shape[1]), np.nan)
        none = Track({}, np.arange(0), np.zeros(0, np.bool_))
        found = _summary(empty, none, threshold, np.nan, 1, level, 0, seed)
        found.index = pd.Index(units.columns, name="au")
        return found
    return with_keys(parts)


def _block_length(rows: int, rate: float, block: float | None) -> int:
    if block is not None:
        return int(np.clip(round(block * rate), 1, max(rows, 1)))
    # Of a long recording there may be fewer, longer blocks: as safe, and drawn sooner.
    return max(1, min(max(round(BLOCK_SECONDS * rate), rows // _MOST_BLOCKS), rows // _LEAST_BLOCKS))


def _summary(
    signal: F64,
    track: Track,
    threshold: float,
    rate: float,
    length: int,
    level: float,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    units = signal.shape[1]
    out = np.full((len(_COLUMNS), units), np.nan)
    draws = _draws(len(signal), length, resamples, seed) if len(signal) >= 2 * length else None
    for unit in range(units):
        values = np.ascontiguousarray(signal[:, unit])
        seen = ~np.isnan(values)
        active = values >= threshold
        began = starts(active[:, None], seen[:, None], track)[:, 0]
        # What is added up over frames; every figure is a ratio of two of these sums.
        parts = [np.where(seen, values, 0.0), active, began, seen]
        out[0, unit] = seen.sum()
        out[_FIGURES, unit] = _figures(np.array([[part.sum() for part in parts]], np.float64), rate)[0]
        if not seen.any():
            continue
        out[_PEAK, unit] = values[seen].max()
        if draws is not None and resamples:
            sums = np.stack([block_sums(part, draws, length) for part in parts], axis=1)
            drawn = _figures(sums, rate)
            drawn = drawn[sums[:, -1] > 0]  # those that drew a frame with a face
            bounds = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
            out[_LOW, unit], out[_HIGH, unit] = bounds
    table: pd.DataFrame = pd.DataFrame(out.T, columns=_COLUMNS).astype({"frames": np.int64})
    return table


def _figures(sums: F64, rate: float) -> F64:
    """Return mean, share of frames and onsets a minute, shape (m, 3), from sums (m, 4)."""
    total, active, began, seen = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([total / seen, active / seen, began / seen * (60.0 * rate)], axis=1)


def _draws(n: int, length: int, resamples: int, seed: int) -> npt.NDArray[np.intp]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, n - length + 1, (resamples, -(-n // length)), dtype=np.intp)


def block_sums(part: npt.NDArray[Any], draws: npt.NDArray[np.intp], length: int) -> F64:
    """Return sums over the frames of moving-block bootstrap samples.

    Künsch (1989), The jackknife and the bootstrap for general stationary observations, Annals of Statistics 17:
    a sample is made of stretches of the series, drawn with replacement from all stretches of that length.

    Parameters
    ----------
    part : ndarray, shape (n,)
        What is added up.
    draws : ndarray of intp, shape (resamples, stretches)
        First frame of each stretch.
    length : int
        Frames of a stretch.

    Returns
    -------
    ndarray, shape (resamples,)
    """
    # The sum of each stretch is a difference of two running sums, so that a sample costs n / length, not n.
    kind = np.float64 if part.dtype.kind == "f" else np.int64
    running = np.concatenate([np.zeros(1, kind), np.cumsum(part, dtype=kind)])
    stretches = running[length:] - running[:-length]
    return np.asarray(stretches[draws].sum(axis=1), np.float64)
