"""A face from numbers: the open shape model, moved by action units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pyclnf.io import read_pdm
from pyclnf.models import OPEN_FOLDER

from ..action_units import unit_of
from ..findings import layout
from ..findings.asymmetry import MIRRORED, STILL
from .axes import F64, axes_for, one_track

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes

_LINK = Path(__file__).parents[1] / "models_open/au_shapes_open.npz"  # made by weights/drawn_face
_FULL = 5.0
_REST = "rest"  # parameters of a shut mouth
_INK, _SKIN, _LIPS = "#3b2f2a", "#f6e3d3", "#d98a83"
# Outlines of the muscles on the right side of the face, in mm from landmarks: (landmark, right +, down +). The left
# side is their mirror image. After Ekman, Friesen & Hager (2002), FACS: which muscle each unit is based on.
_Corner = tuple[int, float, float]
_MUSCLES: dict[str, tuple[tuple[str, ...], tuple[_Corner, ...]]] = {
    "frontalis, inner": (("AU01",), ((21, 6, -4), (20, 0, -4), (20, 2, -28), (21, 8, -28))),
    "frontalis, outer": (("AU02",), ((19, 4, -4), (17, 0, -4), (17, 6, -22), (19, 6, -28))),
    "corrugator": (("AU04",), ((20, 2, -3), (21, 4, -7), (27, -1, -8), (27, -1, 3), (21, 4, 4))),
    "orbicularis oculi, lid": (
        ("AU07", "AU45"),
        ((36, -3, 0), (37, -1, -4), (38, 1, -4), (39, 3, 0), (40, 1, 4), (41, -1, 4))),
    "levator palpebrae": (("AU05",), ((37, -1, -5), (38, 1, -5), (38, 1, -9), (37, -1, -9))),
    "orbicularis oculi, cheek": (
        ("AU06",), ((36, -9, 2), (41, 0, 7), (40, 0, 7), (40, 2, 14), (41, -2, 15), (36, -9, 10))),
    "levator labii, nose": (("AU09",), ((28, -3, -2), (30, -8, 0), (31, -4, -4), (28, -8, 2))),
    "levator labii": (("AU10",), ((40, 0, 16), (41, 2, 16), (50, -2, -4), (50, -8, -3))),
    "zygomaticus major": (("AU12",), ((36, -6, 19), (36, 0, 19), (48, 1, -3), (48, -5, -1))),
    "buccinator": (("AU14",), ((48, -3, -2), (48, -3, 4), (48, -16, 5), (48, -16, -3))),
    "risorius": (("AU20",), ((48, -3, 4), (48, -4, 8), (48, -20, 10), (48, -20, 4))),
    "depressor anguli oris": (("AU15",), ((48, -4, 5), (48, 1, 5), (59, -1, 18), (59, -9, 18))),
    "mentalis": (("AU17",), ((57, 0, 10), (58, 0, 10), (58, 0, 20), (57, 0, 21))),
    "orbicularis oris": (
        ("AU23", "AU25", "AU28"), ((48, -2, 0), (50, 0, -4), (51, 0, -3), (57, 0, 4), (58, 0, 4), (59, -1, 3))),
    "masseter": (("AU26",), ((2, 5, 2), (3, 12, 2), (4, 13, 0), (4, 4, -2))),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class DrawnFace:
    """The face that action units make of the open shape model's mean.

    Attributes
    ----------
    points : ndarray, shape (68, 2)
        x to the right, y down, mm.
    intensities : dict of str to float
        Of the units that moved it, 0 to 5.

    Examples
    --------
    >>> from pyfaceau.plots import DrawnFace
    >>> smile, rest = DrawnFace.of({"AU12": 5}), DrawnFace.of({})
    >>> bool((smile.points[[48, 54], 1] < rest.points[[48, 54], 1]).all())  # the corners of the mouth go up
    True
    """

    points: F64
    intensities: dict[str, float]

    @classmethod
    def of(cls, intensities: Mapping[str, float]) -> DrawnFace:
        """Move the mean face.

        Parameters
        ----------
        intensities : mapping of str to float
            "AU12" or "AU12_r" to 0 to 5; others are clipped, NaN is 0.

        Returns
        -------
        DrawnFace

        Raises
        ------
        ValueError
            The link knows no such unit.
        """
        mean, basis, link = _model()
        known = {}
        for name, value in intensities.items():
            unit = unit_of(str(name))
            if unit not in link or unit == _REST:
                raise ValueError(
                    f"no unit {name!r} is known to the drawn face; there are {', '.join(known_units())}"
                )
            known[unit] = float(np.clip(np.nan_to_num(float(value)), 0.0, _FULL))
        parameters = sum((value * link[unit] for unit, value in known.items()), link[_REST])
        rest, points = (
            (mean + basis @ each).reshape(3, 68).T[:, :2] for each in (link[_REST], np.asarray(parameters))
        )
        return cls(_onto(points, rest), known)


def known_units() -> tuple[str, ...]:
    """Return the action units that move the drawn face, such as "AU12"."""
    return tuple(unit for unit in _model()[2] if unit != _REST)


def _onto(points: F64, rest: F64) -> F64:
    """Turn, scale and shift a face so that corners of the eyes and bridge of the nose stay where they are at rest."""
    still = list(STILL)
    a, b = (each[still, 0] + 1j * each[still, 1] for each in (points, rest))
    a0, b0 = a.mean(), b.mean()
    factor = np.vdot(a - a0, b - b0) / np.vdot(a - a0, a - a0)
    moved = (points[:, 0] + 1j * points[:, 1] - a0) * factor + b0
    return np.stack([moved.real, moved.imag], axis=1)


@lru_cache(maxsize=1)
def _model() -> tuple[F64, F64, dict[str, F64]]:
    pdm = read_pdm(OPEN_FOLDER / "pdm_68_open.txt")
    with np.load(_LINK, allow_pickle=False) as data:
        link = dict(zip(data["units"].tolist(), data["parameters"].astype(np.float64), strict=True))
    return pdm.mean.astype(np.float64), pdm.basis.astype(np.float64), link


def plot_face(
    aus: Mapping[str, float] | pd.Series, *, muscles: bool = False, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw a face that shows action units.

    Parameters
    ----------
    aus : mapping of str to float, or pandas.Series
        Intensities, such as ``{"AU06": 3, "AU12": 4}`` or a row of ``table.face.aus``.
    muscles : bool
        Show the regions of the muscles that the units are named after, the stronger the darker.
    title : str
    ax : Axes, optional

    Returns
    -------
    Axes

    Notes
    -----
    A drawing of what numbers mean, not a reconstruction of the person: landmarks of the open shape model, moved by a
    linear map from intensities to its parameters that was fitted to the expressions of ICT-FaceKit. AU06 and
    AU14 hardly move landmarks. Regions of muscles are schematic.

    Examples
    --------
    >>> from pyfaceau.plots import plot_face
    >>> ax = plot_face({"AU06": 3, "AU12": 4}, muscles=True, title="smile")
    >>> ax.get_title()
    'smile'
    """
    if isinstance(aus, pd.DataFrame):
        raise TypeError(
            "a face shows one row of a table, such as table.face.aus.max() or table.face.aus.loc[10]"
        )
    face = DrawnFace.of({str(name): float(value) for name, value in dict(aus).items()})
    ax = axes_for(ax, (3.6, 4.2))
    _draw(ax, face, muscles)
    ax.set_title(title, fontsize="medium")
    return ax


def animate_face(
    table: pd.DataFrame, *, fps: float = 25.0, muscles: bool = False, units: Sequence[str] | None = None
) -> FuncAnimation:
    """Animate a face that moves as the intensities of a table do.

    Parameters
    ----------
    table : pandas.DataFrame
        Of one face.
    fps : float
        Frames a second of the animation; the table is brought to it.
    muscles : bool
        As in `plot_face`.
    units : sequence of str, optional
        All that the drawing knows by default.

    Returns
    -------
    matplotlib.animation.FuncAnimation
        Plays at the speed of the recording; ``.save("face.gif")`` writes it, ``.to_jshtml()`` shows it in a notebook.
        Frames without a face are pale.

    Examples
    --------
    >>> import pandas as pd
    >>> from pyfaceau.demo import DEMO_TRUTH
    >>> from pyfaceau.plots import animate_face
    >>> animation = animate_face(pd.read_csv(DEMO_TRUTH).head(50), fps=5)
    >>> page = animation.to_jshtml()
    """
    from matplotlib import pyplot
    from matplotlib.animation import FuncAnimation

    from ..findings.signals import resample

    one_track(table)
    found = layout.chosen(resample(table, fps), units)
    if units is None:
        found = found[
            [
                name
                for name in map(str, found.columns)
                if unit_of(name) in known_units() and "_static" not in name
            ]
        ]
    chosen, data = list(found.columns), found.to_numpy()
    figure, ax = pyplot.subplots(figsize=(3.6, 4.2), layout="constrained")

    def show(frame: int) -> list[Any]:
        ax.clear()
        seen = bool(np.isfinite(data[frame]).any())
        _draw(ax, DrawnFace.of(dict(zip(chosen, data[frame], strict=True))), muscles, 1.0 if seen else 0.25)
        ax.set_title(f"{frame / fps:.1f} s", fontsize="medium")
        return list(ax.get_children())

    animation = FuncAnimation(figure, show, frames=len(data), interval=1000 / fps, cache_frame_data=False)
    pyplot.close(figure)  # a notebook would show it as a picture, too
    return animation


def _draw(ax: Axes, face: DrawnFace, muscles: bool, alpha: float = 1.0) -> None:
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Polygon

    points, rest = face.points, DrawnFace.of({}).points
    jaw, brow = points[:17], points[17:27]
    # A forehead that the model does not have: half an ellipse over the ends of the jaw.
    middle, half = (rest[0] + rest[16]) / 2, (rest[16, 0] - rest[0, 0]) / 2
    height = middle[1] - rest[17:27, 1].min() + 0.55 * half
    angles = np.linspace(0, np.pi, 40)[1:-1]
    top = np.stack([middle[0] + half * np.cos(angles), middle[1] - height * np.sin(angles)], axis=1)
    outline = _smooth(np.concatenate([jaw, top]), closed=True)
    ax.add_patch(Polygon(outline, closed=True, fc=_SKIN, ec=_INK, lw=1.6, alpha=alpha, zorder=1))
    if muscles:
        for units, corners in _MUSCLES.values():
            strength = max(face.intensities.get(unit, 0.0) for unit in units) / _FULL
            for mirrored in (False, True):
                shape = [_corner(points, corner, mirrored) for corner in corners]
                ax.add_patch(
                    Polygon(
                        _smooth(np.array(shape), closed=True),
                        fc=(*to_rgb("#b3261e"), (0.06 + 0.74 * strength) * alpha),
                        ec=(*to_rgb("#b3261e"), 0.35 * alpha),
                        lw=0.6,
                        zorder=2,
                    )
                )
    for side in (range(36, 42), range(42, 48)):
        _eye(ax, points[list(side)], rest[list(side)], alpha)
    inner = _smooth(_apart(points[60:68]), closed=True)
    ax.add_patch(
        Polygon(_smooth(points[48:60], closed=True), fc=_LIPS, ec=_INK, lw=1.2, alpha=alpha, zorder=3)
    )
    ax.add_patch(Polygon(inner, fc="#5b2424", ec=_INK, lw=0.9, alpha=alpha, zorder=4))
    for part, width in ((brow[:5], 4.5), (brow[5:], 4.5), (points[27:31], 1.2), (points[31:36], 1.4)):
        ax.plot(*_smooth(part).T, color=_INK, lw=width, alpha=alpha, solid_capstyle="round", zorder=5)
    ax.set_xlim(outline[:, 0].min() - 6, outline[:, 0].max() + 6)
    ax.set_ylim(rest[:17, 1].max() + 36, outline[:, 1].min() - 5)
    ax.set_aspect("equal")
    ax.set_axis_off()


def _apart(inner: F64) -> F64:
    """Let lips that press on each other touch: the model would put the upper one below the lower one."""
    out: F64 = inner.copy()
    for above, below in ((1, 7), (2, 6), (3, 5)):
        if out[below, 1] < out[above, 1]:
            out[[above, below], 1] = (out[above, 1] + out[below, 1]) / 2
    return out


def _eye(ax: Axes, lids: F64, rest: F64, alpha: float) -> None:
    from matplotlib.patches import Circle, Polygon

    shape = _smooth(lids, closed=True)
    white = ax.add_patch(Polygon(shape, fc="white", ec=_INK, lw=1.4, alpha=alpha, zorder=3))
    centre = rest.mean(axis=0)
    for radius, colour in ((0.19, "#4d6f8a"), (0.09, "black")):
        iris = Circle(
            tuple(centre), radius * (rest[3, 0] - rest[0, 0]), fc=colour, lw=0, alpha=alpha, zorder=4
        )
        ax.add_patch(iris)
        iris.set_clip_path(white)


def _corner(points: F64, corner: _Corner, mirrored: bool) -> F64:
    number, right, down = corner
    if mirrored:
        return np.asarray(points[MIRRORED[number]] + (-right, down))
    return np.asarray(points[number] + (right, down))


def _smooth(points: F64, *, closed: bool = False, steps: int = 6) -> F64:
    """Lay a Catmull-Rom curve through points."""
    if closed:
        around = np.concatenate([points[-1:], points, points[:2]])
    else:
        around = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(around, around[1:], around[2:], around[3:], strict=False):
        pieces.append(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))
    if not closed:
        pieces.append(points[-1:])
    return np.concatenate(pieces)


__all__ = ["DrawnFace", "animate_face", "plot_face"]
