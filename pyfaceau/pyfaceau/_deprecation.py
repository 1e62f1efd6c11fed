"""Names of earlier versions: they work for one more version and warn."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])


def renamed_arguments(**new_names: str) -> Callable[[_Function], _Function]:
    """Let a function accept keyword arguments under their old names.

    Parameters
    ----------
    **new_names : str
        New name of each old one.

    Returns
    -------
    callable
        A decorator. The function warns with `DeprecationWarning`, and raises `TypeError` if it gets both names.
    """

    def decorate(function: _Function) -> _Function:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            for old, new in new_names.items():
                if old in kwargs:
                    if new in kwargs:
                        raise TypeError(
                            f"{function.__qualname__}() got both {new!r} and its old name {old!r}"
                        )
                    warn_renamed(f"argument {old!r}", f"{new!r}", stacklevel=3)
                    kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call  # type: ignore[return-value]

    return decorate


def warn_renamed(old: str, new: str, stacklevel: int = 3) -> None:
    """Warn that something has another name now."""
    warnings.warn(
        f"{old} is now {new}; the old name goes in version 2.1", DeprecationWarning, stacklevel=stacklevel
    )
