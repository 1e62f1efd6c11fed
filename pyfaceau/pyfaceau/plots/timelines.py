"""Timelines of action units as a picture."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..action_units import spoken
from ..errors import OutputError
from ..findings.layout import seconds as _seconds
from ..quality import is_hint
from .axes import COLOURS as _COLOURS
from .axes import HINT as _HINT
from .axes import thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TRUTH = "#30638e"
_MOST_FACES = 6
_ENDINGS = (".png", ".pdf", ".svg", ".jpg")


def plot_table(
    table: pd.DataFrame,
    path: str | os.PathLike[str],
    *,
    truth: pd.DataFrame | None = None,
    title: str | None = None,
) -> Path:
    """Write the intensities of a table as a picture, one panel for each action unit.

    Frames without a face are gaps. Units that are hints only (``table.attrs["hints"]``) are grey.

    Parameters
    ----------
    table : pandas.DataFrame
        From `FullPythonAUPipeline.process_video`, or read from its file.
    path : path-like
        .png, .pdf, .svg or .jpg; folders are created.
    truth : pandas.DataFrame, optional
        Known intensities, one row a frame and columns of the same names; shown behind.
    title : str, optional
        The source and the models by default.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ValueError
        The table has no intensities.
    OutputError
        The file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import pandas as pd
    >>> from pyfaceau import plot_table
    >>> from pyfaceau.demo import DEMO_TRUTH
    >>> plot_table(pd.read_csv(DEMO_TRUTH), pathlib.Path(tempfile.mkdtemp()) / "plot.png").name
    'plot.png'
    """
    path = Path(path)
    if path.suffix.lower() not in _ENDINGS:
        raise OutputError(f"{path}: plots are written as {', '.join(_ENDINGS)}")
    names = [name for name in map(str, table.columns) if name.startswith("AU") and "_r" in name]
    if not names:
        raise ValueError("the table has no intensities to plot; include 'aus'")
    # Imported here, as Matplotlib is slow to import.
    import matplotlib
    from matplotlib.figure import Figure

    hints = list(table.attrs.get("hints", ()))
    with matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(10, 0.62 * len(names) + 1.2), layout="constrained")
        panels = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
        lines = _lines(table)
        for axes, name in zip(panels, names, strict=True):
            hint = is_hint(name, hints)
            if truth is not None and name in truth:
                known = truth[name].to_numpy(np.float64)[: len(table)]
                axes.fill_between(_seconds(table)[: len(known)], known, color=_TRUTH, alpha=0.3, lw=0)
            for number, (_, rows) in enumerate(lines.items()):
                _draw(axes, table, name, rows, _HINT if hint else _COLOURS[number % len(_COLOURS)])
            axes.set_ylim(0, 5.2)
            axes.set_yticks([0, 5])
            label = _label(name) + (" (hint only)" if hint else "")
            axes.set_ylabel(label, rotation=0, ha="right", va="center", color=_HINT if hint else "black")
        if len(table):  # also where the first or last frames have no face
            seconds = _seconds(table)
            panels[-1].set_xlim(float(seconds.min()), max(float(seconds.max()), float(seconds.min()) + 1e-3))
        panels[-1].set_xlabel("seconds")
        figure.suptitle(_title(table) if title is None else title, fontsize=10)
        _legend(figure, lines, truth is not None)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=110)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    return path


def every_of(table: pd.DataFrame) -> int:
    """Return how many frames of the video one frame of a table stands for: `every` of the analysis.

    Examples
    --------
    >>> import pandas as pd
    >>> from pyfaceau.plots import every_of
    >>> table = pd.DataFrame({"frame": [1, 3, 5]})
    >>> table.attrs["options"] = {"every": 2}
    >>> every_of(table)
    2
    """
    return int(table.attrs.get("options", {}).get("every", 1))


def _draw(axes: Axes, table: pd.DataFrame, name: str, rows: npt.NDArray[np.intp], colour: str) -> None:
    values = table[name].to_numpy(np.float64, na_value=np.nan)[rows]
    if "success" in table:
        values = np.where(table["success"].to_numpy()[rows] == 1, values, np.nan)
    seconds, frames = _seconds(table)[rows], table["frame"].to_numpy(np.int64)[rows]
    # A line does not bridge frames in which the face is not there.
    jumps = np.flatnonzero(np.diff(frames) > every_of(table)) + 1
    seconds, values = np.insert(seconds, jumps, np.nan), np.insert(values, jumps, np.nan)
    axes.plot(*thinned(seconds, values), color=colour, lw=1.1)


def _lines(table: pd.DataFrame) -> Mapping[int, npt.NDArray[np.intp]]:
    """Rows of the faces that have most of them."""
    faces = table["face_id"].to_numpy(np.int64) if "face_id" in table else np.zeros(len(table), np.int64)
    ids, counts = np.unique(faces, return_counts=True)
    chosen = sorted(ids[np.argsort(-counts, kind="stable")[:_MOST_FACES]].tolist())
    return {face: np.flatnonzero(faces == face) for face in chosen}


def _label(name: str) -> str:
    unit, _, rest = name.partition("_r")
    return spoken(unit) + rest.replace("_", " ")


def _title(table: pd.DataFrame) -> str:
    source, models = table.attrs.get("source"), table.attrs.get("models")
    return "   ".join(filter(None, (str(source or ""), f"models: {models}" if models else "")))


def _legend(figure: Any, lines: Mapping[int, object], truth: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    if truth:
        handles = [
            Line2D([], [], color=_COLOURS[0], label="found"),
            Patch(color=_TRUTH, alpha=0.3, label="truth"),
        ]
    elif len(lines) > 1:
        handles = [
            Line2D([], [], color=_COLOURS[number % len(_COLOURS)], label=f"face {face}")
            for number, face in enumerate(lines)
        ]
    if handles:
        figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False)
