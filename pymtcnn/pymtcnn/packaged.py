"""Weights from the files of the MIT-licensed ``mtcnn`` package, without importing that package.

Its weights are lists of arrays that joblib pickled and lz4 compressed. A pickle can run code, so nothing is
unpickled here: the SHA-256 of each file is pinned, hence every byte is known, hence the arrays can be taken
from their (equally pinned) byte positions in the decompressed stream.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import lz4.frame
import numpy as np

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

__all__ = ["PINNED_FILES", "PinnedFile", "find_packaged_folder", "load_packaged_weights", "read_packaged"]

_REMEDY = "run: pip install --force-reinstall mtcnn==1.0.0"


@dataclass(frozen=True)
class PinnedFile:
    """What is known about one weights file of mtcnn 1.0.0.

    Attributes
    ----------
    file_name : str
        Name in the folder ``mtcnn/assets/weights``.
    size : int
        Bytes of the file.
    sha256 : str
        Its digest.
    decompressed_size : int
        Bytes after lz4.
    offsets : tuple of int
        Byte position of each array in the decompressed stream.
    """

    file_name: str
    size: int
    sha256: str
    decompressed_size: int
    offsets: tuple[int, ...]


# Source: the wheel of mtcnn 1.0.0 on the Python package index; the positions were found with joblib once and
# a test repeats that.
PINNED_FILES = {
    "PNet": PinnedFile(
        "pnet.lz4", 27119, "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5", 27450,
        (240, 1376, 1472, 1568, 7376, 7504, 7632, 26112, 26304, 26496, 27056, 27136, 27440),
    ),
    "RNet": PinnedFile(
        "rnet.lz4", 401659, "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee", 401770,
        (240, 3312, 3488, 3664, 52096, 52352, 52608, 101808, 102128, 102448, 397408, 397968, 398528, 400624,
         400688, 401760),
    ),
    "ONet": PinnedFile(
        "onet.lz4", 1557637, "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3", 1557530,
        (240, 3744, 3936, 4128, 77904, 78224, 78544, 226048, 226368, 226688, 357808, 358384, 358960, 1538656,
         1539728, 1540816, 1544960, 1545040, 1555328, 1555424, 1557520),
    ),
}  # fmt: skip


def find_packaged_folder() -> Path:
    """Folder of the installed ``mtcnn`` package's weights; the package itself is not imported.

    Raises
    ------
    WeightsError
        The package is not installed or is another one of the same name.
    """
    from importlib import metadata  # slow to load

    candidates: list[Path] = []
    spec = importlib.util.find_spec("mtcnn")
    if spec is not None:
        candidates += [Path(folder) for folder in spec.submodule_search_locations or ()]
    with contextlib.suppress(metadata.PackageNotFoundError):
        candidates.append(Path(str(metadata.distribution("mtcnn").locate_file("mtcnn"))))
    for candidate in candidates:
        folder = candidate / "assets" / "weights"
        if all((folder / pinned.file_name).is_file() for pinned in PINNED_FILES.values()):
            return folder
    found = "is not installed" if not candidates else f"in {candidates[0]} has no weights of version 1.0.0"
    raise WeightsError("mtcnn", f"the package that carries the weights {found}; {_REMEDY}")


def _read_pinned(path: Path, pinned: PinnedFile) -> bytes:
    """Decompressed content of a file whose every byte is the expected one."""
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size == pinned.size else b""
    except OSError as error:
        raise WeightsError(path, f"cannot be read ({error.strerror or error}); {_REMEDY}") from error
    if size != pinned.size:
        raise WeightsError(path, f"{size} bytes instead of {pinned.size}; {_REMEDY}")
    digest = hashlib.sha256(data).hexdigest()
    if digest != pinned.sha256:
        raise WeightsError(path, f"SHA-256 is {digest} instead of {pinned.sha256}; {_REMEDY}")
    content: bytes = lz4.frame.decompress(data)
    if len(content) != pinned.decompressed_size:
        sizes = f"{len(content)} bytes after lz4 instead of {pinned.decompressed_size}"
        raise WeightsError(path, f"{sizes}; {_REMEDY}")
    return content


class _Arrays:
    """Hands out the arrays of one file in order."""

    def __init__(self, content: bytes, offsets: tuple[int, ...]) -> None:
        self._content = content
        self._offsets: Iterator[int] = iter(offsets)

    def take(self, *shape: int) -> Float32:
        count = int(np.prod(shape))
        values = np.frombuffer(self._content, "<f4", count, next(self._offsets))
        return values.astype(np.float32).reshape(shape)


def _take_hidden_layer(arrays: _Arrays, kind: str, shape: tuple[int, ...], maps: int) -> Layer:
    if kind == "conv":
        outputs, inputs, height, width = shape
        kernels = arrays.take(height, width, inputs, outputs)  # Keras order
        return Convolution(np.ascontiguousarray(kernels.transpose(3, 2, 0, 1)), arrays.take(outputs))
    if kind == "prelu":
        return PReLU(arrays.take(*shape))
    if kind == "pool":
        return MaxPool(*shape)
    inputs, outputs = shape
    # Keras flattens (x, y, map), OpenFace (map, x, y).
    weights = arrays.take(inputs // maps, maps, outputs).swapaxes(0, 1).reshape(inputs, outputs)
    return FullyConnected(np.ascontiguousarray(weights), arrays.take(outputs))


def _take_output_layer(arrays: _Arrays, inputs: int, outputs: int) -> FullyConnected:
    """Join the package's heads (boxes, points, classes) in OpenFace's order: classes, boxes, points."""
    heads = []
    for size in (4, outputs - 6, 2):
        if size:
            heads.append((arrays.take(inputs, size), arrays.take(size)))
    heads.insert(0, heads.pop())
    weights = np.concatenate([head[0] for head in heads], axis=1)
    return FullyConnected(np.ascontiguousarray(weights), np.concatenate([head[1] for head in heads]))


def read_packaged(path: Path, name: str) -> NetworkWeights:
    """Read one network of mtcnn 1.0.0.

    Parameters
    ----------
    path : Path
        ``pnet.lz4``, ``rnet.lz4`` or ``onet.lz4``.
    name : {"PNet", "RNet", "ONet"}
        Network in that file.

    Returns
    -------
    NetworkWeights
        Layers in OpenFace's order and layout.

    Raises
    ------
    WeightsError
        The file is missing or is not exactly the one of mtcnn 1.0.0.
    """
    pinned = PINNED_FILES[name]
    arrays = _Arrays(_read_pinned(path, pinned), pinned.offsets)
    layers: list[Layer] = []
    maps = 0
    for kind, *rest in ARCHITECTURES[name][:-1]:
        shape = tuple(int(str(n)) for n in rest)
        layers.append(_take_hidden_layer(arrays, str(kind), shape, maps))
        if kind == "conv":
            maps = shape[0]
    _, inputs, outputs = ARCHITECTURES[name][-1]
    layers.append(_take_output_layer(arrays, int(str(inputs)), int(str(outputs))))
    return NetworkWeights(name, tuple(layers), str(path), pinned.sha256)


def load_packaged_weights() -> DetectorWeights:
    """Load the three networks from the installed ``mtcnn`` package.

    Raises
    ------
    WeightsError
        The package is missing or its files are not those of version 1.0.0.
    """
    folder = find_packaged_folder()
    return DetectorWeights.from_networks(
        [read_packaged(folder / pinned.file_name, name) for name, pinned in PINNED_FILES.items()]
    )
