"""Exceptions of pyclnf: one base class, one subclass per thing a caller can act on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

INSTALL_COMMAND = "pyclnf models install"
_MOST_SHOWN = 3


class PyCLNFError(Exception):
    """Base class of every error about models or model files that pyclnf raises.

    Examples
    --------
    >>> from pyclnf import CLNF, PyCLNFError
    >>> try:
    ...     CLNF("nowhere.txt")
    ... except PyCLNFError as error:
    ...     print(type(error).__name__)
    MissingModelError
    """


class ModelFileError(PyCLNFError):
    """A model file exists but does not hold what its format promises.

    Parameters
    ----------
    path : path-like
        The offending file.
    offset : int or None
        Byte offset at which reading failed; None where no single place is to blame.
    reason : str
        What is wrong, in one sentence.

    Examples
    --------
    >>> from pyclnf import ModelFileError
    >>> raise ModelFileError("pdm.txt", 12, "ends within the mean shape")
    Traceback (most recent call last):
    pyclnf.errors.ModelFileError: pdm.txt: malformed model file at byte 12: ends within the mean shape
    """

    def __init__(self, path: str | os.PathLike[str], offset: int | None, reason: str) -> None:
        super().__init__(path, offset, reason)  # all arguments, so that the error survives pickling
        self.path = Path(path)
        self.offset = offset
        self.reason = reason

    def __str__(self) -> str:
        """Name the file, the place and the reason in one line."""
        where = "" if self.offset is None else f" at byte {self.offset}"
        return f"{self.path}: malformed model file{where}: {self.reason}"


def install_remedy(command: str = INSTALL_COMMAND) -> str:
    """Say that a command gets OpenFace's files."""
    return f"Run `{command}` to get OpenFace's files"


_REMEDY = install_remedy()


class MissingModelError(PyCLNFError):
    """Model files that are needed are not on this machine.

    Parameters
    ----------
    missing : iterable of path-like
        The files that were looked for and not found.
    hint : str, optional
        A further way out, or where was searched; one sentence at the end of the message.
    remedy : str, optional
        What to do, at the beginning of the message.

    Examples
    --------
    >>> from pyclnf import CLNF
    >>> CLNF("nowhere.txt")
    Traceback (most recent call last):
    pyclnf.errors.MissingModelError: Run `pyclnf models install` to get OpenFace's files: 1 model file is missing: ...
    """

    def __init__(
        self,
        missing: Iterable[str | os.PathLike[str]],
        hint: str = "",
        remedy: str = _REMEDY,
    ) -> None:
        self.missing = tuple(os.fspath(item) for item in missing)
        self.hint = hint
        self.remedy = remedy
        super().__init__(self.missing, hint, remedy)

    def __str__(self) -> str:
        """Say what to do, then which files are missing."""
        number = len(self.missing)
        noun = "1 model file is" if number == 1 else f"{number} model files are"
        shown = ", ".join(self.missing[:_MOST_SHOWN])
        if number > _MOST_SHOWN:
            shown += f" and {number - _MOST_SHOWN} more"
        message = f"{self.remedy}: {noun} missing: {shown}."
        return f"{message} {self.hint}." if self.hint else message


class ModelChoiceWarning(UserWarning):
    """Other models than the best ones are used, and the numbers depend on it; the message says which and why.

    Examples
    --------
    Rather stop than take other models than OpenFace's best:

    >>> import warnings
    >>> from pyclnf import CLNF, ModelChoiceWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", ModelChoiceWarning)
    ...     clnf = CLNF("open")  # asked for by name: nothing to warn of
    """


class SlowKernelsWarning(UserWarning):
    """Nothing was compiled when the package was installed, so the NumPy form of its kernels runs.

    Examples
    --------
    Rather stop than compute slowly:

    >>> import warnings
    >>> from pyclnf import SlowKernelsWarning, instruction_set
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", SlowKernelsWarning)
    ...     used = instruction_set()
    """


class ModelInstallError(PyCLNFError):
    """Model files could not be installed; the message says which, and why.

    Examples
    --------
    >>> from pyclnf import ModelInstallError, PyCLNFError
    >>> issubclass(ModelInstallError, PyCLNFError)  # one handler for all that concerns models
    True
    """
