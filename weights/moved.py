"""Drawn clips of people whom no training has seen: blinks, turns of the head and open mouths that are known.

A calm picture becomes a puppet (`weights.render`), whose lids and head move as told; the pipeline then sees a video.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyclnf import CLNF
from pyfaceau.pipeline import FullPythonAUPipeline
from weights.demo.make_clip import bump
from weights.landmarks.london import hand_targets, lip_gap
from weights.render.fit import fit_ict
from weights.render.ict import AU_SHAPES, F64, ICTModel
from weights.render.puppet import Puppet

FRAMES, RATE = 120, 25
#: (first frame, frames, closure) of each blink: short ones, half ones, and eyes that stay shut for half a second.
BLINKS = ((8, 8, 1.0), (26, 8, 0.5), (44, 10, 1.0), (66, 8, 0.75), (84, 14, 1.0), (108, 8, 0.5))
#: Other movements that must not be taken for blinks: unit, first frame, frames, weight.
OTHERS = (("AU12", 30, 30, 0.8), ("AU01", 60, 20, 0.7), ("AU04", 92, 20, 0.7))
#: Weights of jaw and parted lips with which mouths are drawn open, from shut to wide.
OPENINGS = (
    (0.0, 0.0),
    (0.0, 0.3),
    (0.0, 0.6),
    (0.06, 0.1),
    (0.12, 0.2),
    (0.2, 0.2),
    (0.3, 0.3),
    (0.45, 0.3),
    (0.6, 0.4),
)
LIP_PARTERS = ("mouthLowerDown_L", "mouthLowerDown_R", "mouthUpperUp_L", "mouthUpperUp_R")
PITCH, YAW = 9.0, 13.0  # degrees; the head nods and turns by so much to either side


@dataclass(frozen=True)
class MovedClip:
    """A clip (n, rows, cols, 3) uint8 BGR, closure of the lids (n,) 0 to 1, and added pitch and yaw (n, 2), radians."""

    frames: NDArray[np.uint8]
    closure: F64
    turn: F64


def moved_clip(model: ICTModel, image: NDArray[np.uint8], landmarks: F64) -> MovedClip:
    """Draw a clip of the face of a calm picture, whose 68 landmarks are given."""
    puppet = Puppet(model, image, landmarks, fit_ict(model, landmarks, identity_cost=0.8, weight_cost=1.0))
    closure, turns, frames = [], [], []
    for k in range(FRAMES):
        weights = np.zeros(len(model.names))
        shut = max(peak * bump(k, first, first + length) for first, length, peak in BLINKS)
        moves = [(AU_SHAPES["AU45"], shut)]
        moves += [(AU_SHAPES[unit], peak * bump(k, first, first + n)) for unit, first, n, peak in OTHERS]
        for shapes, weight in moves:
            for shape in shapes:
                weights[model.names.index(shape)] = weight
        time = k / RATE
        turn = np.deg2rad([PITCH * np.sin(2.1 * time), YAW * np.sin(1.3 * time + 0.4)])
        frames.append(puppet.render(weights, (float(turn[0]), float(turn[1]), 0.0))[0])
        closure.append(shut)
        turns.append(turn)
    return MovedClip(np.array(frames), np.array(closure), np.array(turns))


def analysed(clip: MovedClip, pipeline: FullPythonAUPipeline) -> pd.DataFrame:
    """Columns of the pipeline for a clip, which is written as a video on the way."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.avi"
        height, width = clip.frames.shape[1:3]
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), RATE, (width, height))
        for frame in clip.frames:
            writer.write(frame)
        writer.release()
        return pipeline.process_video(path, progress=False)


@dataclass(frozen=True)
class MovedFigures:
    """Of each person: r of AU45 and of the eyes' opening with the closure; r and slope of pitch and of yaw."""

    au45: F64
    opening: F64
    pitch: F64
    yaw: F64


def moved_figures(model: ICTModel, pictures: list[NDArray[np.uint8]], boxes: list[F64]) -> MovedFigures:
    """Draw and analyse a clip of each calm picture with its face's box."""
    fitter = CLNF("open")
    pipeline = FullPythonAUPipeline(models="open", include=("aus", "gaze", "pose", "eye_landmarks"))
    rows = []
    for image, box in zip(pictures, boxes, strict=True):
        clip = moved_clip(model, image, fitter.fit(image, box).landmarks.astype(np.float64))
        found = analysed(clip, pipeline)
        heights = [
            np.hypot(
                *(
                    found[f"eye_lmk_{axis}_{top + side}"] - found[f"eye_lmk_{axis}_{low + side}"]
                    for axis in "xy"
                )
            )
            for side in (0, 28)
            for top, low in ((10, 18), (11, 17), (12, 16))
        ]
        angles = [
            (np.corrcoef(found[name], clip.turn[:, k])[0, 1], np.polyfit(clip.turn[:, k], found[name], 1)[0])
            for k, name in enumerate(("pose_Rx", "pose_Ry"))
        ]
        rows.append(
            (
                np.corrcoef(found["AU45_r"], clip.closure)[0, 1],
                -np.corrcoef(np.mean(heights, axis=0), clip.closure)[0, 1],
                *angles,
            )
        )
    au45, opening, pitch, yaw = (np.array(column) for column in zip(*rows, strict=True))
    return MovedFigures(au45, opening, pitch, yaw)


def mouth_gaps(
    model: ICTModel, landmarks: str, pictures: list[NDArray[np.uint8]], boxes: list[F64], hand: list[F64]
) -> tuple[F64, F64]:
    """Draw mouths open by `OPENINGS`, fit each picture by itself, and compare.

    Parameters
    ----------
    model : the face model
    landmarks : "open", or another landmark model
    pictures, boxes : calm faces
    hand : points (189, 2) of each picture that were placed by hand

    Returns
    -------
    truth, found : ndarray (people, openings)
        Lip gaps in outer-eye distances.
    """
    fitter = CLNF(landmarks)
    jaw, parters = model.names.index("jawOpen"), [model.names.index(name) for name in LIP_PARTERS]
    truth, found = [], []
    for image, box, placed in zip(pictures, boxes, hand, strict=True):
        fitted = fitter.fit(image, box).landmarks.astype(np.float64)
        target = hand_targets(placed, fitted)
        target = np.where(np.isnan(target), fitted, target)
        fit = fit_ict(model, target, identity_cost=0.8, weight_cost=1.0)
        puppet = Puppet(model, image, target, fit)
        drawn, seen = [], []
        for opened, parted in OPENINGS:
            weights = fit.weights.copy()
            weights[jaw] += opened
            weights[parters] += parted
            frame, points = puppet.render(np.clip(weights, 0, 1))
            drawn.append(points)
            seen.append(fitter.fit(frame, box).landmarks.astype(np.float64))
        truth.append(lip_gap(np.array(drawn)))
        found.append(lip_gap(np.array(seen)))
    return np.array(truth), np.array(found)
