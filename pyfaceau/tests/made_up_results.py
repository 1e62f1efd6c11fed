"""Results of faces that never were: every number is known, and none repeats."""

from __future__ import annotations

import numpy as np

from pyclnf.fit import FaceFit, PartFit
from pyclnf.gaze import Gaze
from pyfaceau.analyser import FrameAnalysis
from pyfaceau.result import FrameResult

INTENSITIES = tuple(f"AU{n:02d}_r" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45))
PRESENCES = tuple(f"AU{n:02d}_c" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45))
SIZE = (480, 640)


def made_up_result(
    frame: int = 1, *, face_id: int = 0, success: bool = True, seen: bool = True, n_modes: int = 34
) -> FrameResult:
    """A face of about 150 px in the middle of a frame of 640 x 480 px, looking into the camera."""
    rng = np.random.default_rng(1000 * face_id + frame)
    landmarks = (rng.uniform(-75, 75, (68, 2)) + np.array([320, 240])).astype(np.float32)
    eyes = (rng.uniform(-8, 8, (56, 2)) + np.array([320, 210])).astype(np.float32)
    eyes[:28, 0] -= 30
    eyes[28:, 0] += 30
    fit = FaceFit(
        landmarks,
        np.array([1.2, 0.03, -0.02, 0.01, 320.1, 240.2], np.float32),
        rng.normal(0, 5, n_modes).astype(np.float32),
        0.975 if success else 0.025,
        success,
        success,
        0,
        -1.0,
        np.zeros(68, np.float32),
        tuple(
            PartFit(f"{side}_eye_28", eyes[part], np.ones(6, np.float32), np.zeros(10, np.float32))
            for side, part in (("left", slice(0, 28)), ("right", slice(28, 56)))
        ),
    )
    depth = rng.uniform(380, 420, (56, 1))
    gaze = Gaze(
        np.array([[0.1, -0.05, -0.99], [-0.1, -0.06, -0.98]]) + 1e-4 * frame,
        np.array([0.001, 0.055]),
        eyes,
        np.hstack([(eyes - [320, 240]) * depth / 500, depth]),
    )
    analysis = FrameAnalysis(
        success,
        rng.uniform(0, 5, len(INTENSITIES)) * success,
        rng.integers(0, 2, len(PRESENCES)).astype(float) * success,
        rng.integers(0, 256, (112, 112, 3), np.uint8) * np.uint8(success),
        rng.uniform(0, 0.4, (12, 12, 31)).astype(np.float32) * np.float32(success),
        fit.params_global,
        fit.params_local,
    )
    nothing = np.float32("nan")
    return FrameResult(
        frame,
        (frame - 1) / 30,
        face_id,
        success,
        fit.confidence,
        landmarks if seen else landmarks * nothing,
        np.hstack([landmarks - [320, 240], rng.uniform(380, 420, (68, 1))]) if seen else None,
        np.array([1.5, -2.5, 400.0, 0.05, -0.04, 0.03]) if seen else np.full(6, np.nan),
        gaze if seen else None,
        dict(zip((n[:4] for n in INTENSITIES), analysis.intensities.tolist(), strict=True)),
        dict(zip((n[:4] for n in PRESENCES), analysis.presences.astype(int).tolist(), strict=True)),
        fit,
        analysis,
    )


def made_up_image(frame: int = 1) -> np.ndarray:
    """A grey frame whose brightness tells its number."""
    return np.full((*SIZE, 3), 20 + frame, np.uint8)
