"""What a recording shows of each action unit, with confidence intervals for frames that resemble their neighbours."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .events import starts
from .layout import F64, Track, intensities, rate_of, tracks, with_keys

#: Blocks are longer than a movement: most last half a second to four seconds (Ekman, Friesen & Hager 2002).
BLOCK_SECONDS = 5.0
_LEAST_BLOCKS = 10
_ROWS_AT_ONCE = 1 << 16


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
    return max(1, min(round(BLOCK_SECONDS * rate), rows // _LEAST_BLOCKS))


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
    seen = ~np.isnan(signal)
    active = signal >= threshold
    began = starts(active, seen, track)
    # What is added up over frames; every figure below is a ratio of two of these sums.
    parts = np.concatenate([np.where(seen, signal, 0.0), active, began, seen], axis=1)
    figures = _figures(parts.sum(axis=0)[None], rate)[0]
    drawn = _figures(block_sums(parts, length, resamples, seed), rate)
    low, high = (1 - level) / 2, (1 + level) / 2
    peaks = np.where(
        seen.any(axis=0), np.max(np.where(seen, signal, -np.inf), axis=0, initial=-np.inf), np.nan
    )
    out: dict[str, F64] = {"frames": seen.sum(axis=0), "mean": figures[0]}
    names = ("mean", "active", "onsets_per_minute")
    bounds = np.full((2, 3, signal.shape[1]), np.nan)
    enough = len(signal) // max(length, 1) >= 2 and len(drawn) > 0
    if enough:
        bounds = np.nanquantile(drawn, [low, high], axis=0) if seen.any() else bounds
    for number, name in enumerate(names):
        out[name] = figures[number]
        out[f"{name}_low"], out[f"{name}_high"] = bounds[0, number], bounds[1, number]
        if name == "mean":
            out["peak"] = peaks
    table: pd.DataFrame = pd.DataFrame(out)
    return table


def _figures(sums: F64, rate: float) -> F64:
    """Return mean, share of frames and onsets a minute, shape (m, 3, units), from sums (m, 4 * units)."""
    total, active, began, seen = np.split(sums, 4, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([total / seen, active / seen, began / seen * (60.0 * rate)], axis=1)


def block_sums(parts: F64, length: int, resamples: int, seed: int) -> F64:
    """Return sums over the frames of moving-block bootstrap samples.

    Künsch (1989), The jackknife and the bootstrap for general stationary observations, Annals of Statistics 17:
    a sample is made of stretches of the series, drawn with replacement from all stretches of that length.

    Parameters
    ----------
    parts : ndarray, shape (n, k)
        What is added up.
    length : int
        Frames of a stretch.
    resamples : int
    seed : int

    Returns
    -------
    ndarray, shape (resamples, k)
        Each the sum over at least n frames: whole stretches.
    """
    n, k = parts.shape
    if n == 0 or resamples == 0:
        return np.empty((0, k))
    # The sum of each stretch is a difference of two running sums, so that a sample costs n / length, not n.
    running = np.concatenate([np.zeros((1, k)), np.cumsum(parts, axis=0)])
    stretches = running[length:] - running[:-length]
    count = -(-n // length)
    rng = np.random.default_rng(seed)
    out = np.empty((resamples, k))
    chunk = max(1, _ROWS_AT_ONCE // count)
    for begin in range(0, resamples, chunk):
        drawn = rng.integers(0, len(stretches), (min(chunk, resamples - begin), count))
        out[begin : begin + len(drawn)] = stretches[drawn].sum(axis=1)
    return out
