"""The open landmark pack, loaded by the C++ reference (float32 export) and by us, on the demo clip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from table import Row

from pyclnf import FaceTracker
from pyfaceau.demo import DEMO_CLIP
from pyfaceau.video import open_video

REFERENCE = Path(__file__).resolve().parents[1] / "data" / "open_pack_reference.npz"


def errors() -> tuple[np.ndarray, np.ndarray]:
    """Mean landmark error (px) and whether the verdict is equal, for each frame of the reference."""
    with np.load(REFERENCE, allow_pickle=False) as data:
        frames, landmarks, success = data["frame"], data["landmarks"], data["success"]
    tracker, found = FaceTracker("open"), {}
    with open_video(DEMO_CLIP) as source:
        for frame in source:
            found[frame.number] = tracker.track(frame.image)
    fits = [found[int(number)] for number in frames]
    distance = np.linalg.norm(np.array([fit.landmarks for fit in fits]) - landmarks, axis=2).mean(axis=1)
    return distance, np.array([fit.success for fit in fits]) == success


def rows(shared: Path) -> Iterator[Row]:
    """Compare with what the C++ reference put out; needs nothing of `shared`."""
    distance, equal = errors()
    name = f"open pack on the demo clip, {len(distance)} frames"
    yield Row(f"{name}, mean error, px", "<= 0.1", f"{distance.mean():.4f}", distance.mean() <= 0.1)
    p99 = float(np.percentile(distance, 99))
    yield Row(f"{name}, 99th percentile, px", "<= 1", f"{p99:.4f}", p99 <= 1)
    yield Row(f"{name}, equal success", ">= 99.5 %", f"{100 * equal.mean():.1f} %", equal.mean() >= 0.995)
