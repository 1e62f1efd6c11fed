"""Chooses between the compiled parts of this package and their NumPy form."""

from __future__ import annotations

import importlib
import os
import warnings
from functools import lru_cache
from types import ModuleType

import pyclnf

__all__ = ["form_of", "instruction_set"]


def form_of(name: str) -> ModuleType:
    """Import a compiled module, or its NumPy form where it was not compiled or the environment asks for NumPy.

    Parameters
    ----------
    name : str
        Full name of the compiled module; the NumPy form has the same name with ``_numpy`` added.
    """
    if os.environ.get("PYFACEAU_INSTRUCTION_SET") != "numpy":
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            if pyclnf.instruction_set() != "numpy":  # else pyclnf has said it for both
                _warn()
    return importlib.import_module(f"{name}_numpy")


@lru_cache(maxsize=1)
def _warn() -> None:
    """Say once that the NumPy form runs."""
    warnings.warn(
        "pyfaceau was installed without its compiled parts, so their NumPy form runs: slower; install a wheel for this "
        "machine, or a C compiler and pyfaceau again",
        pyclnf.SlowKernelsWarning,
        stacklevel=3,
    )


def instruction_set() -> str:
    """Name what runs: ``"baseline"`` for the compiled parts, which have one form, else ``"numpy"``."""
    return "numpy" if form_of("pyfaceau.prediction.linear").__name__.endswith("_numpy") else "baseline"
