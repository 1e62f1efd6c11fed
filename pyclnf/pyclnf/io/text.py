"""Tokenised reading of OpenFace's text files, in which lines that start with # are comments."""

from __future__ import annotations

import os
import re
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ModelFileError
from .binary import fitting
from .reader import Reader
from .regular import open_regular

_TOKEN = re.compile(rb"^#[^\n]*|(\S+)", re.MULTILINE)
_LARGEST_FLOAT32, _LARGEST_FLOAT64 = (float(np.finfo(kind).max) for kind in (np.float32, np.float64))
# OpenCV's type codes. Type 0 (bytes written as characters) exists in the format but in no known file.
_TEXT_TYPES: dict[int, type[np.generic]] = {4: np.int32, 5: np.float32, 6: np.float64}


def read_text_file(path: str | os.PathLike[str]) -> bytes:
    """Read a whole model text file, or raise this package's errors."""
    with open_regular(path) as stream:
        try:
            return stream.read()
        except OSError as error:
            raise ModelFileError(path, None, f"cannot be read ({error.strerror or error})") from error


class TextReader(Reader):
    """Sequential reader of whitespace-separated tokens; see `Reader` for counts, tags and errors.

    Parameters
    ----------
    path : path-like
        File to read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._data = read_text_file(path)
        # First and last byte of each token: an object for each would take many times the file.
        self._starts, self._ends = array("q"), array("q")
        for match in _TOKEN.finditer(self._data):
            if match.start(1) >= 0:
                self._starts.append(match.start(1))
                self._ends.append(match.end(1))
        self._next = 0

    @property
    def remaining(self) -> int:
        """Tokens not read yet."""
        return len(self._starts) - self._next

    @property
    def offset(self) -> int:
        """Byte offset of the next token (of the file's end after the last one)."""
        return self._starts[self._next] if self.remaining else len(self._data)

    def i32(self, what: str = "an integer") -> int:
        """Read one integer token."""
        return int(self._numbers(1, np.int32, what)[0])

    def f64(self, what: str = "a number") -> float:
        """Read one finite number."""
        return float(self._numbers(1, np.float64, what)[0])

    def f64s(self, n: int, what: str = "numbers") -> npt.NDArray[np.float64]:
        """Read `n` finite numbers."""
        return self._numbers(n, np.float64, what)

    def matrix(
        self,
        dtype: npt.DTypeLike | None = None,
        rows: int | None = None,
        cols: int | None = None,
        what: str = "a matrix",
    ) -> npt.NDArray[Any]:
        """Read one text matrix: rows, cols, type code, then the values, row-major.

        Parameters
        ----------
        dtype : dtype-like, optional
            Convert to this; by default the type that the file names.
        rows, cols : int, optional
            Insist on these dimensions.
        what : str
            Name of the matrix for error messages.

        Returns
        -------
        ndarray, shape (rows, cols), C-contiguous
        """
        start = self.offset
        stored_rows, stored_cols, code = (self.i32(f"the header of {what}") for _ in range(3))
        stored = self._matrix_type((stored_rows, stored_cols, code), _TEXT_TYPES, rows, cols, what, start)
        values = self._numbers(stored_rows * stored_cols, stored, what).reshape(stored_rows, stored_cols)
        converted = values if dtype is None else fitting(values, np.dtype(dtype))
        if converted is None:
            raise self.error(f"{what} holds values that do not fit into {np.dtype(dtype)}", start)
        return converted

    def expect_end(self) -> None:
        """Insist that every token has been read."""
        if self.remaining:
            raise self.error(f"{self.remaining} unexpected values follow the end of the model")

    def _numbers(self, n: int, dtype: type[np.generic], what: str) -> npt.NDArray[Any]:
        """Convert the next `n` tokens at once; look for the culprit only if that fails."""
        if n > self.remaining:
            raise self.error(f"{what} needs {n} values but only {self.remaining} are left (truncated?)")
        try:
            # Through float64, as the reference reads text matrices, then to the type that the file names.
            values = np.fromiter(
                (_number(self._token(i), dtype) for i in range(self._next, self._next + n)), float, n
            )
        except ValueError:
            bad = next(i for i in range(self._next, self._next + n) if not _is_number(self._token(i), dtype))
            raise self.error(
                f"{what}: {self._token(bad)[:40].decode('latin-1')!r} is not a valid number",
                self._starts[bad],
            ) from None
        self._next += n
        return values.astype(dtype, copy=False)

    def _token(self, index: int) -> bytes:
        return self._data[self._starts[index] : self._ends[index]]


def _number(token: bytes, dtype: type[np.generic]) -> float:
    if b"_" in token:  # Python's way to group digits
        raise ValueError(token)
    if issubclass(dtype, np.integer):
        value = int(token)
        if not -(2**31) <= value < 2**31:
            raise ValueError(token)
        return value
    number = float(token)
    if not abs(number) <= (_LARGEST_FLOAT32 if dtype is np.float32 else _LARGEST_FLOAT64):
        raise ValueError(token)
    return number


def _is_number(token: bytes, dtype: type[np.generic]) -> bool:
    try:
        _number(token, dtype)
    except ValueError:
        return False
    return True
