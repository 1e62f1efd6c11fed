"""Boxes of faces and whether two of them are of the same face."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Box = tuple[float, float, float, float]  # x, y, width, height in px

# OpenFace 2.2, FaceLandmarkVidMulti.cpp: a detection is of a face already tracked if the intersection exceeds
# half of the area that only one of the two boxes covers. As intersection over union that is a third.
SAME_FACE = 1.0 / 3.0


def is_box(values: npt.ArrayLike) -> bool:
    """Whether these are x, y, width > 0, height > 0, all finite."""
    box = np.asarray(values, dtype=np.float64)
    return box.shape == (4,) and bool(np.isfinite(box).all()) and bool((box[2:] > 0).all())


def checked_box(box: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return a box as float64; raise ValueError if it is not one."""
    if not is_box(box):
        raise ValueError(f"box must be (x, y, width, height) with a positive size, got {box!r}")
    return np.asarray(box, dtype=np.float64)


def bounding_box(landmarks: npt.NDArray[np.float32]) -> Box:
    """Smallest box around landmarks (n, 2)."""
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    width, height = high - low
    return float(low[0]), float(low[1]), float(width), float(height)


def intersection_over_union(a: Box, b: Box) -> float:
    """Overlap of two boxes: 0 if they do not meet or are empty, 1 if they are equal."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def same_face(a: Box, b: Box) -> bool:
    """Whether two boxes overlap so much that they count as the same face."""
    return intersection_over_union(a, b) > SAME_FACE


def doubled(box: Box) -> Box:
    """Box of twice the width and height around the same centre."""
    x, y, width, height = box
    return x - width / 2, y - height / 2, 2 * width, 2 * height
