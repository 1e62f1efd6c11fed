"""Rendered training faces: photographs of many people re-animated by known expression weights."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from weights.render.fit import fit_ict
from weights.render.ict import AU_SHAPES, F64, ICTModel
from weights.render.puppet import Light, Puppet

from .sources import Frame

LOG = logging.getLogger(__name__)
#: Expression weights of one frame, from a generator of random numbers.
WeightSource = Callable[[np.random.Generator], F64]
#: Outer-eye distance of the rendered faces, px, and size of the picture around the face.
EYE_DISTANCE, SIZE = 90.0, 256
FRAMES_PER_FACE, FRAMES_PER_LONDON_FACE = 28, 24
NEUTRAL_SHARE = 0.2
MAXIMUM_RESIDUAL = 0.05  # RMS of the ICT fit in outer-eye distances
#: Shapes that belong to no action unit of ours but move the face: gaze, funnel, pucker, sideways jaw.
NUISANCE = (
    ("eyeLookDown_L", "eyeLookDown_R"),
    ("eyeLookUp_L", "eyeLookUp_R"),
    ("eyeLookIn_L", "eyeLookOut_R"),
    ("eyeLookOut_L", "eyeLookIn_R"),
    ("mouthFunnel",),
    ("mouthPucker",),
    ("mouthLeft",),
    ("mouthRight",),
    ("jawLeft",),
    ("jawRight",),
    ("jawForward",),
    ("cheekPuff_L", "cheekPuff_R"),
    ("mouthLowerDown_L", "mouthLowerDown_R"),
)
#: Movements that faces make together; sampled now and then besides the independent ones.
TOGETHER = (
    ("AU06", "AU12"), ("AU01", "AU02"), ("AU06", "AU12", "AU26"), ("AU04", "AU07"), ("AU15", "AU17"),
    ("AU04", "AU09"), ("AU01", "AU02", "AU05"), ("AU12", "AU10"), ("AU01", "AU04"), ("AU20", "AU26"),
    ("AU04", "AU07", "AU23"), ("AU23", "AU28"),
)  # fmt: skip
#: Pictures in which one movement comes without those that often come with it, and their share: smiles without cheeks,
#: upper lip or brows; frowns without the nose; cheeks without a smile; pressed and rolled lips of shut mouths.
ALONE = (
    ("AU12",), ("AU12",), ("AU12",), ("AU12", "AU25"), ("AU12", "AU26"), ("AU04",), ("AU04",), ("AU06",), ("AU10",),
    ("AU23",), ("AU28",), ("AU07",), ("AU05",), ("AU45",),
)  # fmt: skip
ALONE_SHARE = 0.35


def is_calm(frame: Frame, names: tuple[str, ...]) -> bool:
    """Whether MediaPipe sees a closed mouth, open eyes and no smile, on a face large enough to draw."""
    value = dict(zip(names, frame.blendshapes, strict=True))

    def both(name: str) -> float:
        return float(value[name + "Left"] + value[name + "Right"]) / 2

    eyes = np.linalg.norm(frame.points[45] - frame.points[36])
    return bool(
        value["jawOpen"] < 0.06
        and both("mouthSmile") < 0.25
        and both("eyeBlink") < 0.42
        and both("mouthLowerDown") < 0.1
        and both("mouthUpperUp") < 0.1
        and value["mouthPucker"] < 0.6
        and eyes > 28
    )


def enlarged(frame: Frame) -> tuple[NDArray[np.uint8], F64]:
    """Bring the face of a frame to the standard size, in a square picture; returns it and its points there."""
    factor = EYE_DISTANCE / float(np.linalg.norm(frame.points[45] - frame.points[36]))
    centre = 0.5 * (frame.points.min(0) + frame.points.max(0))
    matrix = np.array(
        [[factor, 0, SIZE / 2 - factor * centre[0]], [0, factor, SIZE / 2 - factor * centre[1]]]
    )
    image = cv2.warpAffine(
        frame.image, matrix, (SIZE, SIZE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(image, np.uint8), frame.points * factor + matrix[:, 2]


def random_weights(model: ICTModel, rng: np.random.Generator) -> F64:
    """Expression weights of one frame: a few action units, sometimes one-sided, and some nuisance."""
    out = np.zeros(len(model.names))
    if rng.random() < NEUTRAL_SHARE:
        return out

    def activate(shapes: Iterable[str], strength: float) -> None:
        side = rng.normal(1.0, 0.12, 2)
        for shape in shapes:
            factor = side[0] if shape.endswith("_L") else side[1] if shape.endswith("_R") else 1.0
            index = model.names.index(shape)
            out[index] = max(out[index], float(np.clip(strength * factor, 0, 1.1)))

    alone = rng.random() < ALONE_SHARE
    if alone:
        chosen = list(ALONE[rng.integers(len(ALONE))])
        if "AU25" in chosen:  # lips part without the jaw: the lower lip goes down
            chosen.remove("AU25")
            activate(("mouthLowerDown_L", "mouthLowerDown_R"), 0.8 * rng.random())
    else:
        chosen = list(rng.choice(list(AU_SHAPES), size=rng.integers(1, 5), replace=False))
    if not alone and rng.random() < 0.4:
        chosen += list(TOGETHER[rng.integers(len(TOGETHER))])
    for au in chosen:
        limit = 0.75 if au == "AU26" else 1.0
        activate(AU_SHAPES[au], limit * rng.beta(1.3, 1.0))
    for shapes in NUISANCE:
        if rng.random() < (0.05 if alone else 0.12):
            activate(shapes, 0.8 * rng.random())
    if out[model.names.index("jawOpen")] > 0 and rng.random() < 0.15:
        out[model.names.index("mouthClose")] = out[model.names.index("jawOpen")] * rng.uniform(0.3, 1.0)
    return out


def degraded(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Random exposure, softness, noise and JPEG compression, as cameras add them."""
    out: NDArray[Any] = 255.0 * (image / 255.0) ** rng.uniform(0.75, 1.35) * rng.uniform(0.8, 1.15)
    if rng.random() < 0.5:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.6))
    out = out + rng.normal(0, rng.uniform(0, 4), image.shape)
    quality = int(rng.integers(45, 95))
    _, packed = cv2.imencode(
        ".jpg", np.clip(out, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def draw_frames(
    model: ICTModel, frame: Frame, rng: np.random.Generator, draw_weights: WeightSource, count: int
) -> list[tuple[NDArray[np.uint8], F64, dict[str, float], F64]]:
    """Re-animate one calm photograph: images, exact 68 points, action-unit intensities, expression weights."""
    image, points = enlarged(frame)
    fit = fit_ict(model, points, identity_cost=0.8, weight_cost=1.0)
    if fit.rms > MAXIMUM_RESIDUAL * EYE_DISTANCE or max(np.abs(fit.camera.rotation[:2])) > np.deg2rad(28):
        return []
    puppet = Puppet(model, image, points, fit)
    out = []
    for _ in range(count):
        weights = draw_weights(rng)
        turn = tuple(np.deg2rad(rng.normal(0, (4.0, 6.0, 4.0))).tolist())
        light = Light(
            (float(rng.normal(0, 0.6)), float(rng.normal(-0.5, 0.4)), -0.8), float(rng.uniform(0.2, 0.8)), 0.6
        )
        picture, landmarks = puppet.render(weights, turn, light=light, zoom=float(rng.uniform(0.92, 1.08)))
        truth = model.au_intensities(fit.identity, weights)
        out.append((degraded(picture, rng), landmarks, truth, weights))
    return out


def write_rendered(
    model: ICTModel,
    frames: Iterable[Frame],
    names: tuple[str, ...],
    folder: Path,
    seed: int,
    draw_weights: WeightSource,
    per_face: int = FRAMES_PER_FACE,
    per_person: int = 2,
    per_london_face: int = FRAMES_PER_LONDON_FACE,
) -> int:
    """Draw all calm faces into `folder` (``NNNNN.jpg`` and ``truth.npz``); returns the number of pictures.

    Parameters
    ----------
    model : face model
    frames : photographs, of which the calm ones are used
    names : names of MediaPipe's blendshapes
    folder, seed : where to write, and the seed
    draw_weights : gives the expression weights of one frame
    per_face, per_person : pictures of a photograph, photographs of a person
    per_london_face : pictures of a photograph of the London set
    """
    folder.mkdir(parents=True, exist_ok=True)
    used: dict[str, int] = {}
    rows: list[dict[str, Any]] = []
    for number, frame in enumerate(frames):
        if used.get(frame.subject, 0) >= per_person or not is_calm(frame, names):
            continue
        count = per_london_face if frame.subject.startswith("london") else per_face
        drawn = draw_frames(model, frame, np.random.default_rng([seed, number]), draw_weights, count)
        used[frame.subject] = used.get(frame.subject, 0) + bool(drawn)
        for image, landmarks, truth, weights in drawn:
            cv2.imwrite(str(folder / f"{len(rows):05d}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 93])
            rows.append(
                {
                    "subject": f"{frame.subject}#{number}",
                    "part": frame.part,
                    "points": landmarks,
                    "truth": list(truth.values()),
                    "weights": weights,
                }
            )
    aus = list(model.au_intensities(np.zeros(1), np.zeros(len(model.names))))
    known: dict[str, Any] = {
        key: np.array([row[key] for row in rows]) for key in ("subject", "part", "points", "truth", "weights")
    }
    np.savez_compressed(folder / "truth.npz", aus=np.array(aus), **known)
    (folder / "about.json").write_text(
        json.dumps({"seed": seed, "pictures": len(rows), "faces": sum(used.values())})
    )
    LOG.info("%d pictures of %d people", len(rows), len(used))
    return len(rows)
