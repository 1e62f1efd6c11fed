"""Errors at the edge: one line for what users can mend, a traceback for what they cannot."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TextIO

import typer

from pyclnf.errors import PyCLNFError
from pymtcnn import PyMTCNNError

from ..errors import PyFaceAUError

# What a user can act on. Anything else is a defect of this program and keeps its traceback.
_PACKAGES = ("pyfaceau", "pyclnf", "pymtcnn")
FORESEEN = (PyFaceAUError, PyCLNFError, PyMTCNNError, OSError, MemoryError)


def report_error(error: Exception, about: Path | None = None) -> bool:
    """Print a foreseen error as one line on stderr.

    Parameters
    ----------
    error : Exception
        What happened.
    about : Path, optional
        The input at hand, named unless the message does.

    Returns
    -------
    bool
        False if the error was not foreseen; nothing is printed then.
    """
    if not isinstance(error, FORESEEN):
        return False
    message = " ".join(str(error).split()) or type(error).__name__
    if about is not None and str(about) not in message:
        message = f"{about}: {message}"
    typer.echo(f"pyfaceau: error: {message}", err=True)
    return True


def show_choices_plainly() -> None:
    """Print this project's own warnings as one line; other warnings as Python does."""
    usual = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, UserWarning) and category.__module__.partition(".")[0] in _PACKAGES:
            print(f"pyfaceau: warning: {message}", file=file or sys.stderr)
        else:
            usual(message, category, filename, lineno, file, line)

    warnings.showwarning = show
