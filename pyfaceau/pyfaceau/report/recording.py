"""The page of one recording."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd

from ..errors import VideoError
from ..findings import layout
from ..findings.layout import Track
from ..output.encoding import ADVICE, h264_encoder
from ..progress import ProgressCallback
from . import sections
from .apex import ApexPicture, apex_pictures, strongest
from .exports import Event, Recording, boris, eaf
from .html import address, check_page, now, render, write_page
from .media import copy_for_browsers, obstacle
from .packing import squeeze
from .payload import face_number, find_events, payload
from .provenance import NOTHING_KNOWN, provenance
from .quality import judge

PathLike = str | os.PathLike[str]

_SECTIONS = (
    ("quality", "Quality control"),
    ("timelines", "Timelines"),
    ("apexes", "Strongest moments"),
    ("summary", "Summary"),
    ("events", "Events"),
    ("provenance", "Provenance"),
    ("cite", "How to cite"),
)


@dataclass(frozen=True)
class Report:
    """A report that has been written.

    Attributes
    ----------
    path : Path
    remarks : list of str
        What the page lacks and how to have it; may be empty.
    copy : Path or None
        A copy of the video that was written because browsers do not play the video itself.
    """

    path: Path
    remarks: list[str]
    copy: Path | None = None


def write_report(
    table: pd.DataFrame,
    path: PathLike,
    *,
    video: PathLike | None = None,
    title: str | None = None,
    threshold: float = 1.0,
    pictures: bool = True,
    copy: bool = False,
    progress: bool | ProgressCallback = False,
) -> Report:
    """Write a page about a recording: quality, timelines, strongest moments, events, provenance.

    The page is one file and loads nothing from the network. It refers to the video by its place relative to the page:
    move them together.

    Parameters
    ----------
    table : pandas.DataFrame
        Result of one video, from `process_video` or `read_table`. Landmarks, gaze and head pose are drawn over the
        video if the table has them.
    path : path-like
        Ends in .html; replaced only by a complete file.
    video : path-like, optional
        That the table was made of.
    title : str, optional
        Name of the video or source by default.
    threshold : float
        Intensity from which a unit is active: onset and offset of events.
    pictures : bool
        Show the strongest frames and measure light and sharpness, for which the video is read.
    copy : bool
        If browsers do not play the video, write a copy beside the page that they do, ``PAGE_video.mp4``: the same
        frames at the same times, in H.264.
    progress : bool or callable
        As in `FullPythonAUPipeline.process_video`.

    Returns
    -------
    Report

    Raises
    ------
    MissingColumnsError
        The table has no time or no action units.
    ValueError
        The table has no rows, or holds several recordings.
    VideoError
        The video cannot be read.
    OutputError
        The page, or the copy of the video, cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import pandas as pd
    >>> from pyfaceau import write_report
    >>> from pyfaceau.demo import DEMO_TRUTH
    >>> page = pathlib.Path(tempfile.mkdtemp()) / "report.html"
    >>> report = write_report(pd.read_csv(DEMO_TRUTH), page)
    >>> page.exists()
    True
    """
    path = Path(path)
    check_page(path)
    layout.require_time(table)
    table = _checked(table)
    faces = _faces(table)
    film = None if video is None else Path(video)
    played = _played(film, path, copy, progress)
    size = _frame_size(table, film)
    hints = [str(unit) for unit in table.attrs["hints"]]
    events = find_events(table, threshold)
    moments = _moments(table, film, strongest(events, hints), progress) if film and pictures else []
    name = film.name if film else str(table.attrs.get("source") or path.stem)
    data = payload(table, faces, hints, events, size)
    data["exports"] = _exports(
        events, _about(table, data, name, played.copy or film if played else None, path)
    )
    content = {
        "title": title or name,
        "facts": sections.facts(table, faces, size),
        "sections": [each for each in _SECTIONS if each[0] != "apexes" or moments or film is None],
        "quality": judge(table, film if pictures else None),
        "video": played,
        "stage": sections.stage(data, film),
        "faces": [f"face {face_number(face)}" for face in faces],
        "units": [sections.unit(unit, events) for unit in data["units"]],
        "span": sections.span(table, faces),
        "thinned": sections.thinned(data),
        "apexes": [sections.moment(each) for each in moments],
        "apex_note": "" if film else "Give the video (--video) to see the strongest frames here.",
        "summaries": sections.summaries(table, threshold, hints),
        "summary_note": (
            f"Of the frames with a face. Active: intensity {threshold:g} or more. In brackets 95 % confidence "
            "intervals for this recording, by block bootstrap; they say nothing about other people."
        ),
        "events": sections.event_table(events, hints, len(faces) > 1),
        "events_total": len(events),
        "events_note": (
            f"An event begins with the first frame in which a unit reaches an intensity of {threshold:g}, and ends "
            "with the last."
        )
        if events
        else f"No unit reaches an intensity of {threshold:g}.",
        "exports": [("eaf", "Save for ELAN (.eaf)"), ("boris", "Save for BORIS (.boris)")] if events else [],
        **_provenance(table, threshold),
        "data": data,
    }
    done = write_page(path, render("report.html", content, scripted=True))
    return Report(done, _remarks(data, film, played), played.copy if played else None)


@dataclass(frozen=True)
class _Played:
    """What the page plays: `src` as it refers to it, `place` for people, why browsers may not play the video itself."""

    name: str
    src: str
    place: str
    why: str
    copy: Path | None


def _played(film: Path | None, page: Path, copy: bool, progress: bool | ProgressCallback) -> _Played | None:
    if film is None:
        return None
    why = obstacle(film)
    copied = page.with_name(f"{page.stem}_video.mp4") if why and copy and h264_encoder() else None
    if copied is not None:
        copy_for_browsers(film, copied, progress)
    src = address(copied or film, page)
    return _Played(film.name, src, unquote(src), why, copied)


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    """Copy the table with a record whose entries are of the kind that they must be; the table may be anybody's."""
    known: dict[str, Any] = {str(name): value for name, value in table.attrs.items()}
    checks: dict[str, Callable[[Any], bool]] = {
        "hints": lambda v: isinstance(v, (list, tuple)) and all(isinstance(unit, str) for unit in v),
        "rotated": lambda v: v in (0, 90, 180, 270),
        "frame_size": lambda v: len(v) == 2 and all(isinstance(n, int) and 0 < n < 1 << 16 for n in v),
        "camera": lambda v: all(math.isfinite(v[name]) for name in ("fx", "fy", "cx", "cy")),
        "fps": lambda v: math.isfinite(v) and v > 0,
        "options": lambda v: int(v.get("every", 1)) > 0,
    }
    for name, fits in checks.items():
        try:
            good = name in known and fits(known[name])
        except (AttributeError, KeyError, TypeError, ValueError):
            good = False
        if not good:
            known.pop(name, None)
    known.setdefault("hints", [])
    out: pd.DataFrame = table.copy(deep=False)
    out.attrs.clear()
    out.attrs.update(known)
    return out


def _faces(table: pd.DataFrame) -> list[Track]:
    """Return the faces of the table, the one with most frames first."""
    found = layout.tracks(table)
    if not found:
        raise ValueError("the table has no rows: there is nothing to report")
    if any("video" in track.key for track in found) and len({track.key["video"] for track in found}) > 1:
        raise ValueError("the table holds several recordings; give that of one, or the folder of a batch")
    seen = layout.has_face(table)
    return sorted(found, key=lambda track: (-int(seen[track.rows].sum()), face_number(track)))


def _frame_size(table: pd.DataFrame, video: Path | None) -> tuple[int, int] | None:
    """Width and height of the analysed frames, px: as recorded, or those of the video."""
    known = table.attrs.get("frame_size")
    if known is not None:
        return int(known[0]), int(known[1])
    if video is None:
        return None
    from ..video import open_video

    with open_video(video, rotate=int(table.attrs.get("rotated") or 0)) as source:
        for frame in source:
            return frame.image.shape[1], frame.image.shape[0]
    raise VideoError(f"{video}: the video holds no frames")


def _moments(
    table: pd.DataFrame, video: Path, events: Sequence[Event], progress: bool | ProgressCallback
) -> list[ApexPicture]:
    if "frame" not in table or not events:
        return []
    clock, numbers = layout.seconds(table), table["frame"].to_numpy(np.int64)
    rows = {face_number(track): track.rows for track in layout.tracks(table)}
    frames = []
    for event in events:
        here = rows[event.face]
        frames.append(int(numbers[here[int(np.argmin(np.abs(clock[here] - event.apex)))]]))
    return apex_pictures(video, table, events, frames, progress)


def _about(
    table: pd.DataFrame, data: Mapping[str, Any], name: str, video: Path | None, page: Path
) -> Recording:
    media = (
        "" if video is None else os.path.relpath(video.resolve(), page.resolve().parent).replace(os.sep, "/")
    )
    clock = layout.seconds(table)
    duration = float(np.nanmax(clock)) + data["interval"] if len(clock) else 0.0
    fps = float(table.attrs.get("fps") or 1 / data["interval"])
    return Recording(name, media, fps, duration, now().isoformat(timespec="seconds"))


def _exports(events: Sequence[Event], about: Recording) -> dict[str, Any]:
    stem = Path(about.name).stem or "events"
    files = {
        "eaf": (f"{stem}.eaf", "application/xml", eaf(events, about)),
        "boris": (f"{stem}.boris", "application/json", boris(events, about)),
    }
    return {
        key: {
            "name": name.encode("utf-8", "replace").decode("utf-8"),
            "type": kind,
            "content": squeeze(text.encode("utf-8", "replace")),
        }
        for key, (name, kind, text) in files.items()
    }


def _provenance(table: pd.DataFrame, threshold: float) -> dict[str, Any]:
    known = {str(name): value for name, value in table.attrs.items() if name != "hints" or value}
    found = provenance(known, threshold)
    return {
        "provenance": found.facts,
        "no_provenance": NOTHING_KNOWN,
        "record": found.record,
        "methods": found.methods,
        "references": found.references,
    }


def _remarks(data: Mapping[str, Any], video: Path | None, played: _Played | None) -> list[str]:
    found = []
    if played is not None and played.copy is not None:
        found.append(f"{video} is {played.why}, which browsers do not play: the page plays the copy")
    elif played is not None and played.why:
        mend = "--copy (in Python copy=True) writes a copy that they play" if h264_encoder() else ADVICE
        found.append(f"{video} is {played.why}, which browsers may not play; {mend}")
    lacking = sections.lacking(data, video)
    if video is not None and lacking is not None:
        found.append(f"{lacking.says} {lacking.command}")
    return found
