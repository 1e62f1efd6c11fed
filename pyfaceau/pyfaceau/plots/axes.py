"""What the plots share: axes, colours, gaps in lines, and fewer points without losing peaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..findings.layout import Track, tracks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

F64 = npt.NDArray[np.float64]
COLOURS = ("#c8452c", "#30638e", "#3d8b52", "#8a5a9e", "#b8860b", "#5f6b73")
HINT = "#9a9a9a"
MOST_POINTS = 4000  # of a line; more cannot be seen


def axes_for(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return `ax`, or the axes of a new figure of pyplot of `size` inches."""
    if ax is not None:
        return ax
    # Imported here, as Matplotlib is slow to import.
    from matplotlib import pyplot

    _, new = pyplot.subplots(figsize=size, layout="constrained")
    return new


def plain(ax: Axes) -> None:
    """Take the frame's top and right line away."""
    ax.spines[["top", "right"]].set_visible(False)


def one_track(table: pd.DataFrame) -> Track:
    """Return the only face of a table.

    Raises
    ------
    ValueError
        There are several faces or videos, or no rows.
    """
    found = tracks(table)
    if not found:
        raise ValueError("the table has no rows to plot")
    if len(found) > 1:
        names = ", ".join(found[0].key)
        raise ValueError(
            f"the table has {len(found)} faces or videos; choose one by {names}, such as table[table['face_id'] == 0]"
        )
    return found[0]


def thinned(x: F64, y: F64, most: int = MOST_POINTS) -> tuple[F64, F64]:
    """Leave points of a line out, and keep its peaks.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        NaN in `y` interrupts the line.
    most : int
        Most points that are wanted.

    Returns
    -------
    x, y : ndarray
        The line itself if it is short enough; else the lowest and the highest point of each of ``most / 2`` stretches,
        in their order. A stretch without a value is a gap.
    """
    stretch = -(-2 * len(y) // most)
    if stretch <= 2:
        return x, y
    begins = np.arange(0, len(y), stretch)
    padded = np.full(len(begins) * stretch, np.nan)
    padded[: len(y)] = y
    blocks = padded.reshape(-1, stretch)
    low = np.where(np.isnan(blocks), np.inf, blocks).argmin(axis=1) + begins
    high = np.where(np.isnan(blocks), -np.inf, blocks).argmax(axis=1) + begins
    kept = np.stack([np.minimum(low, high), np.maximum(low, high)], axis=1).reshape(-1)
    return x[kept], y[kept]


def broken(x: F64, y: F64, breaks: npt.NDArray[np.bool_]) -> tuple[F64, F64]:
    """Interrupt a line before the points that do not follow on."""
    at = np.flatnonzero(breaks[1:]) + 1
    return np.insert(x, at, np.nan), np.insert(y, at, np.nan)
