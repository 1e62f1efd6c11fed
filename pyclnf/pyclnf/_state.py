"""State that lives across frames, as a flat dictionary of plain arrays: making it, and checking it on its return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

State = dict[str, npt.NDArray[Any]]
StateLike = Mapping[str, npt.NDArray[Any]]
_LARGEST_COUNT = 2**53
_Read = TypeVar("_Read")


def below(prefix: str, state: StateLike) -> State:
    """Prefix the names of a nested object's state: ``fit`` and ``view`` give ``fit.view``."""
    return {f"{prefix}.{name}": array for name, array in state.items()}


class StateReader:
    """Takes the entries of a state one by one, each checked and copied.

    Parameters
    ----------
    state : mapping of str to ndarray
        What an object's ``state()`` returned.
    where : str
        Prefix of these entries in messages.

    Notes
    -----
    Objects read everything first and change themselves only then, so that a state that does not fit leaves them as
    they are.
    """

    def __init__(self, state: StateLike, where: str = "") -> None:
        self._left: State = dict(state)
        self._where = where
        self._nested: list[StateReader] = []

    def error(self, name: str, reason: str) -> ValueError:
        """Build (not raise) the error of an entry."""
        return ValueError(f"state entry {self._where + name!r} {reason}")

    def __contains__(self, prefix: str) -> bool:
        """Whether there is an entry of this name, or a nested state."""
        return any(name == prefix or name.startswith(f"{prefix}.") for name in self._left)

    def array(
        self, name: str, shape: tuple[int | None, ...], dtype: npt.DTypeLike, *, finite: bool = True
    ) -> npt.NDArray[Any]:
        """Take an array.

        Parameters
        ----------
        name : str
        shape : tuple of int or None
            None stands for any length.
        dtype : dtype-like
            Exactly this type.
        finite : bool
            Refuse infinities and NaN.

        Returns
        -------
        ndarray
            A C-contiguous copy.

        Raises
        ------
        KeyError
            If there is no such entry.
        ValueError
            If it is not as described.
        """
        if name not in self._left:
            raise KeyError(f"state entry {self._where + name!r} is missing")
        value = self._left.pop(name)
        wanted = np.dtype(dtype)
        if not isinstance(value, np.ndarray) or value.dtype != wanted:
            found = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
            raise self.error(name, f"must be an array of {wanted}, got {found}")
        fits = value.ndim == len(shape) and all(
            wants is None or wants == has for wants, has in zip(shape, value.shape, strict=True)
        )
        if not fits:
            described = tuple("any" if n is None else n for n in shape)
            raise self.error(name, f"must have shape {described}, got {value.shape}")
        if finite and wanted.kind == "f" and not np.isfinite(value).all():
            raise self.error(name, "must be finite")
        return np.array(value, order="C")

    def count(self, name: str, least: int = 0, below: int = _LARGEST_COUNT) -> int:
        """Take an integer of at least `least` and less than `below`."""
        value = int(self.array(name, (), np.int64))
        if not least <= value < below:
            raise self.error(name, f"must be at least {least} and less than {below}, got {value}")
        return value

    def number(self, name: str) -> float:
        """Take a finite number."""
        return float(self.array(name, (), np.float64))

    def flag(self, name: str) -> bool:
        """Take a truth value."""
        return bool(self.array(name, (), np.bool_))

    def nested(self, prefix: str) -> StateReader:
        """Take all entries below a prefix."""
        start = f"{prefix}."
        names = [name for name in self._left if name.startswith(start)]
        reader = StateReader({n[len(start) :]: self._left.pop(n) for n in names}, self._where + start)
        self._nested.append(reader)
        return reader

    def expect_end(self) -> None:
        """Raise ValueError if an entry was not asked for, here or in a nested state."""
        for reader in self._nested:
            reader.expect_end()
        for name in self._left:
            raise self.error(name, "is not part of this object's state (another model, or other options?)")


def read_whole(state: StateLike, read: Callable[[StateReader], _Read]) -> _Read:
    """Read a state of which nothing may be left over.

    Parameters
    ----------
    state : mapping of str to ndarray
    read : callable
        Takes the entries that it knows, and checks them.

    Returns
    -------
    object
        What `read` returns.

    Raises
    ------
    KeyError, ValueError
        An entry is missing, is not as described, or is unknown.
    """
    reader = StateReader(state)
    found = read(reader)
    reader.expect_end()
    return found


Rebuilding = tuple[Callable[..., Any], tuple[type, dict[str, Any], State | None]]


def rebuilt(kind: type, arguments: dict[str, Any], state: State | None) -> Any:
    """Rebuild a pickled or copied object from its constructor's arguments and its state."""
    made = kind(**arguments)
    if state is not None:
        made.restore(state)
    return made


def count(value: int) -> npt.NDArray[np.int64]:
    """Store an integer in a state."""
    return np.array(value, np.int64)


def number(value: float) -> npt.NDArray[np.float64]:
    """Store a float in a state."""
    return np.array(value, np.float64)


def flag(value: bool) -> npt.NDArray[np.bool_]:
    """Store a truth value in a state."""
    return np.array(value, np.bool_)
