"""Facial action units, head pose and landmarks of video, with OpenFace 2.2's numbers."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyfaceau.action_units import AU_NAMES
    from pyfaceau.analyser import FaceAnalyser
    from pyfaceau.analysis import Baseline, FrameAnalysis, SequenceAnalysis
    from pyfaceau.batch import BatchSummary, read_results, run_batch
    from pyfaceau.errors import (
        BaselineError,
        BaselineWarning,
        BatchError,
        CheckpointError,
        DamagedVideoWarning,
        FinalPassError,
        InputWarning,
        ManifestError,
        MissingColumnsError,
        MissingColumnsWarning,
        OutputError,
        ProcessingError,
        PyFaceAUError,
        ResultFileError,
        RotationWarning,
        ShortSequenceWarning,
        SideOutputWarning,
        TimestampWarning,
        VideoError,
    )
    from pyfaceau.findings import Agreement, FaceTable, compare, read_table
    from pyfaceau.live import LiveSource, open_camera
    from pyfaceau.migration import OpenFaceProcessor, ensure_models, process_videos
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
    from pyfaceau.overlay import OVERLAY_GROUPS, FaceShapes, write_overlay
    from pyfaceau.pipeline import FullPythonAUPipeline
    from pyfaceau.plots import plot_table
    from pyfaceau.quality import UnitQuality, model_quality
    from pyfaceau.report import write_batch_report, write_report
    from pyfaceau.result import FrameResult
    from pyfaceau.run import AnalysisRun

__version__ = "2.0.0"

_HOMES = {
    "AU_NAMES": "action_units",
    "Agreement": "findings",
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
    "FaceShapes": "overlay",
    "FaceTable": "findings",
    "FinalPassError": "errors",
    "FrameAnalysis": "analysis",
    "FrameResult": "result",
    "FullPythonAUPipeline": "pipeline",
    "HogSink": "output",
    "InputWarning": "errors",
    "LiveSource": "live",
    "MissingColumnsError": "errors",
    "MissingColumnsWarning": "errors",
    "OVERLAY_GROUPS": "overlay",
    "OpenFaceProcessor": "migration",
    "DamagedVideoWarning": "errors",
    "ManifestError": "errors",
    "OutputError": "errors",
    "ProcessingError": "errors",
    "PyFaceAUError": "errors",
    "ResultFileError": "errors",
    "RotationWarning": "errors",
    "SequenceAnalysis": "analysis",
    "ShortSequenceWarning": "errors",
    "SideOutputWarning": "errors",
    "Sink": "output",
    "TimestampWarning": "errors",
    "TrackedImageSink": "output",
    "TrackedVideoSink": "output",
    "UnitQuality": "quality",
    "VideoError": "errors",
    "compare": "findings",
    "ensure_models": "migration",
    "model_quality": "quality",
    "open_camera": "live",
    "plot_table": "plots",
    "process_videos": "migration",
    "read_hog": "output",
    "read_openface_csv": "output",
    "write_batch_report": "report",
    "write_overlay": "overlay",
    "write_report": "report",
    "read_results": "batch",
    "read_table": "findings",
    "run_batch": "batch",
}
__all__ = [
    "AU_NAMES",
    "OVERLAY_GROUPS",
    "Agreement",
    "AlignedFaceSink",
    "AnalysisOptions",
    "AnalysisRun",
    "Baseline",
    "BaselineError",
    "BaselineWarning",
    "BatchError",
    "BatchSummary",
    "CheckpointError",
    "DamagedVideoWarning",
    "FaceAnalyser",
    "FaceShapes",
    "FaceTable",
    "FinalPassError",
    "FrameAnalysis",
    "FrameResult",
    "FullPythonAUPipeline",
    "HogSink",
    "InputWarning",
    "LiveSource",
    "ManifestError",
    "MissingColumnsError",
    "MissingColumnsWarning",
    "OpenFaceProcessor",
    "OutputError",
    "ProcessingError",
    "PyFaceAUError",
    "ResultFileError",
    "RotationWarning",
    "SequenceAnalysis",
    "ShortSequenceWarning",
    "SideOutputWarning",
    "Sink",
    "TimestampWarning",
    "TrackedImageSink",
    "TrackedVideoSink",
    "UnitQuality",
    "VideoError",
    "compare",
    "ensure_models",
    "model_quality",
    "open_camera",
    "plot_table",
    "process_videos",
    "read_hog",
    "read_openface_csv",
    "read_results",
    "read_table",
    "run_batch",
    "write_batch_report",
    "write_overlay",
    "write_report",
]


def __getattr__(name: str) -> object:
    """Import what is offered here, and with it OpenCV and pandas, only when it is asked for."""
    if name in _HOMES:
        found = getattr(importlib.import_module(f"pyfaceau.{_HOMES[name]}"), name)
        _register_accessor()
        return found
    if not name.startswith("_"):
        from pyfaceau.migration import explain_missing

        if told := explain_missing(name):
            raise AttributeError(told)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _register_accessor() -> None:
    """Give tables their accessor ``face``, as soon as there can be tables."""
    if "pandas" in sys.modules:
        importlib.import_module("pyfaceau.findings")


_register_accessor()
