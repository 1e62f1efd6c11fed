"""The parts of a recording's page, in words and numbers."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..action_units import AU_NAMES, spoken, unit_of
from ..findings import layout
from ..findings.layout import Track
from .apex import ApexPicture
from .exports import Event
from .payload import face_number, units_of
from .words import Cell, Heading, Row, Table, count_text, number_text, share_text, time_text

_MOST_EVENTS = 300  # rows of the page's table; timelines and exports have all
_LAYERS = (("landmarks", "Landmarks"), ("box", "Head pose"), ("gaze", "Gaze"), ("units", "Action units"))


def facts(table: pd.DataFrame, faces: Sequence[Track], size: tuple[int, int] | None) -> list[str]:
    """List what a recording is: duration, frames, faces, size, models."""
    clock = layout.seconds(table)
    known = [
        time_text(float(np.nanmax(clock)) + 1 / layout.rate_of(table, faces[0]), 1),
        count_text(table["frame"].nunique() if "frame" in table else len(table), "frame"),
        f"{layout.rate_of(table, faces[0]):.4g} frames/s",
    ]
    if len(faces) > 1:
        known.append(count_text(len(faces), "face"))
    if size is not None:
        known.append(f"{size[0]} × {size[1]} px")
    models = table.attrs.get("models")
    return known + ([f"models: {models}"] if models else [])


@dataclass(frozen=True)
class Lacking:
    """What cannot be drawn because the table does not have it, and the command that makes one that does."""

    says: str
    command: str


def _drawable(data: Mapping[str, Any]) -> dict[str, bool]:
    """Say of each layer whether the table has it."""
    shapes = [face["shapes"] for face in data["faces"] if face["shapes"]]
    return {
        "landmarks": any("landmarks" in each for each in shapes),
        "box": any("pose" in each for each in shapes),
        "gaze": any("gaze" in each and "landmarks" in each for each in shapes),
        "units": True,
    }


def lacking(data: Mapping[str, Any], video: Path | None) -> Lacking | None:
    """Say which layers the table lacks; None if it has landmarks, without which nothing is missed."""
    there = _drawable(data)
    if there["landmarks"]:
        return None
    missing = [text.lower() for name, text in _LAYERS if not there[name]]
    listed = " and ".join([", ".join(missing[:-1]), missing[-1]] if len(missing) > 1 else missing)
    source = shlex.quote(video.name) if video else "VIDEO"
    result = shlex.quote(f"{video.stem}.parquet") if video else "RESULT.parquet"
    return Lacking(
        f"Not drawn: {listed}, because the table does not hold them. A result in Parquet does:",
        f"pyfaceau extract {source} -o {result}",
    )


def stage(data: Mapping[str, Any], video: Path | None) -> dict[str, Any] | None:
    """Describe the picture: what can be drawn; None if there is neither video nor geometry."""
    shapes = [face["shapes"] for face in data["faces"] if face["shapes"]]
    there = _drawable(data)
    if data["size"] is None or not (video or there["landmarks"]):
        return None
    thinned = max((each["step"] for each in shapes), default=1)
    advice = (
        f"So that the page stays small, the drawing changes with every {thinned}th frame only."
        if thinned > 1
        else ""
    )
    says = (
        "What was found, drawn over the video" if video else "The face that was found, drawn without a video"
    )
    layers = [(name, text, there[name]) for name, text in _LAYERS]
    return {"says": says, "layers": layers, "advice": advice, "lacking": lacking(data, video)}


def span(table: pd.DataFrame, faces: Sequence[Track]) -> dict[str, int]:
    """First and last frame of the face that is shown first."""
    rows = faces[0].rows
    frames = table["frame"].to_numpy(np.int64)[rows] if "frame" in table else np.arange(1, len(rows) + 1)
    return {"first": int(frames.min()), "last": int(frames.max())}


def unit(known: Mapping[str, Any], events: Sequence[Event]) -> dict[str, Any]:
    """Describe a timeline to those who do not see it."""
    its = [event for event in events if event.unit == known["unit"]]
    says = f"Timeline of {spoken(known['unit'])}: {count_text(len(its), 'event')}"
    if its:
        best = max(its, key=lambda event: event.peak)
        says += f", the strongest of {best.peak:.1f} at {time_text(best.apex)}"
    return {**known, "says": says}


def thinned(data: Mapping[str, Any]) -> str:
    """Say that a long recording's timelines are thinned; empty if they are not."""
    width = max(face["width"] for face in data["faces"])
    if width == 1:
        return ""
    return (
        f"Each point of these timelines stands for {width} neighbouring frames and shows their lowest and highest "
        "value: no peak is lost. Events, tables and exports rest on every frame."
    )


def moment(apex: ApexPicture) -> dict[str, Any]:
    """Describe a picture of a strongest moment."""
    event = apex.event
    time = time_text(event.apex)
    return {
        "picture": apex.address,
        "width": apex.width,
        "height": apex.height,
        "unit": event.unit,
        "name": AU_NAMES.get(event.unit, ""),
        "time": time,
        "seconds": event.apex,
        "face": event.face,
        "peak": number_text(event.peak, 1),
        "says": f"The face at {time}, where {spoken(event.unit)} is strongest, with landmarks drawn over it",
    }


def event_table(events: Sequence[Event], hints: Sequence[str], several: bool) -> Table | None:
    """List the events in the order of time; of very many the strongest; None if there are none."""
    if not events:
        return None
    kept = sorted(sorted(events, key=lambda each: -each.peak)[:_MOST_EVENTS], key=lambda each: each.onset)
    headings = [Heading("Unit"), Heading("Onset", "number"), Heading("Apex", "number")]
    headings += [Heading("Duration", "number"), Heading("Peak", "number"), Heading("")]
    if several:
        headings.insert(1, Heading("Face", "number"))
    rows = []
    for event in kept:
        onset, apex = time_text(event.onset), time_text(event.apex)
        cells = [
            Cell(spoken(event.unit)),
            Cell(
                onset,
                "number",
                seek=event.onset,
                face=event.face,
                says=f"Go to {onset}, onset of {event.unit}",
            ),
            Cell(
                apex, "number", seek=event.apex, face=event.face, says=f"Go to {apex}, apex of {event.unit}"
            ),
            Cell(f"{event.duration:.2f} s", "number"),
            Cell(number_text(event.peak), "number"),
            Cell("" if event.complete else "face not seen before or after"),
        ]
        if several:
            cells.insert(1, Cell(str(event.face), "number"))
        rows.append(Row(tuple(cells), event.unit in hints))
    return Table("Events in the order of time", tuple(headings), rows)


def summaries(table: pd.DataFrame, threshold: float, hints: Sequence[str]) -> list[Table]:
    """Summarise the units of each face."""
    shown = set(units_of(layout.intensity_columns(table)).values())
    keys = [key for key, name in layout.intensity_columns(table).items() if name in shown]
    found = table.face.summary(threshold=threshold)
    tracks = layout.tracks(table)
    several = len(tracks) > 1
    out = []
    for track in tracks:
        part = found.xs(face_number(track), level="face_id") if several else found
        part = part.reset_index().set_index("au")
        headings = (
            Heading("Unit"),
            Heading("Mean", "number", "mean intensity, 0 to 5"),
            Heading("Peak", "number", "highest intensity"),
            Heading("Time active", "number", f"share of the frames with a face at {threshold:g} or more"),
            Heading("Onsets a minute", "number"),
        )
        rows = [_summary_row(key, part.loc[key], hints) for key in keys]
        out.append(Table(f"Face {face_number(track)}" if several else "Action units", headings, rows))
    return out


def _summary_row(key: str, figures: pd.Series, hints: Sequence[str]) -> Row:
    name = unit_of(key)

    def bounded(column: str, text: Any) -> str:
        low, high = (float(figures.get(f"{column}_{side}", math.nan)) for side in ("low", "high"))
        value = text(float(figures[column]))
        return (
            f"{value} ({text(low)} – {text(high)})" if math.isfinite(low) and math.isfinite(high) else value
        )

    active = float(figures["active"])
    cells = (
        Cell(spoken(name) + (" (hint)" if name in hints else "")),
        Cell(bounded("mean", number_text), "number"),
        Cell(number_text(float(figures["peak"])), "number"),
        Cell(bounded("active", share_text), "number", share=active if math.isfinite(active) else None),
        Cell(bounded("onsets_per_minute", lambda value: number_text(value, 1)), "number"),
    )
    return Row(cells, name in hints)
