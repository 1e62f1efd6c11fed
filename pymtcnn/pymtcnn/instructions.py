"""Which instruction set the compiled backend uses."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

__all__ = ["available_instruction_sets", "instruction_set"]

_VARIABLE = "PYFACEAU_INSTRUCTION_SET"


def numpy_is_asked_for() -> bool:
    """Whether the environment asks for NumPy in place of the compiled engine."""
    return os.environ.get(_VARIABLE) == "numpy"


def _compiled() -> ModuleType | None:
    """Import the compiled module; None where pymtcnn was installed without it, or NumPy's form is asked for."""
    if numpy_is_asked_for():
        return None
    try:
        return importlib.import_module(f"{__package__}._core")
    except ModuleNotFoundError:
        if os.environ.get(_VARIABLE):
            raise ImportError(
                f"{_VARIABLE}={os.environ[_VARIABLE]}: pymtcnn was installed without compiled kernels, "
                "so it has 'numpy' only"
            ) from None
        return None


# Here and not later: a wrong PYFACEAU_INSTRUCTION_SET is an error, not a slower backend.
_compiled()


def instruction_set() -> str:
    """Name of the instruction set that the compiled backend uses.

    The best set of the machine is used unless the environment variable ``PYFACEAU_INSTRUCTION_SET`` names another one
    before pymtcnn is imported; a name that this machine does not run is an ImportError. ``numpy`` stands for the engine
    ``"numpy"`` in place of the compiled one.

    Returns
    -------
    str
        One of `available_instruction_sets`; ``"numpy"`` where pymtcnn was installed without a compiler.

    Examples
    --------
    >>> instruction_set() in available_instruction_sets()
    True
    """
    module = _compiled()
    return "numpy" if module is None else str(module.instruction_set())


def available_instruction_sets() -> tuple[str, ...]:
    """Names of the instruction sets that this machine runs.

    Returns
    -------
    tuple of str
        ``"baseline"``, on x86 also ``"avx2"`` and ``"avx512"`` where the processor has them; the best last.
        Only ``"numpy"`` where pymtcnn was installed without a compiler.

    Examples
    --------
    >>> available_instruction_sets()[0]
    'baseline'
    """
    module = _compiled()
    return ("numpy",) if module is None else tuple(module.instruction_sets())
