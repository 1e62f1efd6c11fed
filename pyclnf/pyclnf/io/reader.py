"""What the readers of binary and of text files have in common: places in errors, counts, tags, sizes of matrices."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from ..errors import ModelFileError

_Kind = TypeVar("_Kind")
LARGEST = 3.4028234663852886e38  # of float32, in which models compute


class Reader(ABC):
    """Sequential reader of a model file; every size is checked before it is used.

    Attributes
    ----------
    path : Path
        The file.

    Raises
    ------
    MissingModelError
        No such file.
    ModelFileError
        From every method: the file ends early, or holds something impossible.
    """

    path: Path

    @property
    @abstractmethod
    def offset(self) -> int:
        """Byte at which reading goes on."""

    @property
    @abstractmethod
    def remaining(self) -> int:
        """What is left to read: bytes, or tokens of a text."""

    @abstractmethod
    def i32(self, what: str = "an integer") -> int:
        """Read one signed 32-bit integer."""

    def error(self, reason: str, offset: int | None = None) -> ModelFileError:
        """Build (not raise) the error for `reason` at byte `offset`, by default where reading goes on."""
        return ModelFileError(self.path, self.offset if offset is None else offset, reason)

    def count(self, what: str, item_size: int, minimum: int = 0) -> int:
        """Read a count of items of at least `item_size` bytes (tokens of a text) each, all of which must still fit."""
        start = self.offset
        value = self.i32(f"the number of {what}")
        if value < minimum or value * item_size > self.remaining:
            raise self.error(f"{value} is not a possible number of {what}", start)
        return value

    def tag(self, expected: int, what: str) -> None:
        """Read an integer type tag and insist on its value."""
        start = self.offset
        value = self.i32(f"the type tag of {what}")
        if value != expected:
            raise self.error(f"expected type tag {expected} of {what}, found {value}", start)

    def _matrix_type(
        self,
        header: tuple[int, int, int],
        types: Mapping[int, _Kind],
        rows: int | None,
        cols: int | None,
        what: str,
        start: int,
    ) -> _Kind:
        """Check the header (rows, columns, type code) of a matrix at byte `start`; return what its code stands for."""
        stored_rows, stored_cols, code = header
        stored = types.get(code)
        if stored is None:
            raise self.error(f"{what} has the unknown matrix type {code}", start)
        if stored_rows < 0 or stored_cols < 0:
            raise self.error(f"{what} has the impossible size {stored_rows} x {stored_cols}", start)
        for name, found, wanted in (("rows", stored_rows, rows), ("columns", stored_cols, cols)):
            if wanted is not None and found != wanted:
                raise self.error(f"{what} has {found} {name}, expected {wanted}", start)
        return stored
