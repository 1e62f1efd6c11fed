"""Writes what pyfaceau says about its open action-unit models, from the figures of their card.

python -m weights.quality
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "weights/cards/au_figures.json"
PACKAGED = ROOT / "pyfaceau/pyfaceau/open_models_quality.json"
#: A unit that agrees less than this with OpenFace, as the mean of the sample videos, follows no reference: it is a
#: hint only. Units below it agree with OpenFace (r of 0.2 and more) on at most one of the four videos.
HINT_BELOW = 0.2
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


def _figure(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(value, 3)


def text() -> str:
    """Return the file's content."""
    return json.dumps(quality(json.loads(FIGURES.read_text())), indent=1) + "\n"


if __name__ == "__main__":
    PACKAGED.write_text(text())
