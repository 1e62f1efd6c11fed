"""Tables that grow by one row a frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_FIRST_CAPACITY = 256


class History:
    """Rows of numbers, appended one by one in amortised constant time.

    Parameters
    ----------
    columns : int
        Values a row.
    dtype : dtype-like
        Type of the values.
    """

    def __init__(self, columns: int, dtype: DTypeLike) -> None:
        self._rows = np.empty((_FIRST_CAPACITY, columns), dtype)
        self._length = 0

    def __len__(self) -> int:
        """Rows so far."""
        return self._length

    def append(self, row: Any) -> None:
        """Add a row of `columns` values."""
        if self._length == len(self._rows):
            grown = np.empty((2 * self._length, self._rows.shape[1]), self._rows.dtype)
            grown[: self._length] = self._rows
            self._rows = grown
        self._rows[self._length] = row
        self._length += 1

    def array(self) -> NDArray[Any]:
        """All rows: a view of shape (length, columns) that is valid until the next `append`."""
        return self._rows[: self._length]

    def clear(self) -> None:
        """Drop all rows."""
        self._rows = np.empty((_FIRST_CAPACITY, self._rows.shape[1]), self._rows.dtype)
        self._length = 0

    def restore(self, rows: NDArray[Any]) -> None:
        """Replace all rows; raises ValueError if they do not fit."""
        if rows.ndim != 2 or rows.shape[1] != self._rows.shape[1]:
            raise ValueError(f"history has shape {rows.shape}, expected (n, {self._rows.shape[1]})")
        capacity = max(_FIRST_CAPACITY, len(rows))
        self._rows = np.empty((capacity, rows.shape[1]), self._rows.dtype)
        self._rows[: len(rows)] = rows
        self._length = len(rows)
