"""Timelines of action units as a picture (needs matplotlib)."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

_FPS = 25.0
FOUND, TRUE = "#c8452c", "#30638e"


def plot_timelines(timelines: dict[str, tuple[list[float], list[float]]], path: Path) -> None:
    """Write one panel an action unit: what was found over what is true.

    Parameters
    ----------
    timelines : dict of str to (found, truth)
        Intensities of each frame.
    path : Path
        PNG to write.
    """
    with matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(9, 0.9 * len(timelines) + 0.8), layout="constrained")
        panels = figure.subplots(len(timelines), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, (found, truth)) in zip(panels, timelines.items(), strict=True):
            seconds = [index / _FPS for index in range(len(found))]
            axes.fill_between(seconds[: len(truth)], truth, color=TRUE, alpha=0.35, lw=0, label="truth")
            axes.plot(seconds, found, color=FOUND, lw=1.3, label="found")
            axes.set_ylim(0, 5.2)
            axes.set_yticks([0, 5])
            axes.set_ylabel(name, rotation=0, ha="right", va="center")
        panels[0].legend(loc="upper right", ncols=2, frameon=False)
        panels[-1].set_xlabel("seconds")
        figure.savefig(path, dpi=120)
