"""A made-up recording: a table and a video that agree, with one movement whose frames are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from pyfaceau.output.encoding import VideoEncoder

RATE, SIZE, FRAMES = 25.0, (320, 240), 100
# Onset, apex, offset of the only movement, as frames counted from 0.
SMILE = (30, 40, 50)


def moving_face(frames: int = FRAMES) -> pd.DataFrame:
    """A face that drifts to the right and smiles once; lost in two frames."""
    number = np.arange(frames)
    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    table = pd.DataFrame({"frame": number + 1, "face_id": 0, "timestamp": number / RATE})
    table["confidence"] = 0.98
    table["success"] = 1
    pose = (0.0, 0.0, 600.0, 0.05, 0.1, 0.02)
    columns = dict(zip([f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz"], pose, strict=True))
    for i in range(68):
        columns[f"x_{i}"] = 130 + 50 * np.cos(angle[i]) + 0.5 * number
        columns[f"y_{i}"] = 120 + 60 * np.sin(angle[i])
    table = pd.concat([table, pd.DataFrame(columns, index=table.index)], axis=1)
    smile = np.interp(number, [SMILE[0] - 5, SMILE[1], SMILE[2] + 5], [0, 3, 0])
    table["AU12_r"], table["AU04_r"] = smile, 0.1
    table["AU12_c"] = (smile > 1).astype(int)
    table.loc[70:71, ["success", "confidence"]] = 0
    table.attrs = {
        "source": "clip.mp4",
        "fps": RATE,
        "frame_size": list(SIZE),
        "models": "open",
        "hints": ["AU04"],
        "final_pass": True,
    }
    return table


def write_film(path: Path, frames: int = FRAMES) -> Path:
    """A video whose frames are told apart by their grey."""
    encoder = VideoEncoder(path, RATE, SIZE)
    for number in range(frames):
        image = np.full((SIZE[1], SIZE[0], 3), 60 + number, np.uint8)
        cv2.circle(image, (130 + number // 2, 120), 50, (140, 170, 220), -1)
        encoder.write(image)
    encoder.close()
    return path
