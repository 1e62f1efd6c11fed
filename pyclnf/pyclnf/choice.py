"""Warnings about choices of models that change numbers: visible, but once per process and choice."""

from __future__ import annotations

import sys
import threading
import warnings

from .errors import ModelChoiceWarning

_PACKAGES = ("pyclnf", "pyfaceau")

_warned: set[str] = set()
_lock = threading.Lock()


def warn_of_choice(message: str) -> None:
    """Warn with `ModelChoiceWarning`, unless this process has given the same warning already.

    Parameters
    ----------
    message : str
        What was chosen, why, and what to do about it.
    """
    with _lock:
        if message in _warned:
            return
        # Remembered afterwards: where warnings are errors, each attempt fails alike.
        warnings.warn(message, ModelChoiceWarning, stacklevel=_callers_level())
        _warned.add(message)


def _callers_level() -> int:
    """Return the `stacklevel`, seen from `warn_of_choice`, of the first caller outside these packages."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    return level


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in _PACKAGES
