"""OpenFace's ``.hog`` files: one descriptor of the aligned face a frame, with a flag."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import ResultFileError
from ..result import FrameResult
from ..video import BGRImage
from .sink import AtomicFile

# OpenFace 2.2: RecorderHOG.cpp. Columns, rows, channels (int32), valid (float32, 1 or -1); little-endian.
_HEADER = struct.Struct("<iiif")
_LARGEST_SIDE = 4096  # cells or channels; beyond, the file is something else


@dataclass(frozen=True, eq=False)
class HogFile:
    """Contents of a ``.hog`` file.

    Attributes
    ----------
    valid : ndarray, shape (n,), bool
        Whether the record's frame has a face. A frame without one holds zeros.
    features : ndarray, shape (n, rows, columns, channels), float32
        Read from the disk when used; copy what is to outlive the file.
    """

    valid: npt.NDArray[np.bool_]
    features: npt.NDArray[np.float32]


class HogSink:
    """Writes the HOG of every aligned face.

    Parameters
    ----------
    path : path-like
        Appears when the sink is closed.

    Raises
    ------
    OutputError
        The folder cannot be written to.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = AtomicFile(path)

    def write(self, result: FrameResult, image: BGRImage) -> None:
        """Append a record.

        Raises
        ------
        OutputError
            The disk refuses it.
        """
        hog = np.ascontiguousarray(result.analysis.hog, "<f4")
        rows, columns, channels = hog.shape
        valid = 1.0 if result.tracked else -1.0
        self._file.write(_HEADER.pack(columns, rows, channels, valid))
        self._file.write(hog.data.cast("B"))

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def discard(self) -> None:
        """Remove the unfinished file."""
        self._file.discard()


def read_hog(path: str | os.PathLike[str]) -> HogFile:
    """Read a ``.hog`` file of OpenFace or of this library.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    HogFile
        ``features[i, row, column]`` are the 31 values of one cell of record ``i``.

    Raises
    ------
    ResultFileError
        The file is missing, cut short, or not of this format; the message names file, offset and reason.

    Notes
    -----
    There is one record a face and frame, in the order of the CSV's rows.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            first = stream.read(_HEADER.size)
    except OSError as error:
        raise ResultFileError(f"{path}: cannot be read ({error.strerror or error})") from error
    if size == 0:
        return HogFile(np.empty(0, bool), np.empty((0, 12, 12, 31), np.float32))
    if len(first) < _HEADER.size:
        raise ResultFileError(f"{path}: offset 0: {size} bytes are less than the head of one record")
    columns, rows, channels, _ = _HEADER.unpack(first)
    if not all(0 < side <= _LARGEST_SIDE for side in (columns, rows, channels)):
        raise ResultFileError(
            f"{path}: offset 0: {columns} x {rows} cells of {channels} values cannot be; not a .hog file"
        )
    needed = _HEADER.size + 4 * columns * rows * channels  # before NumPy makes a type of it
    if needed > size:
        raise ResultFileError(f"{path}: offset 0: record 0 is cut short ({size} of {needed} bytes)")
    record = np.dtype(
        [("shape", "<i4", (3,)), ("valid", "<f4"), ("features", "<f4", (rows, columns, channels))]
    )
    if size % record.itemsize:
        whole = size // record.itemsize
        raise ResultFileError(
            f"{path}: offset {whole * record.itemsize}: record {whole} is cut short "
            f"({size % record.itemsize} of {record.itemsize} bytes)"
        )
    try:
        records = np.memmap(path, record, mode="r")
    except (OSError, ValueError) as error:  # changed meanwhile
        raise ResultFileError(f"{path}: cannot be read ({error})") from error
    strange = np.flatnonzero(
        (records["shape"] != (columns, rows, channels)).any(axis=1) | (np.abs(records["valid"]) != 1)
    )
    if strange.size:
        index = int(strange[0])
        raise ResultFileError(
            f"{path}: offset {index * record.itemsize}: the head of record {index} is none "
            f"({records['shape'][index].tolist()}, {records['valid'][index]})"
        )
    return HogFile(np.asarray(records["valid"] > 0), np.asarray(records["features"]))
