"""The overview of a batch, with a page for each recording."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..action_units import spoken
from ..batch.journal import Entry, read_entries
from ..errors import PyFaceAUError
from ..findings.agreement import read_table
from ..progress import ProgressCallback, progress_reporter
from .html import address, check_page, page_beside, render, write_page
from .quality import TRACKED, UNSURE, high, low, overall
from .recording import Report, write_report
from .words import Cell, Heading, Remark, Row, Table, Tile, count_text, number_text, share_text

PathLike = str | os.PathLike[str]

_MOST_GROUPS = 12  # values of a manifest's column that are groups; with more it tells recordings apart


@dataclass(frozen=True)
class _Recording:
    """A finished recording: quality, mean intensities by unit, its page (None if there is none, and why)."""

    entry: Entry
    tracked: float
    confidence: float
    unsure: float
    means: Mapping[str, float]
    page: Path | None
    why: str = ""


def write_batch_report(
    output: PathLike,
    path: PathLike | None = None,
    *,
    threshold: float = 1.0,
    pictures: bool = False,
    progress: bool | ProgressCallback = False,
) -> Report:
    """Write the overview of a batch, and beside each result its own page.

    Parameters
    ----------
    output : path-like
        Output folder of the batch; it may be at work.
    path : path-like, optional
        Of the overview; ``report.html`` in the folder by default.
    threshold : float
        Intensity from which a unit is active.
    pictures : bool
        Show the strongest frames of each recording, for which its video is read.
    progress : bool or callable
        As in `FullPythonAUPipeline.process_video`.

    Returns
    -------
    Report

    Raises
    ------
    BatchError
        There is no batch.
    OutputError
        A page cannot be written.
    """
    output = Path(output)
    path = output / "report.html" if path is None else Path(path)
    check_page(path)
    entries = read_entries(output)
    done = [entry for entry in entries if entry.state == "done"]
    found = []
    with progress_reporter(progress, path.name) as report:
        for number, entry in enumerate(done, start=1):
            found.append(_recording(output, entry, threshold, pictures))
            report(number, len(done))
    failed = [entry for entry in entries if entry.state == "failed"]
    waiting = len(entries) - len(done) - len(failed)
    content = {
        "title": output.resolve().name,
        "facts": [count_text(len(entries), "recording"), f"{len(done)} finished", f"{len(failed)} failed"],
        "tiles": _tiles(found, len(failed), waiting),
        "remarks": [
            Remark(f"{each.entry.name}: no page of its own ({each.why})", "fair")
            for each in found
            if each.why
        ],
        "failures": _failures(failed),
        "files": _files(found, path),
        "groups": _groups(found),
    }
    without = [f"{each.entry.name}: {each.why}" for each in found if each.why]
    return Report(write_page(path, render("batch.html", content)), without)


def _recording(output: Path, entry: Entry, threshold: float, pictures: bool) -> _Recording:
    """Write the page of a recording; what cannot be read is said on the overview."""
    target = Path(entry.target)
    if not target.exists():  # the folder has been moved, or belongs to another machine
        target = output / f"{entry.name}{target.suffix}"
    try:
        table = read_table(target)
    except PyFaceAUError as error:
        return _Recording(entry, math.nan, math.nan, math.nan, {}, None, str(error))
    figures = table.face.quality()
    means: dict[str, float] = {}
    page: Path | None = page_beside(target)
    why = ""
    video = Path(entry.path)
    try:
        means = {str(unit): float(value) for unit, value in table.face.aus.mean().items()}
        assert page is not None
        film = video if video.is_file() else None
        title = entry.name
        write_report(table, page, video=film, title=title, threshold=threshold, pictures=pictures)
    except (PyFaceAUError, ValueError) as error:
        page, why = None, str(error)
    return _Recording(
        entry,
        overall(figures, "tracked"),
        overall(figures, "confidence"),
        overall(figures, "low_confidence"),
        means,
        page,
        why,
    )


def _tiles(found: Sequence[_Recording], failed: int, waiting: int) -> list[Tile]:
    poor = sum(high(each.tracked, TRACKED) == "poor" for each in found)
    tiles = [
        Tile(str(len(found)), "finished", "good" if found else ""),
        Tile(str(failed), "failed", "poor" if failed else "good"),
    ]
    if waiting:
        tiles.append(Tile(str(waiting), "not analysed yet", "fair"))
    if found:
        median = float(np.nanmedian([each.tracked for each in found]))
        tiles.append(Tile(share_text(median), "of the frames show a face, median", high(median, TRACKED)))
        note = f"a face in less than {TRACKED[1]:.0%} of the frames"
        tiles.append(Tile(str(poor), "poorly tracked", "poor" if poor else "good", note))
    return tiles


def _failures(failed: Sequence[Entry]) -> Table | None:
    if not failed:
        return None
    headings = (Heading("Recording", "wrap"), Heading("Why it failed", "wrap"))
    rows = [Row((Cell(entry.path, "wrap"), Cell(entry.why, "wrap"))) for entry in failed]
    return Table("What failed, and why", headings, rows)


def _files(found: Sequence[_Recording], page: Path) -> Table | None:
    if not found:
        return None
    names = list(dict.fromkeys(name for each in found for name in each.entry.columns))
    headings = (
        Heading("Recording", "wrap"),
        *(Heading(name) for name in names),
        Heading("Frames", "number"),
        Heading("With a face", "number"),
        Heading("Confidence", "number"),
        Heading("Judgement"),
        Heading("Warnings", "wrap"),
    )
    words = {"good": "good", "fair": "look at it", "poor": "poor"}
    rows = []
    for each in found:
        states = [high(each.tracked, TRACKED)]
        if math.isfinite(each.unsure):
            states.append(low(each.unsure, UNSURE))
        worst = next(state for state in ("poor", "fair", "good") if state in states)
        href = address(each.page, page) if each.page is not None else ""
        cells = (
            Cell(each.entry.name, "wrap", href=href),
            *(Cell(each.entry.columns.get(name, "")) for name in names),
            Cell(str(each.entry.frames), "number"),
            Cell(
                share_text(each.tracked),
                "number",
                share=each.tracked if math.isfinite(each.tracked) else None,
            ),
            Cell(number_text(each.confidence), "number"),
            Cell(words[worst], worst),
            Cell("; ".join(each.entry.warnings), "wrap"),
        )
        rows.append(Row(cells))
    return Table("Finished recordings", headings, rows)


def _groups(found: Sequence[_Recording]) -> list[Table]:
    """Average the recordings by each column of the manifest that puts them into groups."""
    out = []
    names = dict.fromkeys(name for each in found for name in each.entry.columns)
    means = pd.DataFrame([each.means for each in found])
    for name in names:
        values = pd.Series([each.entry.columns.get(name, "") for each in found])
        counts = values.value_counts()
        if not 2 <= len(counts) <= _MOST_GROUPS or counts.max() < 2:
            continue
        groups = sorted(counts.index)
        headings = [Heading("Unit")] + [
            Heading(f"{group or '(none)'} (n = {counts[group]})", "number") for group in groups
        ]
        rows = []
        for unit in means.columns:
            cells = [Cell(spoken(str(unit)))]
            for group in groups:
                part = means.loc[values == group, unit].dropna()
                deviation = f" ± {part.std():.2f}" if len(part) > 1 else ""
                cells.append(Cell(f"{number_text(float(part.mean()))}{deviation}", "number"))
            rows.append(Row(tuple(cells)))
        out.append(Table(f"By {name}", tuple(headings), rows))
    return out
