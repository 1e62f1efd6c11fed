"""A recording over time: action units, head pose, gaze, quality."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..action_units import spoken, unit_of
from ..findings import layout
from ..findings.recording import LOW_CONFIDENCE, POSE_LIMITS
from .axes import COLOURS, F64, HINT, axes_for, broken, one_track, plain, thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FULL = 5.0
_COLUMNS = 2000  # of a heat map; a screen has no more
_ROW = 0.86  # height of a row for an intensity of 5


def plot_aus(table: pd.DataFrame, units: Sequence[str] | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw the intensities over time, a row for each action unit.

    Parameters
    ----------
    table : pandas.DataFrame
        Of one face.
    units : sequence of str, optional
        Such as ``("AU06", "AU12")``; all by default.
    ax : Axes, optional

    Returns
    -------
    Axes
        Each row's height stands for 0 to 5. Units that are hints only are grey.

    Raises
    ------
    MissingColumnsError
        An intensity is not in the table.
    ValueError
        The table holds several faces.

    Examples
    --------
    >>> from pyfaceau import plots, read_table
    >>> plots.plot_aus(read_table("video.csv"), ["AU06", "AU12"])  # doctest: +SKIP
    """
    track = one_track(table)
    found = layout.chosen(table, units)
    ax = axes_for(ax, (9, 0.45 * found.shape[1] + 1))
    times = layout.seconds(table)[track.rows]
    hints = table.attrs.get("hints", ())
    names = list(found.columns)
    for row, name in enumerate(reversed(names)):
        values = found[name].to_numpy()[track.rows]
        x, y = thinned(*broken(times, values, track.breaks))
        colour = HINT if unit_of(name) in hints else COLOURS[0]
        ax.axhline(row, color="#dddddd", lw=0.6, zorder=0)
        ax.fill_between(x, row, row + y * (_ROW / _FULL), color=colour, alpha=0.25, lw=0)
        ax.plot(x, row + y * (_ROW / _FULL), color=colour, lw=0.9)
    labels = [spoken(name) + (" (hint)" if unit_of(name) in hints else "") for name in reversed(names)]
    ax.set_yticks(range(len(names)), labels)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.15, len(names))
    _time_axis(ax, times)
    return ax


def plot_heatmap(table: pd.DataFrame, units: Sequence[str] | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw the intensities over time as colours, a row for each action unit.

    Parameters
    ----------
    table : pandas.DataFrame
        Of one face.
    units : sequence of str, optional
        All by default.
    ax : Axes, optional

    Returns
    -------
    Axes
        Where several frames share a column of the picture, it shows the strongest. Frames without a face are grey.

    Examples
    --------
    >>> from pyfaceau import plots, read_table
    >>> plots.plot_heatmap(read_table("video.csv"))  # doctest: +SKIP
    """
    track = one_track(table)
    found = layout.chosen(table, units)
    ax = axes_for(ax, (9, 0.26 * found.shape[1] + 1.2))
    times = layout.seconds(table)[track.rows]
    bins = int(min(_COLUMNS, max(len(times), 1)))
    first, last = float(times[0]), float(times[-1])
    place = np.minimum(((times - first) / max(last - first, 1e-9) * bins).astype(np.intp), bins - 1)
    picture = np.full((found.shape[1], bins), np.nan)
    for row, name in enumerate(found.columns):
        values = found[name].to_numpy()[track.rows]
        known = ~np.isnan(values)
        strongest = np.full(bins, -np.inf)
        np.maximum.at(strongest, place[known], values[known])
        picture[row] = np.where(np.isfinite(strongest), strongest, np.nan)
    shown = ax.imshow(
        picture,
        aspect="auto",
        interpolation="nearest",
        cmap="magma_r",
        vmin=0,
        vmax=_FULL,
        extent=(first, max(last, first + 1e-3), found.shape[1] - 0.5, -0.5),
    )
    ax.set_facecolor("#d0d0d0")
    ax.set_yticks(range(found.shape[1]), [spoken(name) for name in found.columns])
    ax.set_xlabel("seconds")
    ax.figure.colorbar(shown, ax=ax, label="intensity", fraction=0.03, pad=0.01)
    return ax


def plot_pose(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw pitch, yaw and roll of the head over time, in degrees.

    Parameters
    ----------
    table : pandas.DataFrame
        Of one face.
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> from pyfaceau import plots, read_table
    >>> plots.plot_pose(read_table("video.csv"))  # doctest: +SKIP
    """
    track = one_track(table)
    columns = layout.columns_of(table, "pose")[3:]
    found = np.degrees(layout.values(table, columns)[track.rows])
    ax = axes_for(ax, (9, 2.6))
    times = layout.seconds(table)[track.rows]
    for n, name in enumerate(("pitch", "yaw", "roll")):
        ax.plot(*thinned(*broken(times, found[:, n], track.breaks)), color=COLOURS[n], lw=1, label=name)
    ax.axhline(0, color="#bbbbbb", lw=0.6, zorder=0)
    ax.set_ylabel("degrees")
    ax.legend(loc="upper right", ncols=3, frameon=False, fontsize="small")
    _time_axis(ax, times)
    return ax


def plot_gaze(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw where the eyes look, as a density over the two angles of gaze.

    Parameters
    ----------
    table : pandas.DataFrame
        Of one or several faces.
    ax : Axes, optional

    Returns
    -------
    Axes
        As the camera sees it: right is to the right of the picture, (0, 0) is into the camera. Each cell is a square of
        2 degrees.

    Examples
    --------
    >>> from pyfaceau import plots, read_table
    >>> plots.plot_gaze(read_table("video.csv"))  # doctest: +SKIP
    """
    layout.columns_of(table, "gaze")
    angles = np.degrees(layout.values(table, ["gaze_angle_x", "gaze_angle_y"]))
    angles = angles[np.isfinite(angles).all(axis=1)]
    ax = axes_for(ax, (4.6, 4))
    reach = 2 * np.ceil(max(20.0, float(np.quantile(np.abs(angles), 0.995)) if len(angles) else 0.0) / 2)
    edges = np.arange(-reach, reach + 1, 2.0)
    density, _, _ = np.histogram2d(angles[:, 1], angles[:, 0], bins=(edges, edges))
    share = 100 * density / max(len(angles), 1)
    shown = ax.pcolormesh(edges, edges, np.where(share > 0, share, np.nan), cmap="magma_r", vmin=0)
    ax.axhline(0, color="#bbbbbb", lw=0.6)
    ax.axvline(0, color="#bbbbbb", lw=0.6)
    ax.set_aspect("equal")
    ax.invert_yaxis()
    ax.set_xlabel("gaze, to the right of the picture (degrees)")
    ax.set_ylabel("gaze, downwards (degrees)")
    ax.figure.colorbar(shown, ax=ax, label="% of the frames", fraction=0.045)
    plain(ax)
    return ax


def plot_quality(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the confidence over time, and below it when the face is lost, turned too far, or uncertain.

    Parameters
    ----------
    table : pandas.DataFrame
        Of one face.
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> from pyfaceau import plots, read_table
    >>> plots.plot_quality(read_table("video.csv"))  # doctest: +SKIP
    """
    track = one_track(table)
    ax = axes_for(ax, (9, 2))
    times = layout.seconds(table)[track.rows]
    sure = (
        layout.numbers(table, "confidence")[track.rows]
        if "confidence" in table
        else np.full(len(times), np.nan)
    )
    seen = layout.has_face(table)[track.rows]
    turns = [f"pose_R{axis}" for axis in "xyz"]
    if all(name in table for name in turns):
        turned = np.abs(np.degrees(layout.values(table, turns)[track.rows])) > np.asarray(POSE_LIMITS)
        outside = turned.any(axis=1)
    else:
        outside = np.zeros(len(times), np.bool_)
    strips = {
        "lost": ~seen,
        "turned too far": outside,
        f"confidence < {LOW_CONFIDENCE}": seen & (sure < LOW_CONFIDENCE),
    }
    x, y = thinned(*broken(times, np.where(seen, sure, np.nan), track.breaks))
    ax.plot(x, y, color=COLOURS[1], lw=1)
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    for number, (name, where) in enumerate(strips.items()):
        low = -0.18 * (number + 1)
        edges = np.diff(np.concatenate(([0], where.astype(np.int8), [0])))
        begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
        spans = [(times[b], times[e] - times[b] + step) for b, e in zip(begins, ends, strict=True)]
        ax.broken_barh(_joined(spans, (times[-1] - times[0]) / _COLUMNS), (low, 0.13), color=COLOURS[0])
        share = f" {np.mean(where):.1%}"
        ax.annotate(
            name + share,
            (1.005, low + 0.065),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize="small",
        )
    ax.set_ylim(-0.6, 1.03)
    ax.set_yticks([0, 0.5, 1])
    ax.set_ylabel("confidence")
    _time_axis(ax, times)
    return ax


def _joined(spans: list[tuple[float, float]], nearer: float) -> list[tuple[float, float]]:
    """Join bars whose distance cannot be seen, so that there are never very many."""
    out: list[tuple[float, float]] = []
    for begin, width in spans:
        if out and begin - sum(out[-1]) < nearer:
            out[-1] = (out[-1][0], begin + width - out[-1][0])
        else:
            out.append((begin, width))
    return out


def _time_axis(ax: Axes, times: F64) -> None:
    first, last = float(np.nanmin(times)), float(np.nanmax(times))
    ax.set_xlim(first, max(last, first + 1e-3))
    ax.set_xlabel("seconds")
    plain(ax)
