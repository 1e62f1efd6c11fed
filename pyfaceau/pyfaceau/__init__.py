"""Facial action units, head pose and landmarks of video, with OpenFace 2.2's numbers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyfaceau.output import read_hog, read_openface_csv
    from pyfaceau.pipeline import FullPythonAUPipeline

__all__ = ["FullPythonAUPipeline", "read_hog", "read_openface_csv"]
__version__ = "2.0.0"

_HOMES = {
    "FullPythonAUPipeline": "pyfaceau.pipeline",
    "read_hog": "pyfaceau.output",
    "read_openface_csv": "pyfaceau.output",
}


def __getattr__(name: str) -> object:
    """Import what is offered here, and with it OpenCV and pandas, only when it is asked for."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
