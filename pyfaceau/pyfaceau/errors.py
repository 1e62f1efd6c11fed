"""Exceptions of pyfaceau: one base class, one subclass per thing a caller can act on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


INSTALL_COMMAND = "pyfaceau models install"
INSTALL_REMEDY = f"Run `{INSTALL_COMMAND}` to get OpenFace's files"


class PyFaceAUError(Exception):
    """Base class of every error that pyfaceau raises about files, models or results."""


class VideoError(PyFaceAUError):
    """A video, image or folder of images cannot be read; the message names it and says why."""


class OutputError(PyFaceAUError):
    """A result cannot be written; the message names the file and says why."""


class ResultFileError(PyFaceAUError):
    """A result file cannot be read; the message names it, the place and the reason."""


class MissingColumnsError(PyFaceAUError, ValueError):
    """A table lacks columns that a computation needs; the message names them and what brings them."""


class BaselineError(PyFaceAUError, ValueError):
    """The person at rest cannot be taken from where it was asked for; the message says why."""


class CheckpointError(PyFaceAUError, ValueError):
    """A saved run cannot be used; the message names the file and says why."""


class ManifestError(PyFaceAUError, ValueError):
    """The list of a batch's videos cannot be used; the message names the file and the line and says why."""


class BatchError(PyFaceAUError):
    """A batch cannot begin or its results cannot be read; the message says why."""


class BaselineWarning(UserWarning):
    """Action units are measured against something else than what was asked for."""


class ShortSequenceWarning(UserWarning):
    """A dynamic analysis rests on too few frames to know a face at rest; the message says what to do."""


class InputWarning(UserWarning):
    """A part of an input is left out or may not be what it is taken for; the message says which, and why."""


class TimestampWarning(UserWarning):
    """The time stamps of a video are not those of its frame rate."""


class DamagedVideoWarning(UserWarning):
    """Frames of a video could not be decoded, are missing or were scaled; ``attrs["damage"]`` lists them."""


class RotationWarning(UserWarning):
    """The frames of a video are turned before they are analysed, as no face in them is upright."""


class MissingColumnsWarning(UserWarning):
    """Columns that were asked for are absent, as the models cannot give them."""


class SideOutputWarning(UserWarning):
    """A file that is written on the side cannot be; the analysis goes on without it."""


class ProcessingError(PyFaceAUError):
    """Work on a sequence stopped half-way, or could not be finished; what was computed until then is kept.

    Attributes
    ----------
    partial : pandas.DataFrame
        Result of the frames before the failure. ``partial.attrs["final_pass"]`` says whether its action units
        went through the final pass; if not, they are as predicted when each frame arrived.
    completed : list of pandas.DataFrame
        Results of the files before this one in the same call, complete.
    """

    def __init__(self, message: str, partial: pd.DataFrame, completed: Sequence[pd.DataFrame] = ()) -> None:
        super().__init__(message)
        self.partial = partial
        self.completed = list(completed)


class FinalPassError(ProcessingError):
    """All frames were analysed, but the final pass could not be made; ``partial`` holds them all."""
