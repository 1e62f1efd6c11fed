"""A video without a face."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

FACELESS_FRAMES = 6
FPS = 25.0
SIZE = (320, 240)


def write_faceless_video(path: Path) -> Path:
    """Write smooth noise."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, SIZE)
    rng = np.random.default_rng(0)
    for _ in range(FACELESS_FRAMES):
        small = rng.integers(0, 256, (6, 8, 3), np.uint8)
        writer.write(cv2.resize(small, SIZE, interpolation=cv2.INTER_CUBIC))
    writer.release()
    return path
