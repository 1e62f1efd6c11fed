"""How heads differ, from ICT-FaceKit's scans: what the open pack's head pose is measured against."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyclnf.io import atomic_write

from .pdm import FACE_NOISE_MM, JAW_NOISE_MM, ict_prior, symmetric_without_motion

#: The fitter's landmarks are noisier than the annotations that the shape model was learnt from.
NOISE_FACTOR = 2.0


def head_arrays(ict_path: Path) -> dict[str, NDArray[np.float32]]:
    """Mean head (68, 3) and the inverse covariance (136, 136) of frontal pictures of heads, noise included."""
    mean, covariance = symmetric_without_motion(*ict_prior(ict_path))
    noise = np.full(68, NOISE_FACTOR * FACE_NOISE_MM)
    noise[:17] = NOISE_FACTOR * JAW_NOISE_MM
    flat = covariance.reshape(68, 3, 68, 3)[:, :2, :, :2].reshape(136, 136)
    precision = np.linalg.inv(flat + np.diag(np.repeat(noise**2, 2)))
    return {"points": mean.reshape(68, 3).astype(np.float32), "precision": precision.astype(np.float32)}


def write_heads(ict_path: Path, out: Path) -> None:
    """Write the pack's file."""
    with atomic_write(out) as file:
        np.savez(file, **head_arrays(ict_path))
