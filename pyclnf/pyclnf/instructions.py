"""Which instruction set the compiled kernels use."""

from __future__ import annotations

from ._kernels import kernels

__all__ = ["available_instruction_sets", "instruction_set"]


def instruction_set() -> str:
    """Name of the instruction set that the compiled kernels use.

    Results of different sets differ in their last bits. The best set of the machine is used unless the environment
    variable ``PYFACEAU_INSTRUCTION_SET`` names another one before pyclnf is imported; a name that this machine does
    not run is an ImportError. ``numpy`` stands for the plain NumPy form, which is many times slower; it runs only if it
    is asked for, or where pyclnf was installed without compiled kernels (with a `SlowKernelsWarning`).

    Returns
    -------
    str
        One of `available_instruction_sets`, or ``"numpy"``.

    Examples
    --------
    >>> instruction_set() in available_instruction_sets()
    True
    """
    return kernels.instruction_set()


def available_instruction_sets() -> tuple[str, ...]:
    """Names of the instruction sets that this machine runs.

    Returns
    -------
    tuple of str
        ``"baseline"``, on x86 also ``"avx2"`` and ``"avx512"`` where the processor has them; the best last.
        Only ``"numpy"`` where NumPy's kernels run.

    Examples
    --------
    >>> available_instruction_sets()[0]
    'baseline'
    """
    return tuple(kernels.instruction_sets())
