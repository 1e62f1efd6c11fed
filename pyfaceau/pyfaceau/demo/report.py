"""Runs the pipeline on the demo clip and compares its action units with the clip's truth."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..action_units import spoken
from ..overlay import OVERLAY_GROUPS, write_overlay
from ..pipeline import FullPythonAUPipeline
from ..plots import plot_table
from ..progress import ProgressCallback
from ..quality import hint_units, quality_summary
from ..report import write_report

_DATA = Path(__file__).parent / "data"
#: The clip: 18 s of a portrait that moves by known expression weights.
DEMO_CLIP = _DATA / "demo.mp4"
#: Its truth: frame, timestamp and the intensities (0 to 5) of the action units that it moves.
DEMO_TRUTH = _DATA / "demo_truth.csv"
#: One of its frames, without loss, for the self-check of an installation.
DEMO_PORTRAIT = _DATA / "portrait.png"

_CSV, _PLOT, _OVERLAY, _PAGE = "demo.csv", "demo_timeline.png", "demo_overlay.mp4", "demo_report.html"
_NAMES = 34  # width of the column of names
_NO_EVIDENCE = """\
This shows that the installation works. It is no evidence of how good the models are on people: the clip is one
portrait, moved by a face model, and which units move, and when, was settled after seeing which of them the models
confuse. A unit without a truth may still be seen in the clip: a blink lowers the upper lid, for instance."""
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
    csv, plot, overlay, page : Path
        Table of results; timelines of found and true action units; clip with the values of the table; interactive
        report, which plays a copy of the clip beside it.
    advice : str
        What to do if the overlay does not play; empty where it plays anywhere.
    timelines : dict of str to (found, truth)
        Intensities of each frame, found and true, by action unit.
    others : dict of str to found
        Intensities of the units for which the clip has no truth.

    Examples
    --------
    >>> import tempfile
    >>> from pyfaceau.demo import run_demo
    >>> report = run_demo(tempfile.mkdtemp())  # doctest: +SKIP
    >>> report.frames, report.correlations["AU12"] > 0.8  # doctest: +SKIP
    (450, True)
    """

    models: str
    correlations: dict[str, float]
    frames: int
    tracked: float
    csv: Path
    overlay: Path
    plot: Path
    page: Path
    advice: str
    timelines: dict[str, tuple[list[float], list[float]]] = field(repr=False)
    others: dict[str, list[float]] = field(repr=False)

    def table(self) -> str:
        """Render the comparison as text, with what it is no evidence of."""
        hints = hint_units(self.models)
        lines = [
            f"{self.frames} frames, models: {self.models}, face tracked in {self.tracked:.0%} of the frames",
            "",
            f"{len(self.correlations)} action units that the clip is known to move:",
            f"{'':{_NAMES}}{'r':>5}  timeline",
        ]
        for name, r in self.correlations.items():
            found, truth = self.timelines[name]
            lines.append(f"{_named(name, hints)}{r:5.2f}  {_sparkline(found)}  found")
            lines.append(f"{'':{_NAMES + 7}}{_sparkline(truth)}  truth")
        lines += ["", f"{len(self.others)} action units for which the clip has no truth:"]
        for name, found in self.others.items():
            lines.append(f"{_named(name, hints)}{'':7}{_sparkline(found)}  found")
        lines += ["", _NO_EVIDENCE]
        if hints:
            lines.append(quality_summary())
        lines += ["", "written:", *(f"  {path}" for path in (self.csv, self.plot, self.overlay))]
        if self.advice:
            lines.append(f"  ({self.advice})")
        lines.append(f"  {self.page}: open it in a browser")
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

    Examples
    --------
    See :class:`DemoReport`.
    """
    folder = Path(output_dir)
    pipeline = FullPythonAUPipeline(models=models, include=OVERLAY_GROUPS)
    result = pipeline.process_video(DEMO_CLIP, folder / _CSV, progress=progress)
    overlay = write_overlay(DEMO_CLIP, result, folder / _OVERLAY, progress=progress)
    truth = pd.read_csv(DEMO_TRUTH)
    names = [name for name in map(str, result.columns) if name.startswith("AU") and name.endswith("_r")]
    timelines = {
        name.removesuffix("_r"): (result[name].tolist(), truth[name].tolist()[: len(result)])
        for name in names
        if name in truth
    }
    return DemoReport(
        models=pipeline.models.name,
        correlations={au: _pearson(*pair) for au, pair in timelines.items()},
        frames=len(result),
        tracked=float(result["success"].mean()),
        csv=folder / _CSV,
        overlay=overlay.path,
        plot=plot_table(result, folder / _PLOT, truth=truth),
        page=write_report(result, folder / _PAGE, video=DEMO_CLIP, title="Demo clip", copy=True).path,
        advice=overlay.advice,
        timelines=timelines,
        others={name.removesuffix("_r"): result[name].tolist() for name in names if name not in truth},
    )


def _pearson(found: list[float], truth: list[float]) -> float:
    """Correlation; NaN where one of the two does not change."""
    if np.ptp(found) == 0 or np.ptp(truth) == 0:
        return float("nan")
    return float(np.corrcoef(found, truth)[0, 1])


def _named(unit: str, hints: tuple[str, ...]) -> str:
    return f"{spoken(unit)}{' (hint)' if unit in hints else '':{_NAMES - len(spoken(unit))}}"


def _sparkline(values: list[float], width: int = 60) -> str:
    """Intensities 0 to 5 as a line of block characters, the largest of each stretch."""
    chunks = np.array_split(np.clip(np.asarray(values), 0, 5), width)
    return "".join(
        _BLOCKS[round(float(chunk.max()) / 5 * (len(_BLOCKS) - 1))] for chunk in chunks if len(chunk)
    )
