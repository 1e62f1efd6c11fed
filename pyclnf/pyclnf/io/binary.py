"""Bounds-checked reading (memory-mapped) and writing of OpenFace's little-endian binary files."""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ..errors import ModelFileError
from .atomic import atomic_write
from .reader import LARGEST, Reader
from .regular import open_regular

# OpenCV's one-channel type codes. 7 is CV_16F, which OpenFace itself never writes: our compact packs do.
MATRIX_TYPES: dict[int, np.dtype[Any]] = {
    0: np.dtype("u1"),
    4: np.dtype("<i4"),
    5: np.dtype("<f4"),
    6: np.dtype("<f8"),
    7: np.dtype("<f2"),
}
_CODE_OF = {dtype.newbyteorder("=").name: code for code, dtype in MATRIX_TYPES.items()}
_HEADER = struct.Struct("<iii")


def fitting(values: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any] | None:
    """Convert values of a file to the type that a model uses; None if they would turn into others."""
    if values.dtype == dtype:
        return values
    with np.errstate(all="ignore"):
        converted = values.astype(dtype)
    fits = np.array_equal(converted, values) if dtype.kind == "i" else np.isfinite(converted).all()
    return converted if fits else None


class BinaryReader(Reader):
    """Sequential reader over a memory-mapped file; see `Reader` for counts, tags and errors.

    Arrays of the stored dtype are read-only views on the mapping (nothing is copied) wherever
    their place in the file is aligned for that dtype.

    Parameters
    ----------
    path : path-like
        File to read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._offset = 0
        with open_regular(self.path) as stream:
            self._size = os.fstat(stream.fileno()).st_size
            try:
                # An empty file cannot be mapped.
                self._data: bytes | mmap.mmap = (
                    mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if self._size else b""
                )
            except OSError as error:
                reason = f"cannot be read ({error.strerror or error})"
                raise ModelFileError(self.path, None, reason) from error

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return self._size - self._offset

    @property
    def offset(self) -> int:
        """Byte at which reading goes on."""
        return self._offset

    def _take(self, n_bytes: int, what: str) -> int:
        """Advance over `n_bytes` and return where they begin."""
        if n_bytes > self.remaining:
            raise self.error(f"{what} needs {n_bytes} bytes but only {self.remaining} are left (truncated?)")
        start = self._offset
        self._offset += n_bytes
        return start

    def i32(self, what: str = "an integer") -> int:
        """Read one signed 32-bit integer."""
        return int(struct.unpack_from("<i", self._data, self._take(4, what))[0])

    def f64(self, what: str = "a number", *, finite: bool = True) -> float:
        """Read one double; what is not finite as float32 is refused unless ``finite=False``."""
        value = float(struct.unpack_from("<d", self._data, self._take(8, what))[0])
        if finite and not abs(value) <= LARGEST:
            raise self.error(f"{what} is {value}", self.offset - 8)
        return value

    def f32s(self, n: int, what: str = "float32 values") -> npt.NDArray[np.float32]:
        """Read `n` float32 values."""
        return self._array(np.dtype("<f4"), n, what)

    def f64s(self, n: int, what: str = "float64 values") -> npt.NDArray[np.float64]:
        """Read `n` float64 values that are finite as float32 too."""
        values = self._array(np.dtype("<f8"), n, what)
        if not (np.abs(values) <= LARGEST).all():
            raise self.error(f"{what} are not all finite", self.offset - values.nbytes)
        return values

    def matrix(
        self,
        dtype: npt.DTypeLike | None = None,
        rows: int | None = None,
        cols: int | None = None,
        what: str = "a matrix",
        *,
        finite: bool = True,
    ) -> npt.NDArray[Any]:
        """Read one binary matrix (i32 rows, cols, type; then the values, row-major).

        Parameters
        ----------
        dtype : dtype-like, optional
            Convert to this; by default the stored type is kept.
        rows, cols : int, optional
            Insist on these dimensions.
        what : str
            Name of the matrix for error messages.
        finite : bool
            Refuse NaN and infinity. Without it, the pages of a large matrix are not touched.

        Returns
        -------
        ndarray, shape (rows, cols), C-contiguous
            A view on the file where no conversion is needed.
        """
        start = self.offset
        header = _HEADER.unpack_from(self._data, self._take(12, f"the header of {what}"))
        stored = self._matrix_type(header, MATRIX_TYPES, rows, cols, what, start)
        stored_rows, stored_cols, _ = header
        values = self._array(stored, stored_rows * stored_cols, f"{what} ({stored_rows} x {stored_cols})")
        values = values.reshape(stored_rows, stored_cols)
        if finite and stored.kind == "f" and not np.isfinite(values).all():
            raise self.error(f"{what} holds values that are not finite", start)
        return values if dtype is None else self._converted(values, np.dtype(dtype), what, start)

    def _converted(
        self, values: npt.NDArray[Any], dtype: np.dtype[Any], what: str, start: int
    ) -> npt.NDArray[Any]:
        """Convert to the type that the model uses, unless values would turn into others."""
        converted = fitting(values, dtype)
        if converted is None:
            raise self.error(f"{what} holds values that do not fit into {dtype}", start)
        return converted

    def vector(self, dtype: npt.DTypeLike, size: int | None, what: str) -> npt.NDArray[Any]:
        """Read a matrix that must be one row or one column (of `size` values), as a flat array."""
        start = self.offset
        values = self.matrix(dtype, what=what)
        if 1 not in values.shape or (size is not None and values.size != size):
            wanted = "a single row or column" if size is None else f"{size} values in one row or column"
            raise self.error(f"{what} is {values.shape[0]} x {values.shape[1]}, expected {wanted}", start)
        return values.reshape(-1)

    def expect_end(self) -> None:
        """Insist that the whole file has been read."""
        if self.remaining:
            raise self.error(f"{self.remaining} bytes follow the end of the model")

    def _array(self, dtype: np.dtype[Any], n: int, what: str) -> npt.NDArray[Any]:
        start = self._take(n * dtype.itemsize, what)
        if n == 0:
            return np.empty(0, dtype.newbyteorder("="))
        view = np.frombuffer(self._data, dtype, n, start)
        if not view.flags.aligned:
            view = view.copy()
        return view.astype(dtype.newbyteorder("="), copy=False)


class BinaryWriter:
    """Writer of the same layout; the file appears when the ``with`` block ends well.

    Parameters
    ----------
    path : path-like
        Destination, replaced atomically.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._context = atomic_write(path)
        self._stream: IO[bytes] | None = None

    def __enter__(self) -> BinaryWriter:
        """Open the temporary file."""
        self._stream = self._context.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        """Move the temporary file to its place, or drop it if an exception came."""
        return self._context.__exit__(kind, error, trace)

    def _write(self, data: bytes) -> None:
        if self._stream is None:
            raise ValueError("use BinaryWriter in a with statement")
        self._stream.write(data)

    def i32(self, *values: int) -> None:
        """Write signed 32-bit integers."""
        self._write(struct.pack(f"<{len(values)}i", *values))

    def f64(self, *values: float) -> None:
        """Write doubles."""
        self._write(struct.pack(f"<{len(values)}d", *values))

    def f32s(self, values: npt.ArrayLike) -> None:
        """Write values as bare float32, without a header."""
        self._write(np.asarray(values, "<f4").tobytes())

    def matrix(self, values: npt.ArrayLike, dtype: npt.DTypeLike) -> None:
        """Write a binary matrix of `dtype` (uint8, int32, float32, float64 or float16)."""
        array = np.asarray(values, dtype)
        if array.ndim != 2:
            raise ValueError(f"a matrix must have two dimensions, got shape {array.shape}")
        code = _CODE_OF[array.dtype.name]
        self._write(_HEADER.pack(*array.shape, code))
        self._write(np.ascontiguousarray(array, MATRIX_TYPES[code]).tobytes())
