"""What notebooks show of results and pipelines: HTML without scripts, so that it stays in a saved notebook."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from .action_units import AU_NAMES, unit_of

if TYPE_CHECKING:
    import pandas as pd

    from .pipeline import FullPythonAUPipeline
    from .result import FrameResult

_SIDE = 280  # px of the face
_FULL = 5.0  # intensity
_LANDMARK = (60, 220, 255)  # blue, green, red
# Grey letters and bars are seen on light and on dark pages.
_BAR, _PRESENT, _EMPTY = "#4a90d9", "#3d9a50", "rgba(128,128,128,.25)"
_CELL = "padding:0 .5em;border:none;text-align:left"


def result_html(result: FrameResult) -> str:
    """Render a face: picture with landmarks, head pose, and a bar for each action unit.

    Parameters
    ----------
    result : FrameResult

    Returns
    -------
    str
        HTML.
    """
    head = f"frame {result.frame}"
    if np.isfinite(result.timestamp):
        head += f", {result.timestamp:.3f} s"
    state = f"confidence {result.confidence:.2f}" if result.tracked else "no face"
    lines = [f"<b>Face {result.face_id}</b> &middot; {head} &middot; {state}"]
    if result.tracked and np.isfinite(result.pose).all():
        pitch, yaw, roll = np.degrees(result.pose[3:])
        lines.append(
            f"pitch {pitch:.0f}&deg;, yaw {yaw:.0f}&deg;, roll {roll:.0f}&deg;, {result.pose[2] / 10:.0f} cm away"
        )
    face = _picture(result) if result.valid else ""
    bars = _bars(result) if result.valid else ""
    return (
        f'<div style="font-size:90%"><div>{"<br>".join(lines)}</div>'
        f'<div style="display:flex;gap:1em;align-items:flex-start">{face}{bars}</div></div>'
    )


def pipeline_html(pipeline: FullPythonAUPipeline) -> str:
    """Render the models and options of a pipeline as a table."""
    options = pipeline.options
    rows = {
        "models": pipeline.models.choice,
        "landmarks": pipeline.models.landmarks.stem,
        "action units": f"{options.au_models}, {len(pipeline.au_intensity_names)} intensities, "
        f"{len(pipeline.au_presence_names)} presences",
        "columns": ", ".join(pipeline.include),
        "faces": f"up to {options.max_faces}",
    }
    cells = "".join(
        f'<tr><th style="{_CELL}">{escape(name)}</th><td style="{_CELL}">{escape(value)}</td></tr>'
        for name, value in rows.items()
    )
    return f'<b>FullPythonAUPipeline</b><table style="font-size:90%">{cells}</table>'


def table_html(
    facts: Sequence[str], record: Mapping[Any, Any], summary: pd.DataFrame | None, left: int
) -> str:
    """Render what a table of results holds.

    Parameters
    ----------
    facts : sequence of str
        Rows, faces, duration and so on.
    record : mapping
        ``attrs`` of the table.
    summary : pandas.DataFrame or None
        From `FaceTable.summary`; None where there are no intensities.
    left : int
        Rows of the summary that are left out.

    Returns
    -------
    str
        HTML.
    """
    head = f"<b>Faces</b> &middot; {escape(', '.join(facts))}"
    if record.get("source"):
        head += f"<br>{escape(str(record['source']))}"
    if summary is None:
        return f"<div>{head}</div>"
    rows = []
    for key, row in summary.iterrows():
        names = [str(part) for part in (key if isinstance(key, tuple) else (key,))]
        unit = unit_of(names[-1])
        hint = " (hint only)" if unit in record.get("hints", ()) else ""
        words = " ".join([*names, AU_NAMES.get(unit, "")]) + hint
        numbers = (
            f"{row['mean']:.2f}",
            f"{row['peak']:.2f}",
            f"{row['active']:.0%}",
            f"{row['onsets_per_minute']:.1f}",
        )
        cells = "".join(
            f'<td style="{_CELL}">{"" if text.startswith("nan") else text}</td>' for text in numbers
        )
        bar = _bar(float(np.nan_to_num(row["mean"])), _BAR)
        rows.append(f'<tr><td style="{_CELL}">{escape(words)}</td><td style="{_CELL}">{bar}</td>{cells}</tr>')
    titles = ("", "", "mean", "peak", "active", "onsets a minute")
    header = "".join(f'<th style="{_CELL}">{title}</th>' for title in titles)
    more = f"<small>and {left} more rows</small>" if left > 0 else ""
    return (
        f'<div style="font-size:90%"><div>{head}</div><table style="line-height:1.15"><tr>{header}</tr>'
        f"{''.join(rows)}</table>{more}</div>"
    )


def _bar(value: float, colour: str) -> str:
    share = 100 * float(np.clip(value, 0, _FULL)) / _FULL
    return (
        f'<div style="width:8em;height:.7em;background:{_EMPTY}">'
        f'<div style="width:{share:.0f}%;height:100%;background:{colour}"></div></div>'
    )


def _picture(result: FrameResult) -> str:
    """Draw the aligned face, enlarged, with its landmarks."""
    scale = _SIDE / result.analysis.aligned_face.shape[0]
    image = np.asarray(
        cv2.resize(result.analysis.aligned_face, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), np.uint8
    )
    points = result.analysis.aligned_landmarks
    for x, y in (points + 0.5) * scale - 0.5 if points is not None else ():
        cv2.circle(image, (round(x * 16), round(y * 16)), 28, _LANDMARK, -1, cv2.LINE_AA, 4)
    return (
        f'<img width="{_SIDE}" height="{_SIDE}" alt="aligned face with landmarks" '
        f'src="{jpeg_address(image)}">'
    )


def jpeg_address(image: npt.NDArray[np.uint8]) -> str:
    """Return a picture as the ``data:`` address of a JPEG.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        BGR.

    Returns
    -------
    str
    """
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 88])
    assert done
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode('ascii')}"


def _bars(result: FrameResult) -> str:
    rows = []
    for name in sorted({*result.au_intensities, *result.au_presences}):
        value = result.au_intensities.get(name)
        present = bool(result.au_presences.get(name, 0))
        bar = "" if value is None else _bar(value, _PRESENT if present else _BAR)
        shown = "present" if value is None and present else "" if value is None else f"{value:.2f}"
        words = f"{name} {AU_NAMES.get(unit_of(name), '')}"
        rows.append(
            f'<tr><td style="{_CELL}">{"&#9679;" if present else ""}</td><td style="{_CELL}">{escape(words)}</td>'
            f'<td style="{_CELL}">{bar}</td><td style="{_CELL}">{shown}</td></tr>'
        )
    note = "&#9679; present. Values as predicted for this frame: not shifted, clipped or smoothed"
    if result.au_intensities and min(result.au_intensities.values()) < 0:
        note += ", so some are below 0"
    return f'<div><table style="font-size:90%;line-height:1.15">{"".join(rows)}</table><small>{note}.</small></div>'
