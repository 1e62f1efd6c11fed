"""Archives of plain arrays (.npz without compression), read with every size checked and nothing unpickled."""

from __future__ import annotations

import os
import re
import struct
import zipfile
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

# Version 1.0 of NumPy's format (numpy/lib/format.py), and the one way in which NumPy itself writes a header. Its own
# reader evaluates the header as Python.
_MAGIC = b"\x93NUMPY\x01\x00"
_DTYPE, _SHAPE = rb"(\|b1|\|[iu]1|<[iu][248]|<f[248])", rb"\(((?:\d{1,18}, ?)*\d{0,18})\)"
_HEADER = re.compile(rb"\{'descr': '%b', 'fortran_order': False, 'shape': %b, \} *\n" % (_DTYPE, _SHAPE))
_DAMAGED = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    KeyError,
    OverflowError,
    struct.error,
)


def read_archive(
    path: str | os.PathLike[str], names: Collection[str] | None = None
) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays of an archive that `numpy.savez` or `pyfaceau.checkpoint` wrote.

    Parameters
    ----------
    path : path-like
    names : collection of str, optional
        Read only these, of which some may be absent.

    Returns
    -------
    dict of str to ndarray
        C-contiguous arrays of booleans, integers or floating point, which belong to the caller. They have no more
        bytes in all than the file.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is not such an archive, or damaged.
    """
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        try:
            with zipfile.ZipFile(stream) as archive:
                entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
                # Several entries may name the same bytes.
                if sum(entry.file_size for entry in entries.values()) > size:
                    raise ValueError(f"its arrays would take more than its {size} bytes")
                return {
                    name: _array(archive, entry)
                    for name, entry in entries.items()
                    if names is None or name in names
                }
        except _DAMAGED as error:
            raise ValueError(str(error) or type(error).__name__) from error


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> npt.NDArray[Any]:
    name = entry.filename
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        raise ValueError(f"{name} is compressed")
    content = archive.read(entry)
    start = len(_MAGIC) + 2
    header = _HEADER.fullmatch(content[start : start + int.from_bytes(content[start - 2 : start], "little")])
    if not content.startswith(_MAGIC) or header is None:
        raise ValueError(f"{name} is not a plain array")
    dtype = np.dtype(header[1].decode())
    shape = tuple(int(length) for length in header[2].replace(b" ", b"").split(b",") if length)
    data = memoryview(content)[start + len(header[0]) :]
    needed = dtype.itemsize
    for length in shape:
        needed *= length  # Python integers: no overflow
    if needed != len(data):
        raise ValueError(f"{name} holds {len(data)} bytes, its header says {needed}")
    if not needed and 0 in shape:
        return _empty(shape, dtype, name)
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _empty(shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> npt.NDArray[Any]:
    """Make an array without values, whose other sides NumPy limits."""
    try:
        return np.empty(shape, dtype.newbyteorder("="))
    except (ValueError, MemoryError) as error:
        raise ValueError(f"{name} has the impossible shape {shape}") from error
