"""Fine pictures of drawn and real eyes, from which windows are cut afresh, as some camera would have seen them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pyclnf.geometry import euler_to_matrix
from pyclnf.open_eyes import CORNERS, MIRROR, WINDOW, WINDOW_WIDTH

from .dataset import (
    COARSEST,
    DRAWN_MM,
    F32,
    F64,
    FINEST,
    HEAD_NOISE,
    PLACE_NOISE_MM,
    ROLL_NOISE,
    SIZE_NOISE,
    EyeSet,
    RealFace,
    camera_like,
    in_window,
    target_of,
    window_of,
)
from .mesh import EyeParts
from .render import DENSITY, EXTENT, EyeRenderer, random_scene

#: Side of a kept picture in px, and its mean grey level, which leaves room for what is bright.
SHAPE, LEVEL = (int(EXTENT[1] * DENSITY), int(EXTENT[0] * DENSITY)), 85.0
NOISE = 0.8  # of the errors of place, size, roll and head in `dataset`
SHUT_MM, HALF_OPEN_MM = 1.2, 3.0  # no gaze below the one; none by the iris of a real eye below the other
AS_IT_IS = 0.5  # share of the windows of real eyes that show all the picture has
#: Share of the windows of people who look into the lens in which that counts: with more, all real eyes look there.
LENS_COUNTS = 0.2
NO_EYE = 0.04  # share of windows of drawn eyes that a fit has placed beside the eye
RIDGE = 1e-4


@dataclass(frozen=True)
class Scenes:
    """Eyes of the right of the picture with what is known about each; NaN where it is not known.

    Attributes
    ----------
    pictures : (n, 176, 248) uint8, 4 px a drawn mm around the middle of the corners
    points : (n, 28, 2) px
    corners : (n, 2, 2) px
    openings : (n,) drawn mm
    gaze : (n, 3) unit vectors
    heads : (n, 3, 3) rotations
    finest : (n,) px a millimetre of the shape model beyond which the picture has no detail
    sure : (n,) whether the gaze is known, and not only guessed from the points
    real : (n,) whether it is a photograph
    source : (n,) skin or person
    """

    pictures: NDArray[np.uint8]
    points: F32
    corners: F32
    openings: F32
    gaze: F32
    heads: F32
    finest: F32
    sure: NDArray[np.bool_]
    real: NDArray[np.bool_]
    source: NDArray[np.str_]

    def __len__(self) -> int:
        """How many eyes."""
        return len(self.pictures)

    def save(self, path: Path) -> None:
        """Keep the scenes as an .npz file."""
        np.savez(path, **{name: getattr(self, name) for name in self.__dataclass_fields__})

    def part(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Scenes:
        """Return the chosen eyes."""
        return Scenes(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    @classmethod
    def joined(cls, sets: Sequence[Scenes]) -> Scenes:
        """Put sets one after the other."""
        return cls(*(np.concatenate([getattr(s, name) for s in sets]) for name in cls.__dataclass_fields__))

    @classmethod
    def load(cls, paths: Iterable[Path]) -> Scenes:
        """Read files written by `save` as one."""
        sets = []
        for path in paths:
            with np.load(path, allow_pickle=False) as stored:
                sets.append(cls(*(stored[name] for name in cls.__dataclass_fields__)))
        return cls.joined(sets)


def drawn_scenes(parts: EyeParts, count: int, seed: int, skins: list[str]) -> Scenes:
    """Draw ``count`` eyes; half of them have a skin between two of the given ones."""
    renderer = EyeRenderer(parts)
    rng, mixing = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    rows = []
    for _ in range(count):
        scene = random_scene(parts, skins, rng)
        if mixing.random() < 0.5:
            scene = replace(
                scene, other_skin=str(mixing.choice(skins)), other_share=float(mixing.uniform(0.15, 0.5))
            )
        eye = renderer.draw(scene, rng)
        level = LEVEL / max(float(eye.picture.mean()), 1.0)
        rows.append(
            (np.clip(np.rint(eye.picture * level), 0, 255).astype(np.uint8), eye.points, eye.corners, eye.opening,
             scene.gaze, euler_to_matrix(np.array(scene.head)), FINEST, True, False, scene.skin)
        )  # fmt: skip
    return _collected(rows)


def real_scenes(faces: Iterable[RealFace]) -> Scenes:
    """Both eyes of each face, the left one mirrored; the gaze of people who look into the lens is known."""
    rows = []
    height, width = SHAPE
    per_mm = DENSITY * DRAWN_MM
    flip = np.diag([-1.0, 1.0, 1.0])
    for face in faces:
        for side, (a, b) in enumerate(CORNERS):
            centre = (face.points[a] + face.points[b]) / 2
            factor = per_mm / face.scale
            sign = -1.0 if side == 0 else 1.0
            shift = np.array([(width - 1) / 2, (height - 1) / 2])
            matrix = np.array(
                [
                    [sign * factor, 0, shift[0] - sign * factor * centre[0]],
                    [0, factor, shift[1] - factor * centre[1]],
                ]
            )
            picture = cv2.warpAffine(
                face.image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            seen = face.seen[side][MIRROR] if side == 0 else face.seen[side]
            points, corners = (p @ matrix[:, :2].T + matrix[:, 2] for p in (seen, face.points[[a, b]]))
            opening = float(np.linalg.norm(face.seen[side][11] - face.seen[side][17])) / face.scale * DRAWN_MM
            head = flip @ face.head @ flip if side == 0 else face.head
            gaze = np.array([0.0, 0.0, -1.0]) if face.lens else np.full(3, np.nan)
            rows.append(
                (np.asarray(picture, np.uint8), points, corners[:: int(sign)], opening, gaze, head,
                 min(face.scale, FINEST), face.lens, True, face.source)
            )  # fmt: skip
    return _collected(rows)


def _collected(rows: list[tuple[object, ...]]) -> Scenes:
    kinds = (np.uint8, *[np.float32] * 6, np.bool_, np.bool_, np.str_)
    return Scenes(
        *(np.array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True))
    )


def fresh_windows(scenes: Scenes, rng: np.random.Generator) -> EyeSet:
    """Cut one window of each eye, with the errors that a fit has, out of what some camera would have seen."""
    rows = []
    for k in range(len(scenes)):
        finest = float(scenes.finest[k])
        density = float(np.exp(rng.uniform(np.log(min(COARSEST, finest)), np.log(finest))))
        if scenes.real[k] and rng.random() < AS_IT_IS:
            density = finest
        image, factor = camera_like(scenes.pictures[k].astype(np.float32), density, rng)
        points, corners = (
            (p[k].astype(np.float64) + 0.5) * factor - 0.5 for p in (scenes.points, scenes.corners)
        )
        head = scenes.heads[k].astype(np.float64)
        scale = DENSITY * float(factor.mean()) * DRAWN_MM * float(np.exp(rng.normal(0, NOISE * SIZE_NOISE)))
        centre = corners.mean(axis=0) + rng.normal(0, NOISE * PLACE_NOISE_MM, 2) * scale
        there = not rng.random() < NO_EYE
        if not there:  # a fit that has lost the eye
            centre = centre + rng.choice([-1, 1], 2) * rng.uniform(9, 16, 2) * scale
        roll = float(np.arctan2(head[1, 0], head[0, 0]) + rng.normal(0, NOISE * ROLL_NOISE))
        window, at, axes = window_of(image, centre, scale, roll, False)
        opening = float(scenes.openings[k])
        gaze = in_window(scenes.gaze[k].astype(np.float64), roll)
        shut = opening < SHUT_MM
        visible = float(there and not shut)
        sure = bool(scenes.sure[k])
        if sure and scenes.real[k] and rng.random() > LENS_COUNTS:
            gaze, sure = np.full(2, np.nan), False
        target = target_of(
            points if there else None, at, axes, gaze if visible else None,
            opening / DRAWN_MM if there else np.nan, visible if sure or not there else np.nan,
        )  # fmt: skip
        view = in_window(-head[:, 2], roll) + rng.normal(0, NOISE * HEAD_NOISE, 2)
        rows.append((window, view, target, str(scenes.source[k])))
    return EyeSet.of(rows)


def guessed_gaze(drawn: Scenes, real: Scenes) -> tuple[Scenes, F64]:
    """Give real eyes the gaze that their points have on drawn eyes; also returns its error (n, 2) for the lens.

    A quadratic map from the iris, the corners and the head. Its mean error for people who look into the lens is
    taken off.
    """
    known = drawn.openings > HALF_OPEN_MM
    features, wanted = _geometry(drawn.part(known)), _flat(drawn.part(known))
    gram = features.T @ features
    solved = np.linalg.solve(
        gram + RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram)), features.T @ wanted
    )
    found = _geometry(real) @ solved
    error = found[real.sure]
    found -= np.median(error, axis=0)
    found *= np.minimum(1.0, 0.9 / np.maximum(np.linalg.norm(found, axis=1), 1e-6))[:, None]
    gaze = np.column_stack([found, -np.sqrt(1 - (found**2).sum(axis=1))])
    for k, head in enumerate(real.heads):
        gaze[k, :2] = in_window(gaze[k], -float(np.arctan2(head[1, 0], head[0, 0])))
    gaze[~(real.openings > HALF_OPEN_MM)] = np.nan
    gaze[real.sure] = real.gaze[real.sure]
    return replace(real, gaze=gaze.astype(np.float32)), np.asarray(error - np.median(error, axis=0))


def _flat(scenes: Scenes) -> F64:
    """Gaze (n, 2) in windows without error."""
    rolls = np.arctan2(scenes.heads[:, 1, 0], scenes.heads[:, 0, 0])
    return np.array(
        [in_window(g, float(r)) for g, r in zip(scenes.gaze.astype(np.float64), rolls, strict=True)]
    )


def _geometry(scenes: Scenes) -> F64:
    """Features (n, 28): all products of two of 1, iris, corners and head in windows without error."""
    rows = []
    for points, corners, head in zip(
        scenes.points.astype(np.float64), scenes.corners.astype(np.float64), scenes.heads.astype(np.float64),
        strict=True,
    ):  # fmt: skip
        roll = float(np.arctan2(head[1, 0], head[0, 0]))
        step = DENSITY * DRAWN_MM * WINDOW_WIDTH / WINDOW[1] * 10
        iris = in_window((points[:8].mean(axis=0) - corners.mean(axis=0)) / step, roll)
        width = in_window((corners[1] - corners[0]) / step, roll)
        rows.append([1.0, *iris, *width, *in_window(-head[:, 2], roll)])
    x = np.array(rows)
    i, j = np.triu_indices(x.shape[1])
    return np.asarray(x[:, i] * x[:, j])


__all__ = ["Scenes", "drawn_scenes", "fresh_windows", "guessed_gaze", "real_scenes"]
