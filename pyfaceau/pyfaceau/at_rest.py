"""The person at rest, in whatever way it is given."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias

from .analysis import Baseline, BaselineFrames, checked_frames
from .progress import ProgressCallback
from .rotation import Rotation
from .run import ONE_PERSON

if TYPE_CHECKING:
    from .pipeline import FullPythonAUPipeline

BaselineChoice: TypeAlias = str | os.PathLike[str] | BaselineFrames | Baseline | None


def given_baseline(
    pipeline: FullPythonAUPipeline,
    baseline: BaselineChoice,
    progress: bool | ProgressCallback = False,
    rotate: Rotation = 0,
) -> Baseline | BaselineFrames | None:
    """Turn what a caller gives into what a run takes; a recording is analysed.

    Raises
    ------
    ValueError
        Frames that cannot be, or a recording where several faces are followed.
    VideoError, BaselineError
        The recording cannot be read, or shows no face.
    """
    if baseline is None or isinstance(baseline, Baseline):
        return baseline
    if isinstance(baseline, (str, os.PathLike)):
        if pipeline.options.max_faces > 1:
            raise ValueError(ONE_PERSON)
        return pipeline.baseline_of(baseline, progress, rotate=rotate)
    return checked_frames(baseline)
