"""Exceptions of pymtcnn."""

from __future__ import annotations

import os

__all__ = ["BackendError", "BackendWarning", "EngineError", "PyMTCNNError", "WeightsError"]


class PyMTCNNError(Exception):
    """Base of every error about files or installations that pymtcnn raises.

    Wrong arrays and arguments raise :class:`ValueError` or :class:`TypeError` instead.

    Examples
    --------
    >>> from pymtcnn import PyMTCNNError, load_weights
    >>> try:
    ...     load_weights("nowhere")
    ... except PyMTCNNError as error:
    ...     print(type(error).__name__)
    WeightsError
    """


class WeightsError(PyMTCNNError):
    """A weights file is missing, damaged, or holds another network.

    Attributes
    ----------
    path : str
        File (or folder) in question.
    reason : str
        What is wrong with it and what to do.
    offset : int or None
        Byte position at which reading stopped, where that makes sense.

    Examples
    --------
    >>> from pymtcnn import WeightsError, load_weights
    >>> try:
    ...     load_weights("nowhere")
    ... except WeightsError as error:
    ...     print(error.path, error.offset)
    nowhere None
    """

    def __init__(self, path: str | os.PathLike[str], reason: str, offset: int | None = None) -> None:
        self.path = os.fspath(path)
        self.reason = reason
        self.offset = offset
        where = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{self.path}{where}: {reason}")


class BackendError(PyMTCNNError):
    """The backend asked for does not exist or cannot run here.

    Examples
    --------
    >>> from pymtcnn import MTCNN
    >>> MTCNN("abacus")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    pymtcnn.errors.BackendError: unknown backend 'abacus'; choose one of 'auto', 'native', ...
    """


class EngineError(BackendError):
    """An engine that was ready failed while it started or ran, as devices and their drivers can.

    Examples
    --------
    With ``fallback=False`` a device that fails is not replaced; either error ends there:

    >>> from pymtcnn import BackendError, EngineError
    >>> issubclass(EngineError, BackendError)
    True
    """


class BackendWarning(UserWarning):
    """Another engine runs than was asked for, or than this package prefers; numbers may differ in the last digits.

    Examples
    --------
    Rather stop than let another engine run:

    >>> import warnings
    >>> from pymtcnn import MTCNN, BackendWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", BackendWarning)
    ...     detector = MTCNN("numpy")
    """
