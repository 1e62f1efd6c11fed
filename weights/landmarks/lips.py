"""Mouths as the training pictures hardly have them: dark upper lips over lighter or shiny lower ones, darker skin.

Grey values change, the labels stay. Everything is drawn in the mouth's own coordinates: u runs from corner to corner
(0 to 1), v across a lip from where the lips meet (0) to its outer edge (1).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
U8 = NDArray[np.uint8]
OUTER_TOP, OUTER_BOTTOM = (48, 49, 50, 51, 52, 53, 54), (48, 59, 58, 57, 56, 55, 54)
INNER_TOP, INNER_BOTTOM = (48, 60, 61, 62, 63, 64, 54), (48, 60, 67, 66, 65, 64, 54)
OUTER_EYES = (36, 45)
#: Lips nearer than this, in outer-eye distances, are shut and have one line between them.
SHUT = 0.02
#: Below this the part of the lower lip next to the upper one may be as dark as that; in an open mouth such a rim would
#: be drawn like the inside of the mouth.
RIM = 0.04
PAINTED = 0.6  # share of the pictures whose lips are painted
DARKENED = 0.3  # share of the pictures whose skin is darkened


@dataclass(frozen=True)
class _Mouth:
    """Pixels of a window around the mouth in its coordinates; all (rows, cols)."""

    window: tuple[slice, slice]
    u: Array
    upper: Array  # v of the upper lip; below 0 under its lower edge
    lower: Array
    line: Array  # px below the line between the lips
    gap: float  # px
    size: float  # outer-eye distance, px


def _mouth(shape: tuple[int, ...], points: Array) -> _Mouth | None:
    """Coordinates of the pixels around a mouth; None where it is outside the picture or has no size."""
    size = float(np.linalg.norm(points[OUTER_EYES[1]] - points[OUTER_EYES[0]]))
    across = points[54] - points[48]
    width = float(np.linalg.norm(across))
    low = np.maximum(points[48:60].min(axis=0) - 0.05 * size, 0).astype(int)
    high = np.minimum(points[48:60].max(axis=0) + 0.05 * size + 2, shape[1::-1]).astype(int)
    if width < 0.05 * size or (high - low < 4).any():
        return None
    right = across / width
    down = np.array([-right[1], right[0]])
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]].astype(np.float64)
    u = ((x - points[48, 0]) * right[0] + (y - points[48, 1]) * right[1]) / width
    height = (x - points[48, 0]) * down[0] + (y - points[48, 1]) * down[1]

    def curve(indices: tuple[int, ...]) -> Array:
        along, off = ((points[list(indices)] - points[48]) @ axis for axis in (right, down))
        return np.asarray(np.interp(u, np.maximum.accumulate(along) / width, off))

    top, inner_top, inner_bottom, bottom = map(curve, (OUTER_TOP, INNER_TOP, INNER_BOTTOM, OUTER_BOTTOM))
    least = 0.01 * size
    return _Mouth(
        (slice(low[1], high[1]), slice(low[0], high[0])),
        u,
        (inner_top - height) / np.maximum(inner_top - top, least),
        (height - inner_bottom) / np.maximum(bottom - inner_bottom, least),
        height - (inner_top + inner_bottom) / 2,
        float(np.linalg.norm(points[66] - points[62])),
        size,
    )


def _ramp(x: Array, low: float, high: float) -> Array:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))


def _bump(v: Array, first: float, last: float, soft: float) -> Array:
    return _ramp(v, first - soft, first + soft) * (1 - _ramp(v, last - soft, last + soft))


def painted_lips(image: U8, points: Array, rng: np.random.Generator) -> U8:
    """Paint the lips of a face (68 points in px of the grey picture) anew; a new picture.

    The upper lip becomes darker or stays; a band of the lower lip, which may begin well below where the lips meet,
    becomes lighter, often with highlights; the line between shut lips becomes darker, fainter or stays.
    """
    mouth = _mouth(image.shape, points)
    if mouth is None:
        return image
    out = image[mouth.window].astype(np.float64)
    inside = _bump(mouth.u, 0.03, 0.97, 0.04)
    upper = inside * _bump(mouth.upper, 0.0, 1.0, 0.12)
    lower = inside * _bump(mouth.lower, 0.0, 1.0, 0.12)
    dark = rng.uniform(0.45, 1.0) if rng.random() < 0.8 else 1.0
    out *= 1 - (1 - dark) * upper
    rim, begin, end = rng.uniform(dark, 1.0), rng.uniform(-0.1, 0.45), rng.uniform(0.6, 1.0)
    if mouth.gap < RIM * mouth.size:
        out *= 1 - (1 - rim) * lower
    else:
        begin = min(begin, 0.0)
    half = rng.uniform(0.2, 0.45)
    band = lower * _bump(mouth.lower, begin, max(end, begin + 0.25), 0.1) * _bump(
        mouth.u, 0.5 - half, 0.5 + half, 0.1
    )  # fmt: skip
    level = max(float(np.average(out, weights=lower + 1e-6)), 1.0)
    light = rng.uniform(0.0, 0.6) if rng.random() < 0.8 else 0.0
    out += light * min(1.2 * level, 110.0) * band
    if rng.random() < 0.5:
        out += _highlights(mouth, begin, rng) * inside * _ramp(mouth.lower, 0.0, 0.15)
    if mouth.gap < SHUT * mouth.size:
        width = rng.uniform(0.006, 0.016) * mouth.size
        between = inside * np.exp(-0.5 * (mouth.line / width) ** 2)
        out *= 1 - rng.uniform(-0.25, 0.6) * between
    painted = image.copy()
    painted[mouth.window] = np.clip(np.rint(out), 0, 255).astype(np.uint8)
    return np.asarray(painted, np.uint8)


def _highlights(mouth: _Mouth, begin: float, rng: np.random.Generator) -> Array:
    """Grey values that wet spots of the lower lip add."""
    out = np.zeros_like(mouth.u)
    middle = rng.uniform(max(begin, 0.1) + 0.1, 0.75)
    for _ in range(int(rng.integers(1, 7))):
        u, v = rng.normal(0.5, 0.12), rng.normal(middle, 0.08)
        wide, high = rng.uniform(0.015, 0.08), rng.uniform(0.05, 0.16)
        out += rng.uniform(20, 110) * np.exp(
            -0.5 * (((mouth.u - u) / wide) ** 2 + ((mouth.lower - v) / high) ** 2)
        )
    return np.minimum(out, 130.0)


def darker_skin(image: U8, points: Array, rng: np.random.Generator) -> U8:
    """Darken a grey face as darker skin does: less contrast in the dark, highlights as bright as before."""
    size = float(np.linalg.norm(points[OUTER_EYES[1]] - points[OUTER_EYES[0]]))
    grey = image.astype(np.float64)
    smooth = cv2.GaussianBlur(grey, (0, 0), max(0.08 * size, 0.8))
    shine = np.maximum(grey - 1.15 * smooth, 0) * rng.uniform(0.3, 1.0)
    dark = 255.0 * (grey / 255.0) ** rng.uniform(1.2, 2.2)
    return np.asarray(np.clip(np.rint(np.maximum(dark, dark + shine * (1 - dark / 255))), 0, 255), np.uint8)


def varied_mouth(image: U8, points: Array, rng: np.random.Generator) -> U8:
    """Paint the lips in `PAINTED` and darken the skin in `DARKENED` of all cases."""
    if rng.random() < DARKENED:
        image = darker_skin(image, points, rng)
    return painted_lips(image, points, rng) if rng.random() < PAINTED else image


__all__ = ["darker_skin", "painted_lips", "varied_mouth"]
