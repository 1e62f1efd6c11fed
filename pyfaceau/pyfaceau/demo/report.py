"""Runs the pipeline on the demo clip and compares its action units with the clip's truth."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..output import TrackedVideoSink
from ..pipeline import FullPythonAUPipeline
from ..progress import ProgressCallback

logger = logging.getLogger(__name__)

_DATA = Path(__file__).parent / "data"
#: The clip: 18 s of a portrait that moves by known expression weights.
DEMO_CLIP = _DATA / "demo.mp4"
#: Its truth: frame, timestamp and the intensities (0 to 5) of the action units that it moves.
DEMO_TRUTH = _DATA / "demo_truth.csv"
#: One of its frames, without loss, for the self-check of an installation.
DEMO_PORTRAIT = _DATA / "portrait.png"

_FPS = 25.0  # of the clip
_CSV, _PLOT, _OVERLAY = "demo.csv", "demo_timeline.png", "demo_overlay.mp4"
_BLOCKS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class DemoReport:
    """What a run of the demo found and where it put its files.

    Attributes
    ----------
    models : str
        Model set that was used.
    correlations : dict of str to float
        Pearson r of each action unit that the clip moves ("AU12") with the truth.
    frames : int
        Frames of the clip.
    tracked : float
        Share of frames in which the face was tracked.
    csv, overlay : Path
        Table of results; clip with landmarks, head pose and action units drawn in.
    plot : Path or None
        Timelines of found and true action units; None where matplotlib is not installed.
    timelines : dict of str to (found, truth)
        Intensities of each frame, found and true, by action unit.
    """

    models: str
    correlations: dict[str, float]
    frames: int
    tracked: float
    csv: Path
    overlay: Path
    plot: Path | None
    timelines: dict[str, tuple[list[float], list[float]]] = field(repr=False)

    def table(self) -> str:
        """Render the comparison as text: r and a small drawing of both timelines for each action unit."""
        lines = [
            f"{len(self.correlations)} action units over {self.frames} frames, models: {self.models}, "
            f"face tracked in {self.tracked:.0%} of the frames",
            "",
            f"{'AU':6}{'r':>6}  timeline",
        ]
        for name, r in self.correlations.items():
            found, truth = self.timelines[name]
            lines.append(f"{name:6}{r:6.2f}  {_sparkline(found)}  found")
            lines.append(f"{'':14}{_sparkline(truth)}  truth")
        lines += ["", "written:", *(f"  {path}" for path in (self.csv, self.plot, self.overlay) if path)]
        if self.plot is None:
            lines.append("  (no plot: it needs matplotlib, pip install 'pyfaceau[plot]')")
        return "\n".join(lines)


def run_demo(
    output_dir: str | os.PathLike[str],
    models: str | os.PathLike[str] = "open",
    progress: bool | ProgressCallback = True,
) -> DemoReport:
    """Analyse the demo clip and compare with what is known about it.

    Parameters
    ----------
    output_dir : path-like
        Folder for the results; created if need be.
    models : {"open", "auto", "openface"} or path-like
        As in `FullPythonAUPipeline`.
    progress : bool or callable
        As in `FullPythonAUPipeline.process_video`.

    Returns
    -------
    DemoReport

    Raises
    ------
    pyclnf.MissingModelError
        The models are not installed.
    OutputError
        `output_dir` cannot be written to.
    """
    folder = Path(output_dir)
    pipeline = FullPythonAUPipeline(models=models, include=("pose", "aus", "landmarks"))
    overlay = TrackedVideoSink(folder / _OVERLAY, fps=_FPS, codec="mp4v")
    result = pipeline.process_video(DEMO_CLIP, folder / _CSV, progress=progress, sinks=[overlay])
    truth = pd.read_csv(DEMO_TRUTH)
    names = [column for column in truth.columns if column.startswith("AU") and column in result]
    timelines = {
        name.removesuffix("_r"): (result[name].tolist(), truth[name].tolist()[: len(result)])
        for name in names
    }
    return DemoReport(
        models=pipeline.models.name,
        correlations={au: _pearson(*pair) for au, pair in timelines.items()},
        frames=len(result),
        tracked=float(result["success"].mean()),
        csv=folder / _CSV,
        overlay=folder / _OVERLAY,
        plot=_plot(timelines, folder / _PLOT),
        timelines=timelines,
    )


def _pearson(found: list[float], truth: list[float]) -> float:
    """Correlation; NaN where one of the two does not change."""
    if np.ptp(found) == 0 or np.ptp(truth) == 0:
        return float("nan")
    return float(np.corrcoef(found, truth)[0, 1])


def _plot(timelines: dict[str, tuple[list[float], list[float]]], path: Path) -> Path | None:
    """Draw the timelines if matplotlib is there."""
    try:
        from .plot import plot_timelines
    except ImportError:
        logger.info("no timeline plot: matplotlib is not installed")
        return None
    plot_timelines(timelines, path)
    return path


def _sparkline(values: list[float], width: int = 60) -> str:
    """Intensities 0 to 5 as a line of block characters, the largest of each stretch."""
    chunks = np.array_split(np.clip(np.asarray(values), 0, 5), width)
    return "".join(
        _BLOCKS[round(float(chunk.max()) / 5 * (len(_BLOCKS) - 1))] for chunk in chunks if len(chunk)
    )
