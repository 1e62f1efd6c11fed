"""Writes what is said about the open action-unit models, from the figures of their card.

``python -m weights.quality`` writes the file that pyfaceau packages, and the README's table of action units.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from pyfaceau.action_units import AU_NAMES

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "weights/cards/au_figures.json"
README = ROOT / "README.md"
PACKAGED = ROOT / "pyfaceau/pyfaceau/open_models_quality.json"
#: A unit that agrees less than this with OpenFace, as the mean of the sample videos, follows no reference: it is a
#: hint only. Units below it agree with OpenFace (r of 0.2 and more) on at most one of the four videos.
HINT_BELOW = 0.2
#: OpenFace 2.2: AU_all_best.txt. All others are dynamic: measured against the person's own median face.
STATIC_INTENSITIES = frozenset(f"AU{n:02d}" for n in (4, 6, 7, 10, 12, 14))
STATIC_PRESENCES = STATIC_INTENSITIES | {"AU05", "AU23"}
_BEGIN, _END = "<!-- action units: written by weights/quality.py -->", "<!-- end of action units -->"
#: Where each figure stands in the card's file.
SOURCES = {
    "openface": ("videos", "mean with gold"),
    "mediapipe": ("videos", "mean with mediapipe"),
    "people_left_out": ("clips_left_out",),
    "drawn_faces_left_out": ("rendered_people_left_out",),
}
MEANING = {
    "openface": "with OpenFace 2.2 on its four sample videos",
    "mediapipe": "with MediaPipe's blendshapes on the same videos",
    "people_left_out": "with MediaPipe's blendshapes on eight clips of people who were not in the training",
    "drawn_faces_left_out": "with the truth, on drawn faces of people who were not in the training",
}


def quality(figures: dict[str, Any]) -> dict[str, Any]:
    """Choose the figures that users are shown.

    Parameters
    ----------
    figures : dict
        Content of ``au_figures.json``.

    Returns
    -------
    dict
        ``hint_below``, ``meaning`` of each figure, and ``units``: by unit its figures (Pearson r, None where there
        is none) and whether it is a ``hint``; ``mean`` the means over all units.
    """
    columns: dict[str, dict[str, float]] = {}
    for name, path in SOURCES.items():
        entry: Any = figures
        for key in path:
            entry = entry[key]
        columns[name] = entry
    units = sorted(name for name in columns["openface"] if name.startswith("AU"))
    rows: dict[str, dict[str, Any]] = {}
    for unit in units:
        row: dict[str, Any] = {name: _figure(column.get(unit)) for name, column in columns.items()}
        row["hint"] = row["openface"] is None or row["openface"] < HINT_BELOW
        rows[unit] = row
    return {
        "figure": "Pearson r",
        "hint_below": HINT_BELOW,
        "meaning": MEANING,
        "mean": {name: _figure(column.get("mean")) for name, column in columns.items()},
        "units": rows,
    }


def readme_table(content: dict[str, Any]) -> str:
    """Return the README's table of action units: names, kinds of models, and the open models' figures."""
    lines = [
        "| unit | name | OpenFace's models: intensity, presence | open models: r with OpenFace "
        "| r with MediaPipe, people left out | |",
        "|---|---|---|---|---|---|",
    ]
    for unit, name in AU_NAMES.items():
        kinds = [
            "-" if kind == "intensity" and unit == "AU28" else "static" if unit in static else "dynamic"
            for kind, static in (("intensity", STATIC_INTENSITIES), ("presence", STATIC_PRESENCES))
        ]
        figures = content["units"].get(unit, {})
        shown = [_shown(figures.get(key)) for key in ("openface", "people_left_out")]
        hint = "a hint only" if figures.get("hint") else ""
        lines.append(f"| {unit} | {name} | {', '.join(kinds)} | {shown[0]} | {shown[1]} | {hint} |")
    means = [_shown(content["mean"][key]) for key in ("openface", "people_left_out")]
    return "\n".join([*lines, f"| mean | | | {means[0]} | {means[1]} | |"])


def with_table(readme: str, table: str) -> str:
    """Put the table between its marks in the README."""
    before, rest = readme.split(_BEGIN)
    return f"{before}{_BEGIN}\n\n{table}\n\n{_END}{rest.split(_END)[1]}"


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _figure(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(value, 3)


def text() -> str:
    """Return the file's content."""
    return json.dumps(quality(json.loads(FIGURES.read_text())), indent=1) + "\n"


if __name__ == "__main__":
    PACKAGED.write_text(text())
    README.write_text(with_table(README.read_text(), readme_table(json.loads(text()))))
