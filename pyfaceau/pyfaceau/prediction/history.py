"""Tables that grow by one row a frame, in memory or in a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pyfaceau.state import State

_FIRST_CAPACITY = 64
_ROWS_AT_ONCE = 256  # written to the file together


class History:
    """Rows of numbers, appended one by one in amortised constant time.

    Parameters
    ----------
    columns : int
        Number of values in a row.
    dtype : dtype-like
        Type of the values.
    file : path-like, optional
        Keep the rows there instead of in memory, as plain numbers without a header. What it holds already is
        lost with the first row, unless `restore` refers to it.
    """

    def __init__(self, columns: int, dtype: DTypeLike, file: str | os.PathLike[str] | None = None) -> None:
        self._dtype = np.dtype(dtype)
        self._columns = columns
        self._file = None if file is None else Path(file)
        capacity = _FIRST_CAPACITY if file is None else _ROWS_AT_ONCE
        self._rows = np.empty((capacity, columns), self._dtype)
        self._length = 0  # rows in memory
        self._stored = 0  # rows in the file

    def __len__(self) -> int:
        """Rows so far."""
        return self._stored + self._length

    def append(self, row: Any) -> None:
        """Add a row of `columns` values."""
        if self._length == len(self._rows):
            if self._file is not None:
                self.flush()
            else:
                grown = np.empty((2 * self._length, self._columns), self._dtype)
                grown[: self._length] = self._rows
                self._rows = grown
        self._rows[self._length] = row
        self._length += 1

    def array(self) -> NDArray[Any]:
        """All rows: a view of shape (length, columns) that is valid until the next `append`."""
        if self._file is None:
            return self._rows[: self._length]
        self.flush()
        if self._stored == 0 or self._columns == 0:
            return np.empty((self._stored, self._columns), self._dtype)
        return np.memmap(self._file, self._dtype, "r", shape=(self._stored, self._columns))

    def flush(self) -> None:
        """Write rows that wait in memory to the file, if there is one; `OSError` if that fails."""
        if self._file is not None and self._length:
            with open(self._file, "ab" if self._stored else "wb") as stream:
                stream.write(self._rows[: self._length].tobytes())
            self._stored += self._length
            self._length = 0

    def clear(self) -> None:
        """Drop all rows."""
        capacity = _FIRST_CAPACITY if self._file is None else _ROWS_AT_ONCE
        self._rows = np.empty((capacity, self._columns), self._dtype)
        self._length = self._stored = 0

    def state(self) -> State:
        """Copy the rows; of rows in a file, which stay there, only their number."""
        if self._file is None:
            return {"rows": self.array().copy()}
        self.flush()
        return {"stored": np.array(self._stored, np.int64)}

    def restore(self, state: State) -> None:
        """Go on from what `state` returned.

        Raises
        ------
        KeyError, ValueError
            An array is missing or does not fit, or the file holds fewer rows.
        """
        if "stored" in state:
            self._cut_file(int(state["stored"]))
            return
        rows = state["rows"]
        if rows.ndim != 2 or rows.shape[1] != self._columns or rows.dtype != self._dtype:
            raise ValueError(
                f"history is {rows.dtype} {rows.shape}, expected {self._dtype} (n, {self._columns})"
            )
        if self._file is not None:
            self._file.write_bytes(np.ascontiguousarray(rows).tobytes())
            self._length, self._stored = 0, len(rows)
        else:
            self._rows = np.empty((max(_FIRST_CAPACITY, len(rows)), self._columns), self._dtype)
            self._rows[: len(rows)] = rows
            self._length, self._stored = len(rows), 0

    def _cut_file(self, rows: int) -> None:
        """Drop what was written after the state was taken."""
        size = rows * self._columns * self._dtype.itemsize
        there = self._file is not None and self._file.is_file()
        # Before the first row there is no file yet; what another attempt left there is replaced by that row.
        if self._file is None or rows < 0 or (rows and (not there or self._file.stat().st_size < size)):
            raise ValueError(f"the rows of this state are not in {self._file or 'memory'}")
        if there:
            os.truncate(self._file, size)
        self._rows = np.empty((_ROWS_AT_ONCE, self._columns), self._dtype)
        self._length, self._stored = 0, rows
