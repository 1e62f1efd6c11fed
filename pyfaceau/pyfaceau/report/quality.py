"""What is to be known about a recording before its numbers are read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..findings import layout
from ..findings.recording import LOW_CONFIDENCE, POSE_LIMITS
from .words import Remark, Tile, count_text, number_text, share_text, time_text

# Shares from which a recording is good, and below which it is poor; for people who look at many.
TRACKED = (0.95, 0.80)
UNSURE = (0.05, 0.20)
TURNED = (0.05, 0.20)
_DARK_GREY, _BRIGHT_GREY = 50.0, 205.0  # mean grey level, 0 to 255
_BURNT = 0.25  # share of pixels that are black or white
_WORST = {"good": 0, "fair": 1, "poor": 2}
_VERDICTS = {
    "good": "The recording is good enough to be measured: nothing below speaks against it.",
    "fair": "Usable with care: look at what is marked below before you trust the numbers.",
    "poor": "The numbers of large parts of this recording should not be trusted; see what is marked below.",
}


@dataclass(frozen=True)
class Quality:
    """Quality of a recording as the page shows it.

    Attributes
    ----------
    state : {"good", "fair", "poor"}
    verdict, strip : str
        In one sentence; in words for those who do not see the strip of certainty.
    tiles : list of Tile
    remarks : list of Remark
    """

    state: str
    verdict: str
    strip: str
    tiles: list[Tile]
    remarks: list[Remark]


def judge(table: pd.DataFrame, video: Path | None) -> Quality:
    """Judge a recording.

    Parameters
    ----------
    table : pandas.DataFrame
    video : Path, optional
        To look at its light as well.

    Returns
    -------
    Quality

    Raises
    ------
    VideoError
        The video cannot be read.
    """
    figures = table.face.quality(video=video)
    tracked = overall(figures, "tracked")
    turned, unsure = overall(figures, "pose_outside"), overall(figures, "low_confidence")
    gap = int(figures["longest_gap"].max()) if len(figures) else 0
    rate = layout.rate_of(table, layout.tracks(table)[0]) if len(table) else math.nan
    limits = " / ".join(f"{limit:.0f}°" for limit in POSE_LIMITS)
    tiles = [
        Tile(
            share_text(tracked),
            "of the frames show a face",
            high(tracked, TRACKED),
            f"longest gap {count_text(gap, 'frame')} ({time_text(gap / rate)})" if gap else "without a gap",
        )
    ]
    if math.isfinite(unsure):
        mean = number_text(overall(figures, "confidence"))
        tiles.append(
            Tile(
                mean,
                "mean confidence",
                low(unsure, UNSURE),
                f"below {LOW_CONFIDENCE:g} in {share_text(unsure)}",
            )
        )
    if math.isfinite(turned):
        note = f"pitch / yaw / roll beyond {limits}"
        tiles.append(Tile(share_text(turned), "head turned too far", low(turned, TURNED), note))
    tiles += _light(figures)
    attrs = {str(name): value for name, value in table.attrs.items()}
    remarks = [*_of_run(attrs), *_of_models(attrs)]
    judged = [tile.state for tile in tiles if tile.state] + [r.state for r in remarks if r.state]
    state = max(judged, key=_WORST.__getitem__, default="good")
    strip = f"Certainty of tracking over time: a face in {share_text(tracked)} of the frames"
    return Quality(state, _VERDICTS[state], strip, tiles, remarks)


def overall(figures: pd.DataFrame, name: str) -> float:
    """Average a figure of `FaceTable.quality` over the faces, by their frames; NaN where there is none."""
    weights = figures["frames"].to_numpy(np.float64)
    values = figures[name].to_numpy(np.float64) if name in figures else np.full(len(figures), np.nan)
    known = np.isfinite(values) & (weights > 0)
    return float(np.average(values[known], weights=weights[known])) if known.any() else math.nan


def high(value: float, limits: tuple[float, float]) -> str:
    """Judge a share that should be high: "good", "fair" or "poor"."""
    return "good" if value >= limits[0] else "fair" if value >= limits[1] else "poor"


def low(value: float, limits: tuple[float, float]) -> str:
    """Judge a share that should be low: "good", "fair" or "poor"."""
    return "good" if value <= limits[0] else "fair" if value <= limits[1] else "poor"


def _light(figures: pd.DataFrame) -> list[Tile]:
    """Light and sharpness, which are measured only with the video."""
    if "brightness" not in figures or not len(figures):
        return []
    first = figures.iloc[0]
    grey, burnt = float(first["brightness"]), max(float(first["dark"]), float(first["bright"]))
    word = "too dark" if grey < _DARK_GREY else "too bright" if grey > _BRIGHT_GREY else ""
    if not word and burnt > _BURNT:
        word = f"{share_text(burnt, 0)} of the picture is black or white"
    return [
        Tile(f"{grey:.0f}", "mean grey level (0–255)", "fair" if word else "good", word),
        Tile(f"{float(first['sharpness']):.0f}", "sharpness", "", "compare within one camera only"),
    ]


def _of_run(attrs: Mapping[str, Any]) -> list[Remark]:
    """Say what happened during the analysis and changes what the numbers mean."""
    found = []
    if attrs.get("complete") is False:
        found.append(Remark("The analysis does not cover the whole video: the table ends before it.", "fair"))
    if attrs.get("final_pass") is False:
        found.append(
            Remark(
                "Action units are as predicted frame by frame: no final pass with the person's own zero.",
                "fair",
            )
        )
    if attrs.get("short_sequence"):
        text = "The sequence is short: the face at rest is not known well, and intensities depend on it."
        found.append(Remark(text, "fair"))
    stamps = attrs.get("timestamps")
    differ = stamps.get("differ_from_frame_rate_s") if isinstance(stamps, Mapping) else None
    if isinstance(differ, (int, float)) and differ > 0.02:
        found.append(
            Remark(
                f"Time stamps differ from frame / frame rate by up to {differ:.2f} s: the frame rate varies."
            )
        )
    turned = attrs.get("rotated")
    if turned:
        found.append(Remark(f"The frames were turned by {turned}° before they were analysed."))
    camera = attrs.get("camera")
    if isinstance(camera, Mapping) and camera.get("guessed"):
        found.append(
            Remark(
                "The camera is not known, its focal length is a guess: distances and, less so, head pose "
                "and gaze depend on it."
            )
        )
    failed = attrs.get("side_outputs_failed")
    if failed:
        found.append(Remark(f"Not written: {failed}", "fair"))
    return found


def _of_models(attrs: Mapping[str, Any]) -> list[Remark]:
    hints = attrs.get("hints")
    if not hints:
        return []
    return [
        Remark(
            f"{', '.join(hints)}: hints only. These models follow no reference; do not take their values for "
            "measurements. They are grey below."
        )
    ]
