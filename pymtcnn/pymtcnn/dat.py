"""Reader of OpenFace's MTCNN files: ``MTCNN_detector.txt`` and the three ``.dat`` files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import WeightsError
from .networks import (
    ARCHITECTURES,
    Convolution,
    DetectorWeights,
    Float32,
    FullyConnected,
    Layer,
    MaxPool,
    NetworkWeights,
    PReLU,
)

__all__ = ["load_openface_weights", "read_dat"]

DESCRIPTION_NAME = "MTCNN_detector.txt"

# Ten times OpenFace's largest network; anything above is some other file and is not read into memory.
_MAX_FILE_SIZE = 20_000_000
_MAX_DESCRIPTION_SIZE = 100_000
_MAX_LAYERS = 1000

_INT32: np.dtype[Any] = np.dtype("<i4")

# Matrix type codes of OpenCV that hold real numbers.
_MATRIX_TYPES: dict[int, np.dtype[Any]] = {5: np.dtype("<f4"), 6: np.dtype("<f8")}


class _Cursor:
    """Position in the bytes of one file; every read is checked against what is left."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        self.data = data
        self.offset = 0

    @property
    def remaining(self) -> int:
        return len(self.data) - self.offset

    def fail(self, reason: str, offset: int | None = None) -> WeightsError:
        return WeightsError(self.path, reason, self.offset if offset is None else offset)

    def array(self, dtype: np.dtype[Any], count: int, what: str) -> NDArray[Any]:
        size = count * dtype.itemsize
        if count < 0 or size > self.remaining:
            raise self.fail(f"{what} needs {size} bytes, {self.remaining} are left; is the file truncated?")
        values = np.frombuffer(self.data, dtype, count, self.offset)
        self.offset += size
        return values

    def int32(self, what: str) -> int:
        return int(self.array(_INT32, 1, what)[0])

    def count(self, what: str) -> int:
        start = self.offset
        value = self.int32(what)
        if not 0 < value <= len(self.data):
            raise self.fail(f"{what} is {value}; the file is damaged", start)
        return value

    def matrix(self, what: str) -> Float32:
        start = self.offset
        rows, columns, code = (int(v) for v in self.array(_INT32, 3, f"header of {what}"))
        if code not in _MATRIX_TYPES:
            raise self.fail(f"{what} has matrix type {code}, expected 5 (float32) or 6 (float64)", start)
        if rows < 1 or columns < 1:
            raise self.fail(f"{what} has size {rows} x {columns}; the file is damaged", start)
        values = self.array(_MATRIX_TYPES[code], rows * columns, f"{what} ({rows} x {columns})")
        return _single(values).reshape(rows, columns)


def _single(values: NDArray[Any]) -> Float32:
    """Convert to single precision; what does not fit becomes infinite, which no network may have."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(values, np.float32)


def _read_convolution(cursor: _Cursor) -> Convolution:
    inputs = cursor.count("number of input maps")
    outputs = cursor.count("number of output maps")
    bias = cursor.array(np.dtype("<f4"), outputs, "convolution bias").astype(np.float32)
    start = cursor.offset
    rows, columns, code = (int(v) for v in cursor.array(_INT32, 3, "header of the first kernel"))
    cursor.offset = start
    if code not in _MATRIX_TYPES or rows < 1 or columns < 1:
        raise cursor.fail(f"convolution kernel has size {rows} x {columns} and matrix type {code}")
    if rows * columns > cursor.remaining:
        raise cursor.fail(f"a kernel of {rows} x {columns} cannot fit into the {cursor.remaining} bytes left")
    # All kernels have one shape, so they form one table of records.
    record = np.dtype([("header", "<i4", (3,)), ("values", _MATRIX_TYPES[code], (rows, columns))])
    records = cursor.array(record, inputs * outputs, f"{inputs} x {outputs} convolution kernels")
    differs = np.flatnonzero((records["header"] != (rows, columns, code)).any(axis=1))
    if differs.size:
        where = start + int(differs[0]) * record.itemsize
        raise cursor.fail("kernel with another header than the first one", where)
    kernels = records["values"].reshape(inputs, outputs, rows, columns).swapaxes(0, 1)
    return Convolution(_single(kernels), bias)


def _read_max_pool(cursor: _Cursor) -> MaxPool:
    start = cursor.offset
    width, height, stride_x, stride_y = (int(v) for v in cursor.array(_INT32, 4, "max-pooling layer"))
    if width != height or stride_x != stride_y:
        shape = f"{width} x {height} with strides {stride_x}, {stride_y}"
        raise cursor.fail(f"max-pooling {shape} is not square", start)
    return MaxPool(width, stride_x)


def _read_fully_connected(cursor: _Cursor) -> FullyConnected:
    bias = cursor.matrix("fully connected bias").reshape(-1)
    start = cursor.offset
    weights = cursor.matrix("fully connected weights")
    if weights.shape[1] != bias.size:
        raise cursor.fail(f"fully connected weights {weights.shape} do not fit {bias.size} biases", start)
    return FullyConnected(weights, bias)


def _read_prelu(cursor: _Cursor) -> PReLU:
    return PReLU(cursor.matrix("PReLU slopes").reshape(-1))


_READERS: dict[int, Callable[[_Cursor], Layer]] = {
    0: _read_convolution,
    1: _read_max_pool,
    2: _read_fully_connected,
    3: _read_prelu,
}


def _read_bytes(path: Path, limit: int) -> bytes:
    """Whole content of a regular file that is no larger than `limit`."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise WeightsError(path, "not a file")
        if size > limit:
            raise WeightsError(path, f"{size} bytes, far more than expected; is this the right file?")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = f"cannot be read ({getattr(error, 'strerror', None) or error})"
        remedy = "give the folder that holds OpenFace's PNet.dat, RNet.dat and ONet.dat"
        raise WeightsError(path, f"{reason}; {remedy}") from error


def read_dat(path: Path, name: str) -> NetworkWeights:
    """Read one network in OpenFace's binary format.

    Parameters
    ----------
    path : Path
        ``PNet.dat``, ``RNet.dat`` or ``ONet.dat``.
    name : {"PNet", "RNet", "ONet"}
        Network the file must hold.

    Returns
    -------
    NetworkWeights
        Layers in order.

    Raises
    ------
    WeightsError
        The file cannot be read, is truncated, has bytes left over or holds another network.
    """
    data = _read_bytes(path, _MAX_FILE_SIZE)
    cursor = _Cursor(path, data)
    n_layers = cursor.count("number of layers")
    if n_layers > _MAX_LAYERS:
        raise cursor.fail(f"{n_layers} layers; this is not an MTCNN network", 0)
    layers: list[Layer] = []
    for index in range(n_layers):
        start = cursor.offset
        kind = cursor.int32(f"type of layer {index}")
        if kind not in _READERS:
            raise cursor.fail(f"layer {index} has type {kind}, known types are {sorted(_READERS)}", start)
        layers.append(_READERS[kind](cursor))
    if cursor.remaining:
        raise cursor.fail(f"{cursor.remaining} bytes follow the last layer; the file is damaged")
    return NetworkWeights(name, tuple(layers), str(path), hashlib.sha256(data).hexdigest())


def _read_description(path: Path) -> dict[str, Path]:
    """Paths of the networks named in ``MTCNN_detector.txt`` (lines ``PNet PNet.dat``)."""
    text = _read_bytes(path, _MAX_DESCRIPTION_SIZE).decode("utf-8", errors="replace")
    files: dict[str, Path] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] in ARCHITECTURES:
            files[words[0]] = path.parent / words[1]
    missing = [name for name in ARCHITECTURES if name not in files]
    if missing:
        raise WeightsError(path, f"no line for {', '.join(missing)}; expected lines such as 'PNet PNet.dat'")
    return files


def load_openface_weights(path: Path) -> DetectorWeights:
    """Load the networks from OpenFace's files.

    Parameters
    ----------
    path : Path
        ``MTCNN_detector.txt``, or a folder with it or with the three ``.dat`` files.

    Returns
    -------
    DetectorWeights
        The three networks.

    Raises
    ------
    WeightsError
        A file is missing, damaged or holds another network.
    """
    if path.is_dir():
        if (path / DESCRIPTION_NAME).is_file():
            files = _read_description(path / DESCRIPTION_NAME)
        else:
            files = {name: path / f"{name}.dat" for name in ARCHITECTURES}
    else:
        files = _read_description(path)
    return DetectorWeights.from_networks([read_dat(file, name) for name, file in files.items()])
