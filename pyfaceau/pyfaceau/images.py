"""Single images: every face in them, with the static action-unit models."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from pyclnf import CLNF

from .engine import Engine
from .result import FrameResult
from .video import VideoFrame, as_bgr, read_image


def analyse_image(
    engine: Engine,
    image: str | os.PathLike[str] | npt.NDArray[np.generic],
    *,
    multi_view: bool = False,
) -> list[FrameResult]:
    """Analyse all faces of a single image; see `FullPythonAUPipeline.process_image`."""
    pixels = as_bgr(image) if isinstance(image, np.ndarray) else read_image(image)
    fitter = CLNF(
        engine.landmark_model,
        parameters=engine.parameters,
        multi_view=multi_view,
        threads=engine.options.n_threads,
    )
    frame, analyser = VideoFrame(1, float("nan"), pixels), engine.action_units.for_images()
    return [
        engine.stage.in_image(frame, number, fitter.fit(pixels, found.box), analyser, engine.options.groups)
        for number, found in enumerate(engine.detector.detect(pixels))
    ]
