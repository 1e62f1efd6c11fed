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
from skimage.data import astronaut

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
    ("AU45", 0.60, 0.96, 1.0),
    ("AU01", 1.10, 2.30, 0.95),
    ("AU02", 1.10, 2.30, 0.90),
    ("AU12", 2.60, 4.10, 0.90),
    ("AU06", 2.60, 4.10, 0.90),
    ("AU45", 4.20, 4.56, 1.0),
    ("AU04", 4.70, 5.80, 1.0),
    ("AU26", 6.00, 7.10, 0.50),
    ("AU45", 7.10, 7.46, 1.0),
    ("AU09", 7.50, 8.50, 0.95),
    ("AU15", 8.70, 9.80, 1.0),
    ("AU17", 8.90, 9.90, 0.90),
    ("AU45", 9.90, 10.26, 1.0),
    ("AU20", 10.3, 11.3, 1.0),
    ("AU02", 11.4, 12.4, 0.65),
    ("AU12", 12.2, 13.3, 0.55),
    ("AU06", 12.2, 13.3, 0.50),
    ("AU26", 12.5, 13.3, 0.30),
    ("AU45", 13.3, 13.66, 1.0),
    ("AU01", 13.7, 14.7, 0.75),
    ("AU04", 13.9, 14.9, 0.70),
    ("AU15", 15.0, 15.8, 0.65),
    ("AU20", 15.7, 16.5, 0.60),
    ("AU17", 16.4, 17.2, 0.75),
    ("AU09", 16.9, 17.7, 0.60),
    ("AU45", 17.4, 17.76, 1.0),
)

#: Expression of the portrait itself that its fit may use (she smiles and shows her teeth).
PORTRAIT_SHAPES = ("mouthSmile", "mouthUpperUp", "mouthLowerDown", "eyeSquint", "cheekSquint")


def bump(time: float, start: float, end: float) -> float:
    """Raised cosine between `start` and `end` with a plateau of 40 %, 0..1."""
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
    """The enlarged, cropped portrait (BGR) and its 68 landmarks in it."""
    image = np.ascontiguousarray(astronaut()[..., ::-1])
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
