"""From the data folders to training material: fused labels, PDM fits and images, cached in a work folder."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .data import KeypointSet, load_keypoints, split_mask
from .labels import PointMap, estimate_bias, eye_distance, fit_point_map, fuse
from .patches import clip_frames
from .pdm import ShapeModel, fit_model
from .sampling import FittedFaces, fitted_faces

Array = NDArray[np.float64]
LOG = logging.getLogger(__name__)
# share of MediaPipe's opinion in the fused label: little is known about the jaw from either source
JAW_WEIGHT, FACE_WEIGHT = 0.5, 0.75
MAXIMUM_DISAGREEMENT = 0.10  # mean over points, in outer-eye distances; drops about 1 % of the crops
CLIP_STEP = 7


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


def train_pdm(data_root: Path, work: Path) -> ShapeModel:
    """Fit the PDM on trusted crops of people outside the test part."""
    data = load_keypoints(data_root / "keypoints")
    labels, _ = make_labels(data)
    learn = labels.trusted & ~split_mask(data.persons, "test")
    model = fit_model(labels.fused[learn], data_root / "ict_facekit" / "ict_facekit_light.npz")
    work.mkdir(parents=True, exist_ok=True)
    save_model(model, work / "pdm.npz")
    return model


def training_faces(
    data_root: Path, model: ShapeModel, part: str
) -> tuple[FittedFaces, list[NDArray[np.uint8]], NDArray[np.float64]]:
    """Faces of ``train``, ``validation`` or ``test``; ``train`` adds frames of the clips.

    Returns PDM fits, grey images and the raw (bias-free, not fused) labels, NaN for clip frames.
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
    return fitted_faces(model, points), images, raw
