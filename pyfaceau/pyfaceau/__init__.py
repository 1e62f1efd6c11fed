"""Facial action units, head pose and landmarks of video, with OpenFace 2.2's numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyfaceau.pipeline import FullPythonAUPipeline

__all__ = ["FullPythonAUPipeline"]
__version__ = "2.0.0"


def __getattr__(name: str) -> object:
    """Import the pipeline, and with it OpenCV and pandas, only when it is asked for."""
    if name == "FullPythonAUPipeline":
        from pyfaceau.pipeline import FullPythonAUPipeline

        return FullPythonAUPipeline
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
