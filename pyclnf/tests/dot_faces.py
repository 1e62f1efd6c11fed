"""Faces that are rings of bright dots, a model that fits them, and a detector that knows the scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyclnf import PDM, LandmarkModel

N_POINTS = 10
RADIUS = 60.0  # mm
SIZE = (240, 320)
_DOT = 2.5  # px, standard deviation
_SEEN_FROM = 60  # mean brightness under the landmarks


@dataclass(frozen=True)
class DotFace:
    """A face in the scene: centre in px, px per mm."""

    x: float
    y: float
    scale: float = 0.5

    @property
    def landmarks(self) -> np.ndarray:
        angle = 2 * np.pi * np.arange(N_POINTS) / N_POINTS
        ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return np.array([self.x, self.y]) + self.scale * RADIUS * ring

    @property
    def box(self) -> np.ndarray:
        low, high = self.landmarks.min(axis=0), self.landmarks.max(axis=0)
        return np.array([*low, *(high - low)], np.float32)


def draw(faces: list[DotFace]) -> np.ndarray:
    """Paint faces, the last in front; what a face covers is dark."""
    rows, cols = np.mgrid[: SIZE[0], : SIZE[1]]
    image = np.zeros(SIZE)
    for face in faces:
        inside = np.hypot(cols - face.x, rows - face.y) < 1.25 * face.scale * RADIUS
        image[inside] = 0
        for x, y in face.landmarks:
            image = np.maximum(image, 255 * np.exp(-((cols - x) ** 2 + (rows - y) ** 2) / (2 * _DOT**2)))
    return np.rint(image).astype(np.uint8)


class DotExperts:
    """Patch experts whose response is the brightness of a pixel."""

    scale = 0.5
    centres = np.zeros((1, 3))
    visibility = np.ones((1, N_POINTS), np.uint8)
    confidence = np.ones((1, N_POINTS), np.float32)

    def responses(self, grey, shape, to_image, window, view, out, threads=1):
        step = np.arange(window) - window // 2
        offset = np.stack(np.meshgrid(step, step), axis=-1) @ np.asarray(to_image, np.float64).T
        place = np.rint(shape.reshape(2, -1).T[:, None, None] + offset).astype(int)
        x, y = np.clip(place[..., 0], 0, SIZE[1] - 1), np.clip(place[..., 1], 0, SIZE[0] - 1)
        out[:, :, :window] = grey[y, x] / np.float32(255) + np.float32(1e-3)


class DotValidator:
    """Sure where the landmarks lie on something bright."""

    def certainty(self, rotation, grey, landmarks):
        x, y = np.rint(landmarks.reshape(2, -1)).astype(int)
        x, y = np.clip(x, 0, SIZE[1] - 1), np.clip(y, 0, SIZE[0] - 1)
        return 0.975 if grey[y, x].mean() > _SEEN_FROM else 0.025


def model() -> LandmarkModel:
    angle = 2 * np.pi * np.arange(N_POINTS) / N_POINTS
    # Not flat: a flat shape seen from the front says nothing about its rotation.
    mean = np.concatenate([RADIUS * np.cos(angle), RADIUS * np.sin(angle), 15 * np.cos(2 * angle)])
    bulge = np.concatenate([np.zeros(2 * N_POINTS), np.cos(3 * angle)])
    pdm = PDM(mean, (bulge / np.linalg.norm(bulge)).reshape(-1, 1), [10.0])
    scales = (DotExperts(), DotExperts())  # tracking passes over the first
    return LandmarkModel(Path("dots.txt"), pdm, scales, (), DotValidator(), None, ())


@dataclass(frozen=True)
class Found:
    """A detection."""

    box: np.ndarray


class SceneDetector:
    """Finds the faces it is told of, and remembers when it was asked."""

    def __init__(self) -> None:
        self.faces: list[DotFace] = []
        self.calls = 0

    def detect(self, image: np.ndarray) -> list[Found]:
        self.calls += 1
        return [Found(face.box) for face in self.faces]
