"""Exceptions of pyfaceau: one base class, one subclass per thing a caller can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class PyFaceAUError(Exception):
    """Base class of every error that pyfaceau raises about files, models or results."""


class VideoError(PyFaceAUError):
    """A video, image or folder of images cannot be read; the message names it and says why."""


class OutputError(PyFaceAUError):
    """A result cannot be written; the message names the file and says why."""


class ResultFileError(PyFaceAUError):
    """A result file cannot be read; the message names it, the place and the reason."""


class ProcessingError(PyFaceAUError):
    """Work on a sequence stopped half-way; what was computed until then is kept.

    Attributes
    ----------
    partial : pandas.DataFrame
        Result of the frames before the failure.
    """

    def __init__(self, message: str, partial: pd.DataFrame) -> None:
        super().__init__(message)
        self.partial = partial
