"""From the data folders to training material: fused labels, PDM fits and images, cached in a work folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .data import KeypointSet, centred, load_keypoints, split_mask
from .labels import PointMap, estimate_bias, eye_distance, fit_point_map, fuse
from .london import hand_targets, load_london, resized
from .patches import clip_frames
from .pdm import ShapeModel, fit_model
from .sampling import FittedFaces, fitted_faces

Array = NDArray[np.float64]
LOG = logging.getLogger(__name__)
# share of MediaPipe's opinion in the fused label: little is known about the jaw from either source
JAW_WEIGHT, FACE_WEIGHT = 0.5, 0.75
MAXIMUM_DISAGREEMENT = 0.10  # mean over points, in outer-eye distances; drops about 1 % of the crops
CLIP_STEP = 7
#: Outer-eye distances (px) at which each picture of the London people is a training face.
LONDON_SIZES = (42.0, 60.0, 90.0, 130.0)
LONDON_SPLIT = Path(__file__).resolve().parents[1] / "splits" / "london_people.json"
#: Drawn faces of training people: folder -> how many.
DRAWN = {"bent": 1500, "turned": 400, "rendered": 700, "transferred": 500}


@dataclass(frozen=True)
class Labels:
    """Bias-free labels (n, 68, 2), fused labels, eye distance (n,) and which crops are trusted."""

    corrected: Array
    fused: Array
    size: Array
    trusted: NDArray[np.bool_]


def make_labels(data: KeypointSet) -> tuple[Labels, PointMap]:
    """Undo the bias, fuse with MediaPipe and judge; bias and map are learnt on people outside ``test``.

    Also returns the point map, for frames that only have MediaPipe's points.
    """
    seen = ~np.isnan(data.mediapipe).any(axis=(1, 2))
    learn = seen & ~split_mask(data.persons, "test")
    bias = estimate_bias(data.landmarks[learn], data.mediapipe[learn])
    LOG.info(
        "label bias: constant %s px, slope %s of the eye distance",
        bias.constant.round(3),
        bias.slope.round(4),
    )
    fallback = np.linalg.norm(data.landmarks[:, 45] - data.landmarks[:, 36], axis=1)
    size = np.where(seen, eye_distance(np.nan_to_num(data.mediapipe)), fallback)
    corrected = data.landmarks - bias.shift(size)[:, None]
    mapping = fit_point_map(corrected[learn], data.mediapipe[learn])
    fused = corrected.copy()
    disagreement = np.full(len(size), np.inf)
    fused[seen], disagreement[seen] = fuse(
        corrected[seen], mapping(data.mediapipe[seen]), size[seen], JAW_WEIGHT, FACE_WEIGHT
    )
    return Labels(corrected, fused, size, disagreement < MAXIMUM_DISAGREEMENT), mapping


def save_model(model: ShapeModel, path: Path) -> None:
    """Keep a PDM in full precision."""
    np.savez(path, mean=model.mean, basis=model.basis, eigenvalues=model.eigenvalues)


def load_model(path: Path) -> ShapeModel:
    """Load a PDM kept by :func:`save_model`."""
    with np.load(path, allow_pickle=False) as stored:
        return ShapeModel(stored["mean"], stored["basis"], stored["eigenvalues"])


def train_pdm(data_root: Path, work: Path, london: Path | None = None) -> ShapeModel:
    """Fit the PDM on trusted crops of people outside the test part, and on the London people for training."""
    data = load_keypoints(data_root / "keypoints")
    labels, mapping = make_labels(data)
    learn = labels.trusted & ~split_mask(data.persons, "test")
    points = labels.fused[learn]
    if london is not None:
        points = np.concatenate([points, london_faces(data_root, london, mapping, LONDON_SIZES[:1])[1]])
    model = fit_model(points, data_root / "ict_facekit" / "ict_facekit_light.npz")
    work.mkdir(parents=True, exist_ok=True)
    save_model(model, work / "pdm.npz")
    return model


def drawn_faces(folder: Path, seed: int = 3) -> tuple[list[NDArray[np.uint8]], Array]:
    """Grey pictures of training people that `weights.au` drew, and their exact points (n, 68, 2).

    A fixed choice of bent and turned heads, of independent action units and of transferred expressions.
    """
    rng = np.random.default_rng(seed)
    images: list[NDArray[np.uint8]] = []
    points = []
    for name, count in DRAWN.items():
        with np.load(folder / name / "truth.npz", allow_pickle=False) as stored:
            part, truth = stored["part"], stored["points"]
        able = np.flatnonzero(part == "train")
        for index in np.sort(rng.permutation(able)[:count]):
            path = folder / name / f"{index:05d}.jpg"
            image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            if image is None:
                raise FileNotFoundError(
                    f"{path}: not a readable image; run `python -m weights.train au --stages draw`"
                )
            images.append(np.asarray(image, np.uint8))
            points.append(truth[index])
    return images, np.array(points)


def london_people(part: str) -> list[str]:
    """People of the London set: ``train``, or ``judge`` for those that no training and no calibration sees."""
    return [str(person) for person in json.loads(LONDON_SPLIT.read_text())[part]]


def london_faces(
    data_root: Path, mesh: Path, mapping: PointMap, sizes: Sequence[float] = LONDON_SIZES
) -> tuple[list[NDArray[np.uint8]], Array]:
    """Pictures of the London people for training, calm and smiling, and their points (n, 68, 2) px.

    Points placed by hand where there are such (calm faces), MediaPipe's (the file ``mesh``) elsewhere.
    """
    london = load_london(data_root / "london")
    with np.load(mesh, allow_pickle=False) as stored:
        at = {str(name): k for k, name in enumerate(stored["names"])}
        found = centred(stored["points"].astype(np.float64))
    images, points = [], []
    for person in london_people("train"):
        index = london.people.index(person)
        for smiling in (False, True):
            row = found[at[f"{person}_{'smiling' if smiling else 'neutral'}.jpg"]]
            if np.isnan(row).any():
                continue
            target = mapping(row[None])[0]
            if not smiling:
                hand = hand_targets(london.points[index], target)
                target = np.where(np.isnan(hand), target, hand)
            now = float(np.linalg.norm(target[45] - target[36]))
            for size in sizes:
                image, placed = resized(london.image(person, smiling), target, now, size)
                # the surroundings are grey and would only cost memory
                low = np.maximum((placed.min(axis=0) - 1.2 * size).astype(int), 0)
                high = (placed.max(axis=0) + 1.2 * size).astype(int) + 1
                image = image[low[1] : high[1], low[0] : high[0]]
                images.append(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8))
                points.append(placed - low)
    return images, np.array(points)


def training_faces(
    data_root: Path, model: ShapeModel, part: str, drawn: Path | None = None, london: Path | None = None
) -> tuple[FittedFaces, list[NDArray[np.uint8]], NDArray[np.float64]]:
    """Faces of ``train``, ``validation`` or ``test``; ``train`` adds clip frames, drawn faces and London people.

    Returns PDM fits, grey images and the raw (bias-free, not fused) labels, NaN for clip frames and drawn faces.
    """
    data = load_keypoints(data_root / "keypoints")
    labels, mapping = make_labels(data)
    chosen = np.flatnonzero(labels.trusted & split_mask(data.persons, part))
    images = [data.grey(int(index)) for index in chosen]
    points, raw = labels.fused[chosen], labels.corrected[chosen]
    if part == "train" and (data_root / "clips").is_dir():
        frames, mediapipe = clip_frames(data_root / "clips", CLIP_STEP)
        images += frames
        points = np.concatenate([points, mapping(mediapipe)])
        raw = np.concatenate([raw, np.full((len(frames), 68, 2), np.nan)])
    if part == "train" and drawn is not None:
        pictures, exact = drawn_faces(drawn)
        images += pictures
        points = np.concatenate([points, exact])
        raw = np.concatenate([raw, np.full((len(pictures), 68, 2), np.nan)])
    if part == "train" and london is not None:
        pictures, exact = london_faces(data_root, london, mapping)
        images += pictures
        points = np.concatenate([points, exact])
        raw = np.concatenate([raw, np.full((len(pictures), 68, 2), np.nan)])
    return fitted_faces(model, points), images, raw
