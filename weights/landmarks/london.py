"""The people of the London set: points placed by hand, the split into training and judging, and pictures by size.

Face Research Lab London Set (DeBruine and Jones 2017, doi 10.6084/m9.figshare.5047666), CC BY 4.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
U8 = NDArray[np.uint8]
#: 68-point index -> index of the hand-placed point that means the same spot (the set's README).
SAME = {36: 18, 39: 22, 42: 23, 45: 27, 48: 87, 54: 93, 51: 90, 57: 106, 62: 96, 66: 101, 8: 129, 33: 55}
#: Curves through hand-placed points, and the points of the 68 that lie on them.
CURVES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "upper lid, left in the picture": ((18, 19, 20, 21, 22), (37, 38)),
    "lower lid, left in the picture": ((18, 28, 29, 30, 22), (40, 41)),
    "upper lid, right in the picture": ((23, 24, 25, 26, 27), (43, 44)),
    "lower lid, right in the picture": ((23, 31, 32, 33, 27), (46, 47)),
    "top of the upper lip": (tuple(range(87, 94)), (49, 50, 51, 52, 53)),
    "bottom of the lower lip": ((87, *range(104, 109), 93), (55, 56, 57, 58, 59)),
    "bottom of the upper lip": ((87, *range(94, 99), 93), (61, 62, 63)),
    "top of the lower lip": ((87, *range(99, 104), 93), (65, 66, 67)),
}
LIDS = (37, 38, 40, 41, 43, 44, 46, 47)
LIPS = (49, 50, 51, 52, 53, 55, 56, 57, 58, 59, 61, 62, 63, 65, 66, 67)
PUPILS = (0, 1)
JUDGED_OF_GROUP, GROUPS = 5, 3


@dataclass(frozen=True)
class LondonSet:
    """Calm pictures with points placed by hand, and where the pictures lie.

    Attributes
    ----------
    people : tuple of str
        Three digits each.
    points : ndarray (n, 189, 2) float64
        px of the calm picture, pixel centres at integers.
    folder : Path
        Holds ``images/NNN_neutral.jpg`` and ``NNN_smiling.jpg``.
    """

    people: tuple[str, ...]
    points: Array
    folder: Path

    @property
    def eye_distance(self) -> Array:
        """Distance (n,) of the outer eye corners, px."""
        return np.asarray(np.linalg.norm(self.points[:, 27] - self.points[:, 18], axis=1))

    def image(self, person: str, smiling: bool = False) -> U8:
        """Colour picture (BGR) of a person; FileNotFoundError if it cannot be read."""
        path = self.folder / "images" / f"{person}_{'smiling' if smiling else 'neutral'}.jpg"
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise FileNotFoundError(f"{path}: not a readable image")
        return np.asarray(image, np.uint8)

    def lightness(self, index: int) -> float:
        """Lightness (L* of CIELAB, 0 to 100) of the cheeks in the calm picture; the set here states no skin tone."""
        points, image = self.points[index], self.image(self.people[index])
        lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
        size = float(self.eye_distance[index])
        values = []
        for lid, mouth in ((29, 87), (32, 93)):  # between the lower lid and the corner of the mouth
            x, y = 0.55 * points[lid] + 0.45 * points[mouth]
            r = 0.06 * size
            values.append(lab[int(y - r) : int(y + r) + 1, int(x - r) : int(x + r) + 1, 0].mean())
        return float(np.mean(values))


def load_london(folder: Path) -> LondonSet:
    """Load the set from a folder of the form of ``../shared/data/london``."""
    with np.load(folder / "points.npz", allow_pickle=False) as stored:
        people = tuple(str(name)[:3] for name in stored["names"])
        points = stored["points"].astype(np.float64)
    if points.shape != (len(people), 189, 2):
        raise ValueError(f"{folder}/points.npz: points are {points.shape}, not (n, 189, 2)")
    return LondonSet(people, points, folder)


def choose_judged(london: LondonSet) -> list[str]:
    """People kept for judging: every third or so of each third of the people by skin lightness (15 of 51)."""
    order = np.argsort([london.lightness(k) for k in range(len(london.people))], kind="stable")
    chosen = []
    for group in np.array_split(order, GROUPS):
        # evenly spaced within the group, so that each fifth of it is there
        at = np.linspace(1, len(group) - 2, JUDGED_OF_GROUP).round().astype(int)
        chosen += [london.people[k] for k in group[at]]
    return sorted(chosen)


def resized(image: U8, points: Array, size_now: float, size: float) -> tuple[U8, Array]:
    """Shrink or enlarge a picture so that a length of ``size_now`` px becomes ``size`` px; returns its points too."""
    width, height = (max(2, round(side * size / size_now)) for side in image.shape[1::-1])
    method = cv2.INTER_AREA if size < size_now else cv2.INTER_CUBIC
    out = np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)
    factor = np.array([width / image.shape[1], height / image.shape[0]])
    return out, (points + 0.5) * factor - 0.5


def polyline(points: Array, steps: int = 16) -> Array:
    """Dense smooth curve (n, 2) through a few points (Catmull-Rom)."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        parts.append(
            0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        )
    return np.concatenate([*parts, points[-1:]])


def nearest_on_curve(curve: Array, point: Array) -> Array:
    """Nearest place (2,) of a dense curve."""
    return np.asarray(curve[np.linalg.norm(curve - point, axis=1).argmin()])


def hand_targets(hand: Array, guess: Array) -> Array:
    """Where the 68 points are by the hand-placed ones (68, 2); NaN for points without a counterpart.

    Points on curves (lids, lips) are the places nearest to ``guess`` (68, 2).
    """
    out = np.full((68, 2), np.nan)
    for on_curve, ours in CURVES.values():
        curve = polyline(hand[list(on_curve)])
        for k in ours:
            out[k] = nearest_on_curve(curve, guess[k])
    for k, theirs in SAME.items():
        out[k] = hand[theirs]
    return out


def eye_opening(points: Array) -> Array:
    """Mean height of both eyes (n,) of 68 points (n, 68, 2), in outer-eye distances."""
    size = np.linalg.norm(points[:, 45] - points[:, 36], axis=1)
    pairs = ((37, 41), (38, 40), (43, 47), (44, 46))
    return np.asarray(
        np.mean([np.linalg.norm(points[:, a] - points[:, b], axis=1) for a, b in pairs], axis=0) / size
    )


def hand_eye_opening(hand: Array) -> Array:
    """Measure the same (n,) on hand-placed points (n, 189, 2): upper to lower lid at the three inner places."""
    size = np.linalg.norm(hand[:, 27] - hand[:, 18], axis=1)
    pairs = ((19, 28), (20, 29), (21, 30), (24, 31), (25, 32), (26, 33))
    return np.asarray(
        np.mean([np.linalg.norm(hand[:, a] - hand[:, b], axis=1) for a, b in pairs], axis=0) / size
    )


def lip_gap(points: Array) -> Array:
    """Distance (n,) of points 62 and 66 in outer-eye distances."""
    size = np.linalg.norm(points[:, 45] - points[:, 36], axis=1)
    return np.asarray(np.linalg.norm(points[:, 62] - points[:, 66], axis=1) / size)


@dataclass(frozen=True)
class HandFigures:
    """Errors against hand-placed points, in outer-eye distances (means over people), and the eye opening's r."""

    same: float
    lids: float
    lips: float
    gap: float
    opening_r: float
    count: int
    per_person: Array

    def cells(self) -> list[str]:
        """Five cells of a table."""
        return [
            f"{self.same:.4f}",
            f"{self.lids:.4f}",
            f"{self.lips:.4f}",
            f"{self.gap:.4f}",
            f"{self.opening_r:.2f}",
        ]


def hand_figures(found: Array, hand: Array) -> HandFigures:
    """Compare 68 points (n, 68, 2) with hand-placed ones (n, 189, 2) of the same pictures, px."""
    size = np.linalg.norm(hand[:, 27] - hand[:, 18], axis=1)
    target = np.array([hand_targets(h, f) for h, f in zip(hand, found, strict=True)])
    error = np.linalg.norm(found - target, axis=2) / size[:, None]
    r = float(np.corrcoef(eye_opening(found), hand_eye_opening(hand))[0, 1])
    same = error[:, list(SAME)].mean(axis=1)
    return HandFigures(
        float(same.mean()), float(error[:, list(LIDS)].mean()), float(error[:, list(LIPS)].mean()),
        float(lip_gap(found).mean()), r, len(found), same,
    )  # fmt: skip
