"""Make the demo clip and its ground truth: a portrait whose action units are known by construction.

The picture is scikit-image's ``astronaut`` (NASA, public domain). ICT-FaceKit is fitted to its landmarks and
moves it (see `weights.render.puppet`), so that the intensities of the action units follow from the
expression weights. Run ``python -m weights.demo.make_clip --ict FILE --out FOLDER``.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from weights.render.fit import fit_ict
from weights.render.ict import AU_SHAPES, F64, ICTModel, load_ict
from weights.render.puppet import Puppet

FPS = 25
SECONDS = 18.0
ENLARGE = 2.5
CROP = (151, 38, 144, 164)  # x, y, width, height in the original picture
CLIP_NAME, TRUTH_NAME = "demo.mp4", "demo_truth.csv"

#: (action unit, start s, end s, peak weight); a raised cosine with a plateau of 40 %.
EVENTS: tuple[tuple[str, float, float, float], ...] = (
    ("AU45", 0.60, 0.96, 1.00),
    ("AU01", 1.10, 2.30, 0.95),
    ("AU02", 1.10, 2.30, 0.90),
    ("AU45", 2.40, 2.76, 1.00),
    ("AU12", 2.90, 4.30, 0.90),
    ("AU06", 2.90, 4.30, 0.90),
    ("AU45", 4.40, 4.76, 1.00),
    ("AU04", 4.80, 6.20, 1.00),
    ("AU26", 6.30, 7.30, 0.50),
    ("AU45", 7.40, 7.76, 1.00),
    ("AU15", 8.00, 9.20, 0.90),
    ("AU17", 8.00, 9.20, 0.45),
    ("AU15", 10.6, 11.6, 0.80),
    ("AU17", 10.6, 11.6, 0.70),
    ("AU02", 11.9, 12.9, 0.65),
    ("AU45", 12.9, 13.26, 1.00),
    ("AU12", 13.3, 14.5, 0.60),
    ("AU06", 13.3, 14.5, 0.60),
    ("AU26", 13.4, 14.4, 0.30),
    ("AU01", 14.6, 15.7, 0.75),
    ("AU04", 15.8, 17.2, 0.90),
    ("AU45", 17.3, 17.66, 1.00),
)

#: Expression of the portrait itself that its fit may use (she smiles and shows her teeth).
PORTRAIT_SHAPES = ("mouthSmile", "mouthUpperUp", "mouthLowerDown", "eyeSquint", "cheekSquint")


def bump(time: float, start: float, end: float) -> float:
    """Evaluate a raised cosine between `start` and `end` with a plateau of 40 %, 0..1."""
    phase = (time - start) / (end - start)
    if not 0.0 < phase < 1.0:
        return 0.0
    rise = min(phase, 1.0 - phase) / 0.3
    return float(0.5 - 0.5 * np.cos(np.pi * min(rise, 1.0)))


def weights_at(model: ICTModel, time: float) -> F64:
    """Expression weights at `time` seconds."""
    out = np.zeros(len(model.names))
    for au, start, end, peak in EVENTS:
        for shape in AU_SHAPES[au]:
            index = model.names.index(shape)
            out[index] = max(out[index], peak * bump(time, start, end))
    return out


def head_at(time: float) -> dict[str, Any]:
    """Mild head motion at `time` seconds: turn (radians) and shift (pixels)."""
    turn = np.deg2rad([2.0 * np.sin(0.9 * time + 1), 3.5 * np.sin(0.7 * time), 1.5 * np.sin(0.53 * time + 2)])
    shift = (3.0 * np.sin(0.61 * time), 2.0 * np.sin(0.83 * time + 0.5))
    return {"turn": tuple(turn), "shift": shift}


def portrait() -> tuple[NDArray[np.uint8], F64]:
    """Return the enlarged, cropped portrait (BGR) and its 68 landmarks in it."""
    picture: NDArray[np.uint8] = data.astronaut()  # type: ignore[no-untyped-call]
    image = np.ascontiguousarray(picture[..., ::-1])
    with open(Path(__file__).with_name("portrait_landmarks.json"), encoding="utf-8") as file:
        landmarks = np.array(json.load(file)["landmarks"])
    x, y, width, height = (round(v * ENLARGE) for v in CROP)
    large = cv2.resize(image, None, fx=ENLARGE, fy=ENLARGE, interpolation=cv2.INTER_LANCZOS4)
    return large[y : y + height, x : x + width].copy(), (landmarks + 0.5) * ENLARGE - 0.5 - (x, y)


def make_clip(ict: Path, out: Path) -> None:
    """Write the clip and its ground truth into the folder `out`."""
    model = load_ict(ict)
    image, landmarks = portrait()
    fit = fit_ict(model, landmarks, free=PORTRAIT_SHAPES, identity_cost=1.0, weight_cost=0.15)
    puppet = Puppet(model, image, landmarks, fit, mouth_open=True)
    moved = sorted({au for au, *_ in EVENTS} | {"AU25"})
    out.mkdir(parents=True, exist_ok=True)
    height, width = image.shape[:2]
    writer = cv2.VideoWriter(str(out / CLIP_NAME), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (width, height))
    if not writer.isOpened():
        raise OSError(f"cannot write {out / CLIP_NAME}: OpenCV has no MPEG-4 encoder here")
    with open(out / TRUTH_NAME, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["frame", "timestamp", *(f"{au}_r" for au in moved)])
        for index in range(round(SECONDS * FPS)):
            time = index / FPS
            weights = weights_at(model, time)
            frame, _ = puppet.render(weights, **head_at(time))
            writer.write(frame)
            truth = model.au_intensities(fit.identity, weights)
            table.writerow([index + 1, f"{time:.3f}", *(f"{truth[au]:.3f}" for au in moved)])
    writer.release()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ict", type=Path, default=Path("../shared/data/ict_facekit/ict_facekit_light.npz"))
    parser.add_argument("--out", type=Path, default=Path("pyfaceau/pyfaceau/demo/data"))
    arguments = parser.parse_args()
    make_clip(arguments.ict, arguments.out)


if __name__ == "__main__":
    main()
