"""Exceptions of pyfaceau: one base class, one subclass per thing a caller can act on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


INSTALL_COMMAND = "pyfaceau models install"
INSTALL_REMEDY = f"Run `{INSTALL_COMMAND}` to get OpenFace's files"


class PyFaceAUError(Exception):
    """Base class of every error that pyfaceau raises about files, models or results.

    Examples
    --------
    >>> from pyfaceau import PyFaceAUError, read_table
    >>> try:
    ...     read_table("nowhere.csv")
    ... except PyFaceAUError as error:
    ...     print(error)
    nowhere.csv: no such file
    """


class VideoError(PyFaceAUError):
    """A video, image or folder of images cannot be read; the message names it and says why.

    Examples
    --------
    >>> from pyfaceau import FullPythonAUPipeline
    >>> FullPythonAUPipeline(models="open").process_video("nowhere.mp4")
    Traceback (most recent call last):
    pyfaceau.errors.VideoError: nowhere.mp4: no such file
    """


class OutputError(PyFaceAUError):
    """A result cannot be written; the message names the file and says why.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from pyfaceau import HogSink, OutputError
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "file"
    >>> file.touch()
    >>> try:
    ...     HogSink(file / "below-a-file.hog")
    ... except OutputError:
    ...     print("cannot be written")
    cannot be written
    """


class ResultFileError(PyFaceAUError):
    """A result file cannot be read; the message names it, the place and the reason.

    Examples
    --------
    >>> from pyfaceau import read_table
    >>> read_table("nowhere.csv")
    Traceback (most recent call last):
    pyfaceau.errors.ResultFileError: nowhere.csv: no such file
    """


class MissingColumnsError(PyFaceAUError, ValueError):
    """A table lacks columns that a computation needs; the message names them and what brings them.

    Examples
    --------
    >>> import pandas as pd, pyfaceau.findings
    >>> pd.DataFrame({"confidence": [0.9]}).face.aus
    Traceback (most recent call last):
    pyfaceau.errors.MissingColumnsError: the table has no AU01_r, AU02_r, AU04_r and 14 more: analyse with ...
    """


class BaselineError(PyFaceAUError, ValueError):
    """The person at rest cannot be taken from where it was asked for; the message says why.

    Examples
    --------
    >>> import numpy as np
    >>> from pyfaceau import Baseline, BaselineError, FullPythonAUPipeline, ProcessingError
    >>> from pyfaceau.demo import DEMO_CLIP
    >>> foreign = Baseline(np.zeros(3), np.zeros(2), "made with other models")
    >>> try:
    ...     FullPythonAUPipeline(models="open").process_video(DEMO_CLIP, progress=False, baseline=foreign)
    ... except ProcessingError as error:
    ...     isinstance(error.__cause__, BaselineError)
    True
    """


class CheckpointError(PyFaceAUError, ValueError):
    """A saved run cannot be used; the message names the file and says why.

    Examples
    --------
    >>> from pyfaceau import FullPythonAUPipeline
    >>> FullPythonAUPipeline(models="open").resume("nowhere.run")
    Traceback (most recent call last):
    pyfaceau.errors.CheckpointError: nowhere.run: no such file
    """


class ManifestError(PyFaceAUError, ValueError):
    """The list of a batch's videos cannot be used; the message names the file and the line and says why.

    Examples
    --------
    >>> from pyfaceau import run_batch
    >>> run_batch("nowhere", "results")
    Traceback (most recent call last):
    pyfaceau.errors.ManifestError: nowhere: no such file or folder
    """


class BatchError(PyFaceAUError):
    """A batch cannot begin or its results cannot be read; the message says why.

    Examples
    --------
    >>> from pyfaceau import read_results
    >>> read_results("nowhere")
    Traceback (most recent call last):
    pyfaceau.errors.BatchError: nowhere: not the output folder of a batch (.pyfaceau/journal.sqlite is missing)
    """


class BaselineWarning(UserWarning):
    """Action units are measured against something else than what was asked for.

    Examples
    --------
    Rather stop than measure against another face at rest:

    >>> import warnings
    >>> from pyfaceau import BaselineWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", BaselineWarning)
    ...     # analyse here
    """


class ShortSequenceWarning(UserWarning):
    """A dynamic analysis rests on too few frames to know a face at rest; the message says what to do.

    Examples
    --------
    Pass over it, where short clips are meant:

    >>> import warnings
    >>> from pyfaceau import ShortSequenceWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", ShortSequenceWarning)
    ...     # analyse here
    """


class InputWarning(UserWarning):
    """A part of an input is left out or may not be what it is taken for; the message says which, and why.

    Examples
    --------
    Rather stop than leave a part of the input out:

    >>> import warnings
    >>> from pyfaceau import InputWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", InputWarning)
    ...     # analyse here
    """


class TimestampWarning(UserWarning):
    """The time stamps of a video are not those of its frame rate.

    Examples
    --------
    Videos of variable frame rate are known, so pass over it:

    >>> import warnings
    >>> from pyfaceau import TimestampWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", TimestampWarning)
    ...     # analyse here
    """


class DamagedVideoWarning(UserWarning):
    """Frames of a video could not be decoded, are missing or were scaled; ``attrs["damage"]`` lists them.

    Examples
    --------
    Rather stop than analyse a damaged video:

    >>> import warnings
    >>> from pyfaceau import DamagedVideoWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", DamagedVideoWarning)
    ...     # analyse here
    """


class RotationWarning(UserWarning):
    """The frames of a video are turned before they are analysed, as no face in them is upright.

    Examples
    --------
    Rather stop than turn a video:

    >>> import warnings
    >>> from pyfaceau import RotationWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", RotationWarning)
    ...     # analyse here
    """


class MissingColumnsWarning(UserWarning):
    """Columns that were asked for are absent, as the models cannot give them.

    Examples
    --------
    Rather stop than go without columns:

    >>> import warnings
    >>> from pyfaceau import MissingColumnsWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", MissingColumnsWarning)
    ...     # analyse here
    """


class SideOutputWarning(UserWarning):
    """A file that is written on the side cannot be; the analysis goes on without it.

    Examples
    --------
    Rather stop than go without the file:

    >>> import warnings
    >>> from pyfaceau import SideOutputWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", SideOutputWarning)
    ...     # analyse here
    """


class ProcessingError(PyFaceAUError):
    """Work on a sequence stopped half-way, or could not be finished; what was computed until then is kept.

    Attributes
    ----------
    partial : pandas.DataFrame
        Result of the frames before the failure. ``partial.attrs["final_pass"]`` says whether its action units
        went through the final pass; if not, they are as predicted when each frame arrived.
    completed : list of pandas.DataFrame
        Results of the files before this one in the same call, complete.

    Examples
    --------
    >>> import pandas as pd
    >>> from pyfaceau import ProcessingError
    >>> try:  # as process_video does when frame 3 fails
    ...     raise ProcessingError("video.mp4: failed after 2 rows", pd.DataFrame({"frame": [1, 2]}))
    ... except ProcessingError as error:
    ...     kept = error.partial
    >>> len(kept)
    2
    """

    def __init__(self, message: str, partial: pd.DataFrame, completed: Sequence[pd.DataFrame] = ()) -> None:
        super().__init__(message)
        self.partial = partial
        self.completed = list(completed)


class FinalPassError(ProcessingError):
    """All frames were analysed, but the final pass could not be made; ``partial`` holds them all.

    Examples
    --------
    >>> import pandas as pd
    >>> from pyfaceau import FinalPassError, ProcessingError
    >>> try:
    ...     raise FinalPassError("video.mp4: no final pass", pd.DataFrame({"AU12_r": [0.5, -0.1]}))
    ... except ProcessingError as error:  # as any other failure on the way
    ...     raw = error.partial["AU12_r"]  # neither shifted nor clipped
    """
