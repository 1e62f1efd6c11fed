"""Pictures under other light: a smooth field of brightness, gamma, softness and noise over the whole picture."""

from __future__ import annotations

import cv2
import numpy as np

from .sources import F64, U8

#: Spread of the slope of log brightness over a face (horizontal, vertical), and of one bent term.
SLOPE, BEND = 0.9, 0.5
GAMMA, EXPOSURE = 0.3, 0.35
SOFT_SHARE, NOISE = 0.3, 4.0


def relit(image: U8, points: F64, rng: np.random.Generator) -> U8:
    """Change the light of a face with known `points` (68, 2); side light darkens half of it."""
    height, width = image.shape[:2]
    centre = 0.5 * (points.min(axis=0) + points.max(axis=0))
    size = float(np.ptp(points[:, 0])) / 2
    x = np.clip((np.arange(width) - centre[0]) / size, -1.5, 1.5)[None, :]
    y = np.clip((np.arange(height) - centre[1]) / size, -1.5, 1.5)[:, None]
    field = rng.normal(0, SLOPE) * x + rng.normal(0, SLOPE) * y + rng.normal(0, BEND) * (x * x - y * y)
    field = 0.6 * np.tanh(field / 0.6 * 0.7) + rng.normal(0, EXPOSURE)
    value = 255.0 * (image / 255.0) ** np.exp(rng.normal(0, GAMMA)) * np.exp(field)[:, :, None]
    if rng.random() < SOFT_SHARE:
        value = cv2.GaussianBlur(value, (0, 0), float(rng.uniform(0.3, 0.02 * size + 0.4)))
    value = value + rng.normal(0, rng.uniform(0, NOISE), image.shape)
    return np.asarray(np.clip(value, 0, 255), np.uint8)
