"""Which instruction set the compiled backend uses."""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["available_instruction_sets", "instruction_set"]


def _compiled() -> ModuleType | None:
    """Import the compiled module; None where pymtcnn was installed without it."""
    try:
        return importlib.import_module(f"{__package__}._core")
    except ModuleNotFoundError:
        return None


# Here and not later: a wrong PYFACEAU_INSTRUCTION_SET is an error, not a slower backend.
_compiled()


def instruction_set() -> str:
    """Name of the instruction set that the compiled backend uses.

    The best set of the machine is used unless the environment variable ``PYFACEAU_INSTRUCTION_SET`` names another one
    before pymtcnn is imported; a name that this machine does not run is an ImportError.

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
