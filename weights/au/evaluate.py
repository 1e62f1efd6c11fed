"""Figures of the AU models: unseen people, the demo clip, and other programs' opinions of the sample videos.

OpenFace's outputs are read here and nowhere else; nothing is trained or chosen on them.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyfaceau.demo import DEMO_CLIP, DEMO_TRUTH
from pyfaceau.options import AnalysisOptions
from pyfaceau.pipeline import FullPythonAUPipeline

from .labels import F64, INTENSITIES, PRESENCES, from_blendshapes, subject_means
from .regression import relative
from .sources import blendshape_names
from .training import CUTOFFS, load_material, prepare_dynamic

LOG = logging.getLogger(__name__)
VIDEOS = ("default.wmv", "changeLighting.wmv", "2015-10-15-15-14.avi", "multi_face.avi")
CARDS = Path(__file__).parents[1] / "cards"
FIGURES, CARD = CARDS / "au_figures.json", CARDS / "au.md"
_BEGIN, _END = "<!-- figures: written by the evaluate stage -->", "<!-- end of figures -->"
#: A unit counts as moving in a clip when its label spreads this much, relative to its spread in all clips.
MOVES = 0.3


def pearson(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Correlation, NaN where one of the two is constant."""
    if np.ptp(a) < 1e-9 or np.ptp(b) < 1e-9:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def smoothed(scores: F64, cutoff: float) -> F64:
    """Offset, clipping and moving average of three, as at the end of a sequence."""
    value = np.clip(scores - np.sort(scores)[int(len(scores) * cutoff)], 0, 5)
    out = value.copy()
    out[1:-1] = (value[:-2] + value[1:-1] + value[2:]) / 3
    return np.asarray(out)


def evaluate(options: argparse.Namespace) -> None:
    """Compute all figures that the available material allows and write them beside the cards."""
    figures: dict[str, object] = {"demo": demo_figures()}
    figures |= held_out_figures(options)
    media = options.media / "media"
    if media.is_dir():
        figures["videos"] = video_figures(options)
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    if CARD.exists():
        head, _, rest = CARD.read_text().partition(_BEGIN)
        CARD.write_text(head + _BEGIN + "\n" + figure_table(figures) + _END + rest.partition(_END)[2])
    LOG.info("figures: %s", FIGURES)


def figure_table(figures: dict[str, Any]) -> str:
    """Write the figures as a Markdown table, one row a unit."""
    demo = {name.removesuffix("_r"): r for name, r in figures["demo"].items()}
    columns = {
        "demo clip, truth": demo | {"mean": round(float(np.mean(list(demo.values()))), 3)},
        "rendered people left out, truth": figures["rendered_people_left_out"],
        "clips left out, MediaPipe": figures["clips_left_out"],
        "the same where the unit moves": figures["clips_left_out_where_the_unit_moves"],
    }
    for source, title in (("gold", "sample videos, OpenFace"), ("mediapipe", "sample videos, MediaPipe")):
        columns[title] = figures.get("videos", {}).get(f"mean with {source}", {})
    lines = ["", "| unit | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in (*INTENSITIES, "mean"):
        cells = [f"{column[name]:.2f}" if name in column else "" for column in columns.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n\n"


def demo_figures() -> dict[str, float]:
    """R with the truth for each unit that the demo clip moves."""
    result = FullPythonAUPipeline(models="open", include=("aus",)).process_video(DEMO_CLIP, progress=False)
    truth = pd.read_csv(DEMO_TRUTH)
    return {
        c: round(pearson(result[c].to_numpy(), truth[c].to_numpy()), 3)
        for c in truth.columns
        if c.startswith("AU")
    }


def held_out_figures(options: argparse.Namespace) -> dict[str, object]:
    """Clips left out one by one (MediaPipe's labels) and rendered faces of people left out (truth)."""
    material = load_material(options.work, options.data)
    real, rendered, names = material.real[0], material.rendered, material.names
    sums = prepare_dynamic(material)
    plain = relative(real.features[:, ::2], real.subject)[:, 0] * sums.scale
    labels = from_blendshapes(real.blendshapes, names)
    spread = np.array([labels[real.subject == name].std(axis=0) for name in sums.clips])
    clip: list[list[float]] = []
    for name in sums.clips:
        rows = real.subject == name
        scores = plain[rows] @ sums.weights(without=name)
        clip.append([
            pearson(smoothed(scores[:, PRESENCES.index(au)], CUTOFFS[au]), labels[rows, PRESENCES.index(au)])
            for au in INTENSITIES
        ])  # fmt: skip
    columns = [PRESENCES.index(au) for au in INTENSITIES]
    moving = (spread / spread.mean(axis=0))[:, columns] > MOVES
    out = rendered.part != "train"
    features = (relative(rendered.features, rendered.subject) * sums.scale)[out][:, 0]
    truth = (rendered.truth - subject_means(rendered.truth, rendered.subject))[out]
    scores = features @ sums.weights()
    table = np.array(clip)
    return {
        "clips_left_out": _by_au(np.nanmean(table, axis=0)),
        "clips_left_out_where_the_unit_moves": _by_au(np.nanmean(np.where(moving, table, np.nan), axis=0)),
        "rendered_people_left_out": _by_au(np.array([pearson(scores[:, c], truth[:, c]) for c in columns])),
    }


def _by_au(values: F64) -> dict[str, float]:
    """Figures by unit and their mean, rounded."""
    out = {au: round(float(v), 3) for au, v in zip(INTENSITIES, values, strict=True)}
    return out | {"mean": round(float(np.nanmean(values)), 3)}


def video_figures(options: argparse.Namespace) -> dict[str, object]:
    """Run the pipeline on the sample videos: r with the C++ reference and, where MediaPipe runs, with it."""
    # Rows without a face hold what OpenFace writes there, as in the reference's files.
    asked = AnalysisOptions(models="open", include=("aus", "landmarks"), number_format="openface")
    pipeline = FullPythonAUPipeline.from_options(asked)
    out: dict[str, object] = {}
    tables: dict[str, list[list[float]]] = {"gold": [], "mediapipe": []}
    for name in VIDEOS:
        stem = Path(name).stem
        result = pipeline.process_video(options.media / "media" / name, progress=False)
        found = np.stack([result[f"{au}_r"].to_numpy() for au in INTENSITIES], axis=1)
        gold = pd.read_csv(options.media / "gold/video/clnf" / stem / "au_reg_offline.csv")
        rows = [pearson(found[:, i], gold[au].to_numpy()) for i, au in enumerate(INTENSITIES)]
        tables["gold"].append(rows)
        out[f"{stem} with OpenFace"] = _by_au(np.array(rows))
        labels = _video_labels(options, name, result)
        if labels is not None:
            seen = ~np.isnan(labels).any(axis=1)
            rows = [
                pearson(found[seen, i], labels[seen, PRESENCES.index(au)]) for i, au in enumerate(INTENSITIES)
            ]
            tables["mediapipe"].append(rows)
            out[f"{stem} with MediaPipe"] = _by_au(np.array(rows))
    for source, rows_of in tables.items():
        if rows_of:
            out[f"mean with {source}"] = _by_au(np.nanmean(np.array(rows_of), axis=0))
    return out


def _video_labels(options: argparse.Namespace, name: str, result: pd.DataFrame) -> F64 | None:
    """MediaPipe's sums (n, 18) for the face that was tracked; None without MediaPipe."""
    path = options.work / f"{Path(name).stem}_mediapipe.npz"
    if not path.exists():
        if options.mediapipe_python is None:
            return None
        script = Path(__file__).with_name("mediapipe_labels.py")
        command = [options.mediapipe_python, script, options.data / "mediapipe/face_landmarker.task",
                   options.media / "media" / name, path]  # fmt: skip
        subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr)
    with np.load(path) as stored:
        blendshapes, centres = stored["blendshapes"].astype(np.float64), stored["centres"]
    points = np.stack([result[[f"{c}_{i}" for i in range(68)]].to_numpy() for c in "xy"], axis=2)
    away = np.linalg.norm(centres - points.mean(axis=1)[:, None], axis=2)
    nearest = np.argmin(np.where(np.isnan(away), np.inf, away), axis=1)
    rows = np.arange(len(nearest))
    chosen = blendshapes[rows, nearest]
    chosen[~(away[rows, nearest] < 0.5 * np.ptp(points[:, :, 0], axis=1))] = np.nan
    return from_blendshapes(chosen, blendshape_names(options.data))
