"""Facial action units, head pose and landmarks of video, with OpenFace 2.2's numbers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyfaceau.analyser import FaceAnalyser
    from pyfaceau.analysis import Baseline, FrameAnalysis, SequenceAnalysis
    from pyfaceau.batch import BatchSummary, read_results, run_batch
    from pyfaceau.errors import (
        BaselineError,
        BaselineWarning,
        BatchError,
        CheckpointError,
        FinalPassError,
        ManifestError,
        OutputError,
        ProcessingError,
        PyFaceAUError,
        ResultFileError,
        VideoError,
    )
    from pyfaceau.live import LiveSource, open_camera
    from pyfaceau.options import AnalysisOptions
    from pyfaceau.output import (
        AlignedFaceSink,
        HogSink,
        Sink,
        TrackedImageSink,
        TrackedVideoSink,
        read_hog,
        read_openface_csv,
    )
    from pyfaceau.pipeline import FullPythonAUPipeline
    from pyfaceau.result import FrameResult
    from pyfaceau.run import AnalysisRun

__version__ = "2.0.0"

_HOMES = {
    "AlignedFaceSink": "output",
    "AnalysisOptions": "options",
    "AnalysisRun": "run",
    "Baseline": "analysis",
    "BaselineError": "errors",
    "BaselineWarning": "errors",
    "BatchError": "errors",
    "BatchSummary": "batch",
    "CheckpointError": "errors",
    "FaceAnalyser": "analyser",
    "FinalPassError": "errors",
    "FrameAnalysis": "analysis",
    "FrameResult": "result",
    "FullPythonAUPipeline": "pipeline",
    "HogSink": "output",
    "LiveSource": "live",
    "ManifestError": "errors",
    "OutputError": "errors",
    "ProcessingError": "errors",
    "PyFaceAUError": "errors",
    "ResultFileError": "errors",
    "SequenceAnalysis": "analysis",
    "Sink": "output",
    "TrackedImageSink": "output",
    "TrackedVideoSink": "output",
    "VideoError": "errors",
    "open_camera": "live",
    "read_hog": "output",
    "read_openface_csv": "output",
    "read_results": "batch",
    "run_batch": "batch",
}
__all__ = [
    "AlignedFaceSink",
    "AnalysisOptions",
    "AnalysisRun",
    "Baseline",
    "BaselineError",
    "BaselineWarning",
    "BatchError",
    "BatchSummary",
    "CheckpointError",
    "FaceAnalyser",
    "FinalPassError",
    "FrameAnalysis",
    "FrameResult",
    "FullPythonAUPipeline",
    "HogSink",
    "LiveSource",
    "ManifestError",
    "OutputError",
    "ProcessingError",
    "PyFaceAUError",
    "ResultFileError",
    "SequenceAnalysis",
    "Sink",
    "TrackedImageSink",
    "TrackedVideoSink",
    "VideoError",
    "open_camera",
    "read_hog",
    "read_openface_csv",
    "read_results",
    "run_batch",
]


def __getattr__(name: str) -> object:
    """Import what is offered here, and with it OpenCV and pandas, only when it is asked for."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"pyfaceau.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
