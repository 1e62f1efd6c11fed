"""The kernels that run: the compiled ones, or their NumPy form where there are none or the environment asks for it."""

from __future__ import annotations

import importlib
import os
import warnings
from typing import TYPE_CHECKING

from .errors import SlowKernelsWarning

__all__ = ["kernels"]

VARIABLE = "PYFACEAU_INSTRUCTION_SET"

if TYPE_CHECKING:
    from . import _core as kernels
elif os.environ.get(VARIABLE) == "numpy":
    from . import _core_numpy as kernels
else:
    try:
        kernels = importlib.import_module(f"{__package__}._core")  # PyInstaller's hook knows of it
    except ModuleNotFoundError:
        if os.environ.get(VARIABLE):
            raise ImportError(
                f"{VARIABLE}={os.environ[VARIABLE]}: pyclnf was installed without compiled kernels and has 'numpy' only"
            ) from None
        from . import _core_numpy as kernels

        warnings.warn(
            "pyclnf was installed without compiled kernels, so NumPy's run: many times slower, and other in the last "
            "digits; install a wheel for this machine, or a C++ compiler and pyclnf again",
            SlowKernelsWarning,
            stacklevel=2,
        )
