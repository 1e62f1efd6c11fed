"""``python -m weights.judge``: one table of how the open pack does, from whatever of the test material is at hand.

Nothing here trains anything. The London people of the part ``judge`` (``splits/london_people.json``) are in no
training and no
calibration. Pictures are brought to an outer-eye distance of 59 px, faces are found by the detector of the pipeline.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyclnf import CLNF
from pyclnf.geometry import euler_to_matrix
from pyfaceau.demo import DEMO_CLIP, DEMO_TRUTH
from pyfaceau.pipeline import FullPythonAUPipeline
from pymtcnn import MTCNN
from weights.landmarks.data import centred, load_keypoints
from weights.landmarks.london import LondonSet, hand_figures, load_london, resized
from weights.landmarks.prepare import london_people, make_labels
from weights.moved import mouth_gaps, moved_figures
from weights.render.ict import load_ict

F64 = NDArray[np.float64]
LOG = logging.getLogger(__name__)
SIZE = 59.0
ROOT = Path(__file__).resolve().parents[1]
DRAWN_SIZE = 90.0  # outer-eye distance of drawn clips
PARTS = ("labels", "landmarks", "gaze", "smiles", "moved", "mouths", "demo", "videos")
VIDEOS = ("default.wmv", "2015-10-15-15-14.avi", "changeLighting.wmv")
POSE_BEFORE = {
    "default.wmv": "-0.10, -0.05; 0.95, 0.95",
    "2015-10-15-15-14.avi": "0.47, 0.07; 0.99, 0.63",
    "changeLighting.wmv": "-0.27, -0.33; 0.84, 0.53",
}
MOVEMENT_BEFORE = {"default.wmv": "0.91, 0.36", "2015-10-15-15-14.avi": "0.98, 0.68"}


@dataclass(frozen=True)
class Line:
    """One line: subject, what is measured, the figure, what was asked for and what the pack before had."""

    name: str
    figure: str
    asked: str = ""
    before: str = ""


def boxes(images: list[NDArray[np.uint8]]) -> list[F64 | None]:
    """Box of the surest face of each picture; None where there is none."""
    detector, out = MTCNN(), []
    for image in images:
        found = detector.detect(image)
        out.append(np.asarray(max(found, key=lambda d: d.score).box, np.float64) if found else None)
    return out


def _people(london: LondonSet, part: str) -> list[int]:
    chosen = set(london_people("judge"))
    return [
        k
        for k, person in enumerate(london.people)
        if part == "all" or (person in chosen) == (part == "judge")
    ]


def fitted(london: LondonSet, people: list[int], model: str, size: float = SIZE) -> tuple[F64, F64]:
    """Landmarks (n, 68, 2) of calm faces by a landmark model, and the hand-placed points of the same pictures."""
    pictures = [
        resized(london.image(london.people[k]), london.points[k], london.eye_distance[k], size)
        for k in people
    ]
    clnf = CLNF(model)
    found, hand = [], []
    for (image, points), box in zip(pictures, boxes([image for image, _ in pictures]), strict=True):
        if box is not None:
            found.append(clnf.fit(image, box).landmarks.astype(np.float64))
            hand.append(points)
    return np.array(found), np.array(hand)


def landmark_lines(data: Path, london: LondonSet, models: list[str]) -> Iterator[Line]:
    """Landmarks against hand-placed points, by skin lightness as well."""
    asked = "12 points 0.017, lids 0.008, lip gap 0.015, opening r 0.65"
    for part, text in (("judge", "kept out of training"), ("all", "all")):
        people = _people(london, part)
        for model in models:
            figures = hand_figures(*fitted(london, people, model))
            cells = ", ".join(
                f"{name} {value}"
                for name, value in zip(
                    ("12 points", "lids", "lips", "lip gap", "opening r"), figures.cells(), strict=True
                )
            )
            yield Line(
                f"landmarks, {model}, {figures.count} London people, {text}",
                cells,
                asked if model == "open" else "",
            )
    people = _people(london, "judge")
    light = np.array([london.lightness(k) for k in people])
    figures = hand_figures(*fitted(london, people, "open"))
    if figures.count == len(people):
        order = np.argsort(light)
        thirds = [f"L* {light[i].min():.0f}-{light[i].max():.0f}: {figures.per_person[i].mean():.4f}"
                  for i in np.array_split(order, 3)]  # fmt: skip
        yield Line(
            "12 points by lightness of the cheeks (the set here states neither skin nor sex)",
            ", ".join(thirds),
        )


def label_lines(data: Path, london: LondonSet, mesh: Path) -> Iterator[Line]:
    """Measure the training labels' own error: MediaPipe's points with the constants."""
    _, mapping = make_labels(load_keypoints(data / "keypoints"))
    with np.load(mesh, allow_pickle=False) as stored:
        at = {str(name): k for k, name in enumerate(stored["names"])}
        points = centred(stored["points"].astype(np.float64))
    people = _people(london, "judge")
    found = mapping(np.array([points[at[f"{london.people[k]}_neutral.jpg"]] for k in people]))
    cells = hand_figures(found, london.points[people]).cells()
    yield Line("training labels, the same people",
               "12 points {}, lids {}, lips {}, lip gap {}, opening r {}".format(*cells),
               "", "0.0227, , , 0.039, (map alone)")  # fmt: skip


def gaze_lines(london: LondonSet, models: list[str]) -> Iterator[Line]:
    """Angle between gaze and the lens, into which the London people look, calm and smiling."""
    from pyclnf.clnf import load_model
    from pyclnf.core.gaze import estimate_gaze
    from pyclnf.core.pose import Camera, head_pose

    for name in models:
        model = load_model(name)
        clnf = CLNF(model)
        errors, light = [], []
        for k in _people(london, "judge"):
            for smiling in (False, True):
                image = london.image(london.people[k], smiling)
                box = boxes([image])[0]
                if box is None:
                    continue
                fit = clnf.fit(image, box)
                camera = Camera.for_size(image.shape[1], image.shape[0])
                pose = head_pose(model, fit.params_global, fit.params_local, fit.landmarks, camera)
                gaze = estimate_gaze(model, fit, pose, camera, image)
                if gaze is None:
                    break
                mean = gaze.directions.mean(axis=0)
                eyes = gaze.landmarks_3d.mean(axis=0)
                towards = -eyes / np.linalg.norm(eyes)
                errors.append(np.degrees(np.arccos(np.clip(mean @ towards / np.linalg.norm(mean), -1, 1))))
                light.append(london.lightness(k))
        if errors:
            yield Line(f"gaze into the lens, {name}, {len(errors)} pictures of people kept out, degrees",
                       f"{np.mean(errors):.2f}", "3.5" if name == "open" else "")  # fmt: skip
            thirds = np.array_split(np.argsort(light, kind="stable"), 3)
            yield Line(f"the same by lightness of the cheeks, darkest third first, {name}",
                       ", ".join(f"{np.array(errors)[part].mean():.2f}" for part in thirds))  # fmt: skip


def auc(high: F64, low: F64) -> float:
    """Share of pairs in which the first is larger."""
    return float((high[:, None] > low).mean() + 0.5 * (high[:, None] == low).mean())


def smile_lines(london: LondonSet, models: list[str]) -> Iterator[Line]:
    """Compare static action units of calm and smiling faces."""
    people = _people(london, "judge")
    for name in models:
        pipeline = FullPythonAUPipeline(models=name, include=("aus",))
        tables = []
        for smiling in (False, True):
            rows = []
            for k in people:
                image, _ = resized(
                    london.image(london.people[k], smiling), london.points[k], london.eye_distance[k], SIZE
                )
                found = pipeline.process_image(image)
                if found:
                    rows.append(
                        {f"{unit}_r": max(value, 0.0) for unit, value in found[0].au_intensities.items()}
                    )
            tables.append(pd.DataFrame(rows))
        calm, smile = tables
        columns = [c for c in calm.columns if c.endswith("_r")]
        yield Line(
            f"smiles of {len(people)} people kept out, {name}, static",
            f"AU06 {auc(smile['AU06_r'].to_numpy(), calm['AU06_r'].to_numpy()):.2f}, "
            f"AU12 {auc(smile['AU12_r'].to_numpy(), calm['AU12_r'].to_numpy()):.2f}, "
            f"AU10's mean {smile['AU10_r'].mean():.2f}, "
            f"AU04 {auc(smile['AU04_r'].to_numpy(), calm['AU04_r'].to_numpy()):.2f}",
            "AU12 0.95, AU10 0.7, AU04 near 0.5" if name == "open" else "",
            "0.93, 0.96, 1.54, 0.68 (102 people)" if name == "open" else "",
        )
        level = calm[columns].mean().sort_values(ascending=False)
        yield Line(f"calm people, {name}: highest means",
                   ", ".join(f"{c[:4]} {v:.2f}" for c, v in level.head(4).items()),
                   "0.3" if name == "open" else "")  # fmt: skip


def demo_lines() -> Iterator[Line]:
    """Compare the demo clip with the weights it was drawn with."""
    truth = pd.read_csv(DEMO_TRUTH)
    found = FullPythonAUPipeline(models="open", include=("aus",)).process_video(DEMO_CLIP, progress=False)
    r = {c: float(np.corrcoef(found[c], truth[c])[0, 1]) for c in truth.columns if c.startswith("AU")}
    lowest = min(r, key=lambda c: r[c])
    yield Line(
        "demo clip, mean and lowest r with the truth",
        f"{np.mean(list(r.values())):.3f}, {r[lowest]:.3f} ({lowest[:4]})",
        "0.9",
    )


def video_lines(media: Path, gold: Path, mediapipe: Path | None) -> Iterator[Line]:
    """Levels on ``default.wmv``; head pose beside OpenFace's, gaze in the head beside MediaPipe's eye movement."""
    pipeline = FullPythonAUPipeline(models="open", include=("aus", "gaze", "pose"))
    for name in VIDEOS:
        found = pipeline.process_video(media / name, progress=False)
        if name == "default.wmv":
            yield Line(
                "default.wmv, mean AU05 and AU07",
                f"{found['AU05_r'].mean():.2f}, {found['AU07_r'].mean():.2f}",
                "0.5",
                "1.85, 1.98",
            )
        stored = gold / "cli" / f"FeatureExtraction_clnf_{Path(name).stem}.csv.gz"
        if stored.exists():
            theirs = pd.read_csv(stored, skipinitialspace=True)
            yield Line(
                f"head pose, {name}: r and slope with OpenFace's pitch; yaw",
                "; ".join(f"{r:.2f}, {k:.2f}" for r, k in pose_agreement(found, theirs)),
                "",
                POSE_BEFORE.get(name, ""),
            )
        shapes = None if mediapipe is None else mediapipe / f"{name}.npz"
        if shapes is not None and shapes.exists():
            yaw, pitch = movement_agreement(found, shapes)
            yield Line(f"gaze in the head, {name}: absolute r with MediaPipe's eye movement, yaw, pitch",
                       f"{yaw:.2f}, {pitch:.2f}", "0.85 where gaze moves", MOVEMENT_BEFORE.get(name, ""))  # fmt: skip


def pose_agreement(ours: pd.DataFrame, theirs: pd.DataFrame) -> list[tuple[float, float]]:
    """Return r with OpenFace's angle, and ours for each radian of it, of pitch and of yaw."""
    count = min(len(ours), len(theirs))
    out = []
    for column in ("pose_Rx", "pose_Ry"):
        a, b = ours[column].to_numpy(float)[:count], theirs[column].to_numpy(float)[:count]
        seen = np.isfinite(a) & np.isfinite(b)
        out.append((float(np.corrcoef(a[seen], b[seen])[0, 1]), float(np.polyfit(b[seen], a[seen], 1)[0])))
    return out


def movement_agreement(found: pd.DataFrame, blendshapes: Path) -> tuple[float, float]:
    """|r| of gaze in the head with MediaPipe's eye movement (``mediapipe_labels.py``), yaw and pitch."""
    with np.load(blendshapes, allow_pickle=False) as stored:
        shapes = stored["blendshapes"][:, 0].astype(np.float64)
    down_l, down_r, in_l, in_r, out_l, out_r, up_l, up_r = shapes[
        :, 11:19
    ].T  # eyeLookDownLeft to eyeLookUpRight
    theirs = (out_l - in_l + in_r - out_r, down_l + down_r - up_l - up_r)
    mean = sum(found[[f"gaze_{k}_{axis}" for axis in "xyz"]].to_numpy(float) for k in (0, 1))
    heads = np.array([euler_to_matrix(e) for e in found[["pose_Rx", "pose_Ry", "pose_Rz"]].to_numpy(float)])
    x, y, z = np.einsum("nij,ni->jn", heads, mean)
    out = []
    for ours, other in ((np.arctan2(x, -z), theirs[0]), (np.arctan2(y, -z), theirs[1])):
        seen = np.isfinite(ours) & np.isfinite(other)
        out.append(abs(float(np.corrcoef(ours[seen], other[seen])[0, 1])))
    return out[0], out[1]


def moved_lines(data: Path, london: LondonSet) -> Iterator[Line]:
    """Blinks and head turns that are known, in clips drawn from calm pictures of people kept out."""
    pictures = [
        resized(london.image(london.people[k]), london.points[k], london.eye_distance[k], DRAWN_SIZE)[0]
        for k in _people(london, "judge")
    ]
    seen = [(image, box) for image, box in zip(pictures, boxes(pictures), strict=True) if box is not None]
    figures = moved_figures(
        load_ict(data / "ict_facekit" / "ict_facekit_light.npz"), *map(list, zip(*seen, strict=True))
    )
    count = len(seen)
    yield Line(f"blinks drawn on {count} people kept out: r of AU45 with the closure, mean and lowest",
               f"{figures.au45.mean():.3f}, {figures.au45.min():.2f}", "0.9")  # fmt: skip
    yield Line(
        f"the same: r of the eye landmarks' opening with the closure ({count} people)",
        f"{figures.opening.mean():.3f}, {figures.opening.min():.2f}",
    )
    for name, value in (("nods", figures.pitch), ("turns", figures.yaw)):
        yield Line(f"{name} drawn on {count} people kept out: mean r and slope with the truth",
                   f"{value[:, 0].mean():.2f}, {value[:, 1].mean():.2f}")  # fmt: skip


def mouth_lines(data: Path, london: LondonSet, models: list[str]) -> Iterator[Line]:
    """Open mouths that are known, drawn on calm pictures of people kept out."""
    face = load_ict(data / "ict_facekit" / "ict_facekit_light.npz")
    placed = [
        resized(london.image(london.people[k]), london.points[k], london.eye_distance[k], SIZE)
        for k in _people(london, "judge")
    ]
    found = boxes([image for image, _ in placed])
    seen = [(*pair, box) for pair, box in zip(placed, found, strict=True) if box is not None]
    for name in models:
        truth, gap = mouth_gaps(
            face,
            name,
            [image for image, _, _ in seen],
            [box for *_, box in seen],
            [hand for _, hand, _ in seen],
        )
        r = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(truth, gap, strict=True)])
        slope = np.mean([np.polyfit(a, b, 1)[0] for a, b in zip(truth, gap, strict=True)])
        small, wide = (truth > 0.02) & (truth < 0.1), truth >= 0.1
        yield Line(
            f"mouths drawn open on {len(seen)} people kept out, {name}: mean r and slope of the lip gap with the "
            "truth; share of the truth, gaps of 0.02 to 0.1; above",
            f"{r:.3f}, {slope:.2f}; {gap[small].mean() / truth[small].mean():.2f}; "
            f"{gap[wide].mean() / truth[wide].mean():.2f}",
        )


def table(lines: list[Line]) -> str:
    """Markdown."""
    rows = [f"| {line.name} | {line.figure} | {line.asked} | {line.before} |" for line in lines]
    return "\n".join(["| what | figure | asked | before |", "|---|---|---|---|", *rows]) + "\n"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m weights.judge", description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--media", type=Path, default=ROOT.parent / "shared" / "media")
    parser.add_argument(
        "--gold", type=Path, default=ROOT.parent / "shared" / "gold", help="OpenFace's outputs"
    )
    parser.add_argument(
        "--mediapipe", type=Path, help="folder of mediapipe_labels.py's outputs for the videos, VIDEO.npz"
    )
    parser.add_argument(
        "--london", type=Path, help="MediaPipe's points of the London pictures, for the labels' own error"
    )
    parser.add_argument("--eyes", type=Path, help="eyes_figures.json of `weights.train eyes`")
    parser.add_argument("--models", nargs="+", default=["open"], help="open, clnf, ceclm or paths")
    parser.add_argument("--only", nargs="+", choices=PARTS)
    options = parser.parse_args()
    parts: dict[str, Callable[[], Iterator[Line]]] = {"demo": demo_lines}
    if (options.data / "london").is_dir():
        london = load_london(options.data / "london")
        parts["landmarks"] = lambda: landmark_lines(options.data, london, options.models)
        parts["gaze"] = lambda: gaze_lines(london, options.models)
        parts["smiles"] = lambda: smile_lines(london, [m for m in options.models if m == "open"])
        if (options.data / "ict_facekit").is_dir():
            parts["moved"] = lambda: moved_lines(options.data, london)
            parts["mouths"] = lambda: mouth_lines(options.data, london, options.models)
        if options.london is not None:
            parts["labels"] = lambda: label_lines(options.data, london, options.london)
    if options.media.is_dir():
        parts["videos"] = lambda: video_lines(options.media, options.gold, options.mediapipe)
    lines: list[Line] = []
    for name in PARTS:
        if name in parts and (not options.only or name in options.only):
            lines += parts[name]()
    if options.eyes is not None and options.eyes.exists():
        for name, value in json.loads(options.eyes.read_text()).items():
            shown = ", ".join(f"{v:.2f}" for v in value) if isinstance(value, list) else f"{value:.3f}"
            lines.append(Line(f"eyes: {name}", shown))
    sys.stdout.write(table(lines))


if __name__ == "__main__":
    main()
