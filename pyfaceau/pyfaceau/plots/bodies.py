"""Landmarks: on a frame, and how a movement shifts the mean face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..action_units import spoken
from ..findings import layout
from ..findings.asymmetry import superimposed
from .axes import COLOURS, F64, axes_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Lines of the 68 points: jaw, brows, nose, eyes, lips; the last four are closed.
LINES: tuple[tuple[int, ...], ...] = (
    tuple(range(17)),
    tuple(range(17, 22)),
    tuple(range(22, 27)),
    tuple(range(27, 31)),
    tuple(range(31, 36)),
    (*range(36, 42), 36),
    (*range(42, 48), 42),
    (*range(48, 60), 48),
    (*range(60, 68), 60),
)


def plot_landmarks(
    table: pd.DataFrame,
    row: int = 0,
    *,
    image: npt.NDArray[Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the landmarks of a row.

    Parameters
    ----------
    table : pandas.DataFrame
        With landmarks.
    row : int
        Position of the row, from 0; `FaceTable.events` gives such positions.
    image : ndarray, shape (H, W, 3), uint8, optional
        The frame, blue, green, red as OpenCV reads it.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        The row shows no face.

    Examples
    --------
    >>> from pyfaceau import plots, read_table
    >>> plots.plot_landmarks(read_table("video.csv"), row=10)  # doctest: +SKIP
    """
    points = layout.landmarks(table.iloc[[row]])[0]
    if not np.isfinite(points).any():
        raise ValueError(f"row {row} shows no face")
    ax = axes_for(ax, (5, 5))
    if image is not None:
        ax.imshow(image[..., ::-1] if image.ndim == 3 else image, cmap=None if image.ndim == 3 else "gray")
    _face(ax, points, COLOURS[0] if image is None else "#ffdc3c", 1.2)
    ax.plot(points[:, 0], points[:, 1], ".", color=COLOURS[0] if image is None else "#ffdc3c", ms=3)
    if image is None:
        low, high = points.min(axis=0), points.max(axis=0)
        margin = 0.1 * (high - low).max()
        ax.set_xlim(low[0] - margin, high[0] + margin)
        ax.set_ylim(high[1] + margin, low[1] - margin)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def plot_movement(
    table: pd.DataFrame, au: str, threshold: float = 1.0, *, scale: float = 3.0, ax: Axes | None = None
) -> Axes:
    """Draw the mean face, with arrows of how it moves while an action unit is active.

    Parameters
    ----------
    table : pandas.DataFrame
        Of one or several faces, with landmarks and the unit's intensity.
    au : str
        Such as "AU12".
    threshold : float
        Intensity from which the unit is active; frames below it are the mean face.
    scale : float
        Enlargement of the arrows.
    ax : Axes, optional

    Returns
    -------
    Axes
        Faces are put upright and brought to one size by corners of the eyes and bridge of the nose.

    Raises
    ------
    ValueError
        There are no frames with, or none without the movement.

    Examples
    --------
    >>> from pyfaceau import plots, read_table
    >>> plots.plot_movement(read_table("video.csv"), "AU12")  # doctest: +SKIP
    """
    found = layout.chosen(table, au)
    (name,) = found.columns
    placed, _ = superimposed(layout.landmarks(table))
    usable = np.isfinite(placed).all(axis=(1, 2))
    values = found[name].to_numpy()
    active, rest = usable & (values >= threshold), usable & (values < threshold)
    if not active.any() or not rest.any():
        raise ValueError(
            f"{name} is {'never' if not active.any() else 'always'} {threshold:g} or more in this table"
        )
    mean, moved = placed[rest].mean(axis=0), placed[active].mean(axis=0) - placed[rest].mean(axis=0)
    ax = axes_for(ax, (5, 5))
    _face(ax, mean, "#9a9a9a", 1.2)
    ax.quiver(
        *mean.T,
        *(scale * moved).T,
        angles="xy",
        scale_units="xy",
        scale=1,
        color=COLOURS[0],
        width=0.006,
        zorder=3,
    )
    ends = np.concatenate([mean, mean + scale * moved])
    low, high = ends.min(axis=0), ends.max(axis=0)
    ax.set_xlim(low[0] - 0.1, high[0] + 0.1)
    ax.set_ylim(high[1] + 0.1, low[1] - 0.1)
    ax.set_aspect("equal")
    ax.set_axis_off()
    enlarged = f", arrows x {scale:g}" if scale != 1 else ""
    ax.set_title(
        f"{spoken(name)}: {int(active.sum())} frames against {int(rest.sum())}{enlarged}", fontsize="medium"
    )
    return ax


def _face(ax: Axes, points: F64, colour: str, width: float) -> None:
    for line in LINES:
        ax.plot(points[list(line), 0], points[list(line), 1], color=colour, lw=width, solid_capstyle="round")
