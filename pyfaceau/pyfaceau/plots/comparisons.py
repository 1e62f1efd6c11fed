"""Comparisons: two measurements of the same thing, and groups of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..action_units import spoken
from ..errors import MissingColumnsError
from ..findings import layout
from .axes import COLOURS, MOST_POINTS, axes_for, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_RESAMPLES = 2000


def plot_bland_altman(a: npt.ArrayLike, b: npt.ArrayLike, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw the difference of two measurements against their mean, with bias and limits of agreement.

    Parameters
    ----------
    a, b : array-like, shape (n,)
        Pairs with a NaN are left out.
    title : str
    ax : Axes, optional

    Returns
    -------
    Axes

    Notes
    -----
    Bland and Altman (1986), The Lancet 327. Limits are 1.96 standard deviations of the differences around the mean.

    Examples
    --------
    >>> from pyfaceau.plots import plot_bland_altman
    >>> ax = plot_bland_altman([1.0, 2.0, 3.0], [1.5, 2.0, 2.5])
    >>> ax.get_ylabel()
    'A - B'
    """
    one, two = (np.asarray(values, np.float64) for values in (a, b))
    both = np.isfinite(one) & np.isfinite(two)
    mean, difference = (one + two)[both] / 2, (one - two)[both]
    ax = axes_for(ax, (5, 4))
    # Few points of very many, but always the extreme ones.
    kept = np.argsort(np.abs(difference - (difference.mean() if len(difference) else 0.0)))
    shown = np.unique(np.concatenate([kept[:: max(1, len(kept) // MOST_POINTS)], kept[-50:]]))
    ax.plot(mean[shown], difference[shown], ".", color=COLOURS[1], ms=3, alpha=0.5)
    if len(difference) > 1:
        bias, limit = float(difference.mean()), 1.96 * float(difference.std(ddof=1))
        for value, style, name in (
            (bias, "-", "bias"),
            (bias - limit, "--", "-1.96 SD"),
            (bias + limit, "--", "+1.96 SD"),
        ):
            ax.axhline(value, color=COLOURS[0], ls=style, lw=1)
            ax.annotate(
                f"{name} {value:.3g}", (1, value), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                fontsize="small", color=COLOURS[0],
            )  # fmt: skip
    ax.set_xlabel("mean of A and B")
    ax.set_ylabel("A - B")
    ax.set_title(title, fontsize="medium")
    plain(ax)
    return ax


def plot_groups(
    table: pd.DataFrame,
    by: str,
    units: Sequence[str] | None = None,
    *,
    ax: Axes | None = None,
    seed: int = 0,
) -> Axes:
    """Draw mean intensities of groups of recordings.

    Parameters
    ----------
    table : pandas.DataFrame
        Of several videos or faces, as `read_results` gives.
    by : str
        Column with the group of each row, such as one of a batch's manifest.
    units : sequence of str, optional
        All by default.
    ax : Axes, optional
    seed : int
        Of the bootstrap.

    Returns
    -------
    Axes
        A dot is the mean of one face in one video, a bar the mean of its group with a 95 % confidence interval:
        bootstrap over recordings (not over frames, which are no independent observations).

    Raises
    ------
    MissingColumnsError
        There is no such column or unit.

    Examples
    --------
    >>> from pyfaceau import plots, read_results
    >>> plots.plot_groups(read_results("results"), "group", ["AU06", "AU12"])  # doctest: +SKIP
    """
    if by not in table and by not in table.index.names:
        raise MissingColumnsError(
            f"the table has no {by} to group by; its columns come from the manifest of a batch"
        )
    labels = np.asarray(table[by] if by in table else table.index.get_level_values(by))
    found = layout.chosen(table, units)
    names = list(found.columns)
    means: dict[str, list[npt.NDArray[np.float64]]] = {}
    data = found.to_numpy()
    for track in layout.tracks(table):
        for label in dict.fromkeys(labels[track.rows].tolist()):
            rows = track.rows[labels[track.rows] == label]
            seen = ~np.isnan(data[rows]).all(axis=0)
            mean = np.full(len(names), np.nan)
            mean[seen] = np.nanmean(data[rows][:, seen], axis=0)
            means.setdefault(str(label), []).append(mean)
    ax = axes_for(ax, (7, 0.22 * len(names) * max(len(means), 1) + 1.2))
    rng = np.random.default_rng(seed)
    height = 0.8 / max(len(means), 1)
    for number, (label, rows_of_group) in enumerate(sorted(means.items())):
        values = np.array(rows_of_group)
        colour = COLOURS[number % len(COLOURS)]
        for place in range(len(names)):
            y = place - 0.4 + height * (number + 0.5)
            known = values[:, place][~np.isnan(values[:, place])]
            ax.plot(known, np.full(len(known), y), ".", color=colour, alpha=0.4, ms=5)
            if len(known):
                ax.plot([known.mean()], [y], "|", color=colour, ms=11, mew=2.5)
            if len(known) > 2:
                drawn = known[rng.integers(0, len(known), (_RESAMPLES, len(known)))].mean(axis=1)
                ax.plot(np.quantile(drawn, [0.025, 0.975]), [y, y], color=colour, lw=2)
        ax.plot([], [], color=colour, lw=3, label=f"{label} (n = {len(values)})")
    ax.set_yticks(range(len(names)), [spoken(name) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlim(left=0)
    ax.set_xlabel("mean intensity of a recording")
    ax.legend(frameon=False, fontsize="small")
    ax.tick_params(axis="y", length=0)
    plain(ax)
    return ax
