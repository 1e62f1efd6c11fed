"""Head pose and action units of the whole pipeline, from video file to table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from table import Row

from pyfaceau import AnalysisOptions, FullPythonAUPipeline
from pyfaceau.result import FrameResult

VIDEOS = ("default.wmv", "changeLighting.wmv", "2015-10-15-15-14.avi", "multi_face.avi")
MODES = {"clnf": "clnf", "ceclm_fixture": "cen_fixture/main_ceclm_general.txt"}

# Mean abs difference, before clipping and smoothing, between the reference outputs and those of a second build of
# the same C++ sources (GCC 12, -O3 -march=native, OpenCV 4.6): what arithmetic in another order comes to.
BUILDS_DIFFER = {
    "clnf": (0.0255, 0.0326, 0.0306, 0.0273),
    "ceclm_fixture": (0.0220, 0.0220, 0.0266, 0.0222),
}
NOISE_FACTOR = 1.5  # as for tracks: one pair of builds is not the furthest apart that two builds can be


class _Online:
    """Collects what is known of each frame as it arrives."""

    def __init__(self) -> None:
        self.intensities: list[dict[str, float]] = []
        self.presences: list[dict[str, int]] = []

    def write(self, result: FrameResult, image: np.ndarray) -> None:
        self.intensities.append(result.au_intensities)
        self.presences.append(result.au_presences)

    def close(self) -> None:
        """Nothing is open."""


def rows(shared: Path) -> Iterator[Row]:
    """Compare pose, and action units before and after the final pass."""
    for mode, landmarks in MODES.items():
        choice = landmarks if landmarks == "clnf" else shared / landmarks
        # Rows without a face hold the reference's values, so that all rows are compared.
        options = AnalysisOptions(models=shared / "openface", landmarks=choice, number_format="openface")
        pipeline = FullPythonAUPipeline.from_options(options)
        for video, noise in zip(VIDEOS, BUILDS_DIFFER[mode], strict=True):
            gold = shared / "gold" / "video" / mode / Path(video).stem
            online = _Online()
            table = pipeline.process_video(shared / "media" / video, progress=False, sinks=[online])
            name = f"{mode}, {Path(video).stem}, whole pipeline"
            yield from _pose(name, table, gold)
            intensities, presences = (
                line.split() for line in (gold / "au_names.txt").read_text().splitlines()[:2]
            )
            yield from _action_units(
                f"{name}, as they come",
                _frame(online.intensities, np.load(gold / "au_reg_online.npy"), intensities),
                _frame(online.presences, np.load(gold / "au_class_online.npy"), presences),
                noise,
            )
            yield from _action_units(
                f"{name}, final",
                _table(table, pd.read_csv(gold / "au_reg_offline.csv"), "_r"),
                _table(table, pd.read_csv(gold / "au_class_offline.csv"), "_c"),
            )


def _pose(name: str, table: pd.DataFrame, gold: Path) -> Iterator[Row]:
    found = table[[c for c in table if c.startswith("pose_")]].to_numpy()
    success = np.load(gold / "frame_success_certainty_likelihood_view.npy")[:, 1] > 0
    error = np.median(np.abs(found - np.load(gold / "pose.npy"))[success], axis=0)
    yield Row(
        f"{name}: head position, median, mm", "<= 0.1", f"{error[:3].max():.3g}", error[:3].max() <= 0.1
    )
    yield Row(
        f"{name}: head rotation, median, rad", "<= 0.001", f"{error[3:].max():.3g}", error[3:].max() <= 1e-3
    )


Pair = tuple[pd.DataFrame, pd.DataFrame]


def _frame(found: list[dict[str, float]], gold: np.ndarray, names: list[str]) -> Pair:
    return pd.DataFrame(found)[names], pd.DataFrame(gold, columns=names)


def _table(table: pd.DataFrame, gold: pd.DataFrame, suffix: str) -> Pair:
    return table[[f"{name}{suffix}" for name in gold]].set_axis(gold.columns, axis=1), gold


def _action_units(name: str, intensities: Pair, presences: Pair, noise: float = 0.0) -> Iterator[Row]:
    found, gold = intensities
    moving = [au for au in gold if gold[au].std() > 0]
    r = {au: float(np.corrcoef(found[au], gold[au])[0, 1]) for au in moving}
    lowest = min(r, key=r.__getitem__)
    mean = float(np.mean(list(r.values())))
    yield Row(
        f"{name}: AU intensities, r",
        "mean >= 0.99, none below 0.97",
        f"{mean:.4f}, lowest {r[lowest]:.4f} ({lowest})",
        mean >= 0.99 and r[lowest] >= 0.97,
    )
    difference = float((found - gold).abs().to_numpy().mean())
    bar = max(0.02, NOISE_FACTOR * noise)
    yield Row(
        f"{name}: AU intensities, mean abs difference",
        f"<= {bar:.3f}" + (f" (two C++ builds: {noise:.4f})" if noise else ""),
        f"{difference:.4f}",
        difference <= bar,
    )
    equal = float((presences[0].to_numpy() == presences[1].to_numpy()).mean())
    yield Row(f"{name}: AU presences equal", ">= 98.5 %", f"{100 * equal:.2f} %", equal >= 0.985)
