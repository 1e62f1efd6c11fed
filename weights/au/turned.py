"""Annotated frames drawn again under another head turn and light: same expression, same labels."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from weights.render.fit import fit_ict
from weights.render.ict import F64, ICTModel
from weights.render.puppet import Light, Puppet

from .rendered import EYE_DISTANCE, degraded, enlarged
from .sources import Frame

LOG = logging.getLogger(__name__)
TURNS_PER_FRAME, CLIP_STEP = 2, 3
SPREAD = (6.0, 9.0, 3.0)
MAXIMUM_RESIDUAL = 0.06  # RMS of the ICT fit in outer-eye distances
MAXIMUM_YAW = np.deg2rad(40)


def write_turned(
    model: ICTModel,
    frames: Iterable[Frame],
    folder: Path,
    seed: int,
    per_frame: int = TURNS_PER_FRAME,
    spread: tuple[float, float, float] = SPREAD,
) -> int:
    """Draw crops and every third clip frame into `folder`; returns the number of pictures.

    Parameters
    ----------
    model : face model
    frames : annotated frames
    folder, seed : where to write, and the seed
    per_frame : pictures of a frame
    spread : standard deviation of the turns (pitch, yaw, roll), degrees
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    subjects: list[str] = []
    parts: list[str] = []
    points: list[F64] = []
    blendshapes: list[F64] = []
    for number, frame in enumerate(frames):
        if frame.subject.startswith("clip") and number % CLIP_STEP:
            continue
        image, landmarks = enlarged(frame)
        fit = fit_ict(model, landmarks, identity_cost=0.8, weight_cost=0.5)
        if fit.rms > MAXIMUM_RESIDUAL * EYE_DISTANCE or abs(fit.camera.rotation[1]) > MAXIMUM_YAW:
            continue
        puppet = Puppet(model, image, landmarks, fit, mouth_open=True)
        for _ in range(per_frame):
            turn = tuple(np.deg2rad(rng.normal(0, spread)).tolist())
            light = Light(
                (float(rng.normal(0, 0.6)), float(rng.normal(-0.5, 0.4)), -0.8),
                float(rng.uniform(0.2, 0.6)),
                0.6,
            )
            picture, moved = puppet.render(fit.weights, turn, light=light, zoom=float(rng.uniform(0.9, 1.1)))
            path = folder / f"{len(subjects):05d}.jpg"
            cv2.imwrite(str(path), degraded(picture, rng), [cv2.IMWRITE_JPEG_QUALITY, 93])
            subjects.append(frame.subject)
            parts.append(frame.part)
            points.append(moved)
            blendshapes.append(frame.blendshapes)
    np.savez_compressed(
        folder / "truth.npz",
        subject=np.array(subjects),
        part=np.array(parts),
        points=np.array(points),
        blendshapes=np.array(blendshapes),
    )
    LOG.info("%d turned pictures", len(subjects))
    return len(subjects)
