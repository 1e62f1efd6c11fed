"""Caches of training areas for the CEN patch experts: one uint8 array per scale and view."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .data import MIRROR_68, centred
from .lips import varied_mouth
from .pdm import ShapeModel
from .sampling import (
    SUPPORT,
    FittedFaces,
    Jitter,
    photometric,
    resized_points,
    sample_areas,
    simulated_frame,
)

LOG = logging.getLogger(__name__)
SCALES = (0.25, 0.35, 0.5, 1.0)
# how far, in reference px, windows may lie from the true place at each scale
REACH = (9, 8, 7, 7)
# smallest face, px per mm, that still has detail at the scale
MINIMUM_SIZE = (0.0, 0.0, 0.22, 0.33)
VIEW_YAW_DEGREES = (0.0, 26.0, -26.0)
FRONTAL_LIMIT, SIDE_LIMIT = np.radians(17.0), np.radians(7.0)


@dataclass(frozen=True)
class AreaSet:
    """Areas (E, N, side, side) uint8 for E experts and the true place (E, N, 2) relative to the centre."""

    areas: NDArray[np.uint8]
    truth: NDArray[np.float32]

    def take(self, rows: NDArray[np.int64]) -> AreaSet:
        """Return the areas of some of the experts."""
        return AreaSet(self.areas[rows], self.truth[rows])


def frontal_experts() -> NDArray[np.int64]:
    """List the landmarks that own an expert in view 0: the first of each mirrored pair and the midline."""
    return np.flatnonzero(np.arange(68) <= MIRROR_68)


def experts_of(view: int) -> NDArray[np.int64]:
    """List the landmarks of the trained experts of view 0 or 1, in order."""
    return frontal_experts() if view == 0 else np.arange(68)


def rows_of(view: int, landmarks: Sequence[int]) -> NDArray[np.int64]:
    """Rows of `experts_of` that find ``landmarks`` or, mirrored, their partners."""
    wanted = np.concatenate([landmarks, MIRROR_68[list(landmarks)]])
    return np.flatnonzero(np.isin(experts_of(view), wanted))


def collect_areas(
    model: ShapeModel,
    faces: FittedFaces,
    images: list[NDArray[np.uint8]],
    scale_index: int,
    copies: int,
    seed: int,
    jitter: Jitter,
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]:
    """Areas of all 68 landmarks of all faces: (N, 68, side, side) uint8, truth (N, 68, 2), face index (N,).

    Copy 0 is the image as it is, later copies are photometrically varied and have other mouths; ``jitter`` simulates
    fitting errors.
    """
    rng, mouths = np.random.default_rng([seed, scale_index]), np.random.default_rng([seed, scale_index, 1])
    scale = SCALES[scale_index]
    side = 2 * REACH[scale_index] + SUPPORT
    big_enough = np.flatnonzero(faces.scale >= MINIMUM_SIZE[scale_index])
    total = len(big_enough) * copies
    areas = np.empty((total, 68, side, side), dtype=np.uint8)
    truth = np.empty((total, 68, 2), dtype=np.float32)
    owner = np.empty(total, dtype=np.int64)
    at = 0
    for index in big_enough.tolist():
        for copy in range(copies):
            image, points = images[index], faces.points[index]
            to_image = simulated_frame(model, faces, index, scale, jitter, rng)
            if copy:
                varied, _ = photometric(varied_mouth(image, points, mouths), rng)
                fx, fy = varied.shape[1] / image.shape[1], varied.shape[0] / image.shape[0]
                points = resized_points(points, fx, fy)
                to_image = to_image * np.sqrt(fx * fy)
                image = varied
            offset = rng.uniform(-0.5, 0.5, (68, 2))
            centres = points + offset @ to_image.T
            areas[at] = np.clip(np.rint(sample_areas(image, centres, to_image, side)), 0, 255).astype(
                np.uint8
            )
            truth[at] = -offset
            owner[at] = index
            at += 1
    return areas, truth, owner


def _flip(
    areas: NDArray[np.uint8], truth: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    return areas[:, MIRROR_68][..., ::-1], truth[:, MIRROR_68] * np.array([-1.0, 1.0], dtype=np.float32)


def split_by_view(
    areas: NDArray[np.uint8], truth: NDArray[np.float32], yaw: NDArray[np.float64], view: int
) -> AreaSet:
    """Select and mirror the areas that train the experts of view 0 (39 landmarks) or view 1 (all 68)."""
    flipped, flipped_truth = _flip(areas, truth)
    experts = experts_of(view)
    if view == 0:
        chosen = np.abs(yaw) <= FRONTAL_LIMIT
        first, second = chosen, chosen
    else:
        first, second = yaw >= SIDE_LIMIT, yaw <= -SIDE_LIMIT
    stacked = np.concatenate([areas[first][:, experts], flipped[second][:, experts]])
    stacked_truth = np.concatenate([truth[first][:, experts], flipped_truth[second][:, experts]])
    return AreaSet(
        np.ascontiguousarray(stacked.transpose(1, 0, 2, 3)),
        np.ascontiguousarray(stacked_truth.transpose(1, 0, 2)),
    )


def clip_frames(folder: Path, step: int) -> tuple[list[NDArray[np.uint8]], NDArray[np.float64]]:
    """Every ``step``-th frame of the clips as grey, with MediaPipe's points (n, 478, 3)."""
    images: list[NDArray[np.uint8]] = []
    points = []
    for path in sorted(folder.glob("*.avi")):
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as stored:
            found = centred(stored["points"].astype(np.float64))
        capture = cv2.VideoCapture(str(path))
        for number in range(len(found)):
            good, frame = capture.read()
            if not good:
                LOG.warning("%s: only %d of %d frames decode", path, number, len(found))
                break
            if number % step == 0 and not np.isnan(found[number]).any():
                images.append(np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), dtype=np.uint8))
                points.append(found[number])
        capture.release()
    return images, np.array(points)
