"""The form of FHOG that runs: dlib's, compiled, or NumPy's where there is none or the environment asks for it."""

from __future__ import annotations

import importlib
import os
import warnings
from typing import TYPE_CHECKING

__all__ = ["SlowKernelsWarning", "extract", "instruction_set"]


class SlowKernelsWarning(UserWarning):
    """Nothing was compiled when the package was installed, so the NumPy form of its kernels runs.

    Examples
    --------
    Rather stop than compute slowly:

    >>> import warnings
    >>> from pyfhog import SlowKernelsWarning, instruction_set
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", SlowKernelsWarning)
    ...     used = instruction_set()
    """


def _numpy_runs() -> bool:
    """Whether the NumPy form runs: asked for, or because nothing was compiled."""
    if os.environ.get("PYFACEAU_INSTRUCTION_SET") == "numpy":
        return True
    try:
        importlib.import_module("pyfhog._core")
    except ModuleNotFoundError:
        warnings.warn(
            "pyfhog was installed without dlib's compiled code, so its NumPy form runs: slower, and other in the last "
            "digits; install a wheel for this machine, or a C++ compiler and pyfhog again",
            SlowKernelsWarning,
            stacklevel=3,
        )
        return True
    return False


_NUMPY = _numpy_runs()

if TYPE_CHECKING or not _NUMPY:
    from pyfhog._core import extract_fhog as extract
else:
    from pyfhog.fhog_numpy import extract


def instruction_set() -> str:
    """Name what computes FHOG here.

    Returns
    -------
    str
        ``"baseline"`` for dlib's code, which is compiled for one instruction set; ``"numpy"`` for the plain NumPy form,
        which runs where pyfhog was installed without a compiler (with a `SlowKernelsWarning`), or if the environment
        variable ``PYFACEAU_INSTRUCTION_SET`` is ``numpy``. It is slower and differs by some 1e-6.

    Examples
    --------
    >>> instruction_set() in ("baseline", "numpy")
    True
    """
    return "numpy" if _NUMPY else "baseline"
