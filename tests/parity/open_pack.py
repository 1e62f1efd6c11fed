"""The open models, loaded by the C++ reference (experts as float32 export) and by us, on the demo clip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from table import Row

from pyclnf import FaceTracker
from pyfaceau.demo import DEMO_CLIP
from pyfaceau.pipeline import FullPythonAUPipeline
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
    return distance, np.array([fit.valid for fit in fits]) == success


def units() -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Action units of the frames of the reference, ours and its own, and the names of the columns."""
    with np.load(REFERENCE, allow_pickle=False) as data:
        frames, theirs, columns = data["frame"], data["aus"], tuple(str(name) for name in data["columns"])
    result = FullPythonAUPipeline(models="open", include=("aus",)).process_video(DEMO_CLIP, progress=False)
    ours = result.set_index("frame").loc[frames, list(columns)].to_numpy(np.float64)
    return ours, theirs, columns


def rows(shared: Path) -> Iterator[Row]:
    """Compare with what the C++ reference put out; needs nothing of `shared`."""
    distance, equal = errors()
    name = f"open pack on the demo clip, {len(distance)} frames"
    yield Row(f"{name}, mean error, px", "<= 0.1", f"{distance.mean():.4f}", distance.mean() <= 0.1)
    p99 = float(np.percentile(distance, 99))
    yield Row(f"{name}, 99th percentile, px", "<= 1", f"{p99:.4f}", p99 <= 1)
    yield Row(f"{name}, equal success", ">= 99.5 %", f"{100 * equal.mean():.1f} %", equal.mean() >= 0.995)
    ours, theirs, columns = units()
    intensity = np.array([column.endswith("_r") for column in columns])
    r = np.array([np.corrcoef(ours[:, i], theirs[:, i])[0, 1] for i in np.flatnonzero(intensity)])
    yield Row(f"{name}, intensities, mean r", ">= 0.99", f"{r.mean():.4f}", r.mean() >= 0.99)
    lowest = f"{r.min():.4f} ({np.array(columns)[intensity][r.argmin()]})"
    yield Row(f"{name}, intensities, lowest r", ">= 0.95", lowest, r.min() >= 0.95)
    away = float(np.abs(ours - theirs)[:, intensity].mean())
    yield Row(f"{name}, intensities, mean abs difference", "<= 0.02", f"{away:.4f}", away <= 0.02)
    same = float((ours == theirs)[:, ~intensity].mean())
    yield Row(f"{name}, equal presences", ">= 98 %", f"{100 * same:.2f} %", same >= 0.98)
