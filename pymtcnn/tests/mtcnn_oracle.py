"""Plain NumPy forms of the kernels, which the fast ones are tested against."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pymtcnn.networks import Convolution, FullyConnected, Layer, MaxPool, PReLU

Float64 = NDArray[np.float64]


def convolution(maps: Float64, layer: Convolution) -> Float64:
    windows = sliding_window_view(maps, layer.kernels.shape[2:], axis=(1, 2))
    return np.einsum("cyxij,ocij->oyx", windows, layer.kernels) + layer.bias[:, None, None]


def max_pool(maps: Float64, layer: MaxPool) -> Float64:
    channels, height, width = maps.shape
    rows = -(-(height - layer.size) // layer.stride) + 1
    columns = -(-(width - layer.size) // layer.stride) + 1
    pooled = np.empty((channels, rows, columns))
    for i in range(rows):
        for j in range(columns):
            top, left = i * layer.stride, j * layer.stride
            pooled[:, i, j] = maps[:, top : top + layer.size, left : left + layer.size].max(axis=(1, 2))
    return pooled


def prelu(maps: Float64, layer: PReLU) -> Float64:
    slopes = layer.slopes.reshape(-1, *[1] * (maps.ndim - 1))
    return np.where(maps >= 0, maps, slopes * maps)


def fully_connected(maps: Float64, layer: FullyConnected) -> Float64:
    if maps.ndim == 3 and len(maps) == len(layer.weights):
        return np.einsum("cyx,co->oyx", maps, layer.weights) + layer.bias[:, None, None]
    # Map by map, each column by column.
    vector = maps if maps.ndim == 1 else maps.transpose(0, 2, 1).ravel()
    return vector @ layer.weights + layer.bias


def network(image: NDArray[np.float32], layers: Sequence[Layer]) -> Float64:
    """Raw outputs for one image (3, h, w), in double precision."""
    maps = image.astype(np.float64)
    for layer in layers:
        if isinstance(layer, Convolution):
            maps = convolution(maps, layer)
        elif isinstance(layer, MaxPool):
            maps = max_pool(maps, layer)
        elif isinstance(layer, PReLU):
            maps = prelu(maps, layer)
        else:
            maps = fully_connected(maps, layer)
    return maps


def resize_axis(length: int, source: int) -> tuple[list[int], list[int], list[np.float32]]:
    low, high, weights = [], [], []
    for i in range(length):
        position = np.float32((i + 0.5) * (source / length) - 0.5)
        k = int(np.floor(position))
        weight = np.float32(position - np.float32(k))
        if k < 0:
            k, weight = 0, np.float32(0)
        if k >= source - 1:
            k, weight = source - 1, np.float32(0)
        low.append(k)
        high.append(min(k + 1, source - 1))
        weights.append(weight)
    return low, high, weights


def resize(image: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Bilinear resize of (H, W, C), horizontal pass first, all in float32."""
    one = np.float32(1)
    left, right, wx = resize_axis(width, image.shape[1])
    top, bottom, wy = resize_axis(height, image.shape[0])
    columns = zip(left, right, wx, strict=True)
    wide = np.stack([image[:, a] * (one - w) + image[:, b] * w for a, b, w in columns], axis=1)
    return np.stack([wide[a] * (one - w) + wide[b] * w for a, b, w in zip(top, bottom, wy, strict=True)])


def crop(frame: NDArray[np.uint8], box: Sequence[float], size: int) -> NDArray[np.float32]:
    """One crop for RNet or ONet, (3, size, size), by copying into a black patch."""
    x, y, w, h = (int(v) for v in box)
    height, width, _ = frame.shape
    patch = np.zeros((h + 1, w + 1, 3), np.float32)
    for row in range(h + 1):
        for column in range(w + 1):
            if 0 <= y - 1 + row < height and 0 <= x - 1 + column < width:
                patch[row, column] = frame[y - 1 + row, x - 1 + column]
    resized = (resize(patch, size, size) - np.float32(127.5)) * np.float32(0.0078125)
    return resized[:, :, ::-1].transpose(2, 0, 1)


def suppression(
    boxes: Sequence[Sequence[float]], scores: Sequence[float], threshold: float, of_smaller: bool
) -> list[int]:
    """Non-maximum suppression one pair at a time; Python's round is half-to-even."""
    whole = [[round(float(v)) for v in box] for box in boxes]
    order = sorted(range(len(scores)), key=lambda i: scores[i])
    kept = []
    while order:
        best = order.pop()
        kept.append(best)
        ax, ay, aw, ah = whole[best]
        remaining = []
        for i in order:
            bx, by, bw, bh = whole[i]
            shared = max(0, min(ax + aw, bx + bw) - max(ax, bx)) * max(0, min(ay + ah, by + bh) - max(ay, by))
            base = min(aw * ah, bw * bh) if of_smaller else aw * ah + bw * bh - shared
            if not (base and np.float32(shared) / np.float32(base) > np.float32(threshold)):
                remaining.append(i)
        order = remaining
    return kept


def write_matrix(values: NDArray[np.generic], code: int = 5) -> bytes:
    dtype = {5: "<f4", 6: "<f8"}[code]
    rows, columns = values.shape
    return struct.pack("<iii", rows, columns, code) + values.astype(dtype).tobytes()


def dat_bytes(layers: Sequence[Layer]) -> bytes:
    """A network in OpenFace's binary format."""
    parts = [struct.pack("<i", len(layers))]
    for layer in layers:
        if isinstance(layer, Convolution):
            outputs, inputs = layer.kernels.shape[:2]
            parts.append(struct.pack("<iii", 0, inputs, outputs) + layer.bias.astype("<f4").tobytes())
            parts += [write_matrix(layer.kernels[o, i]) for i in range(inputs) for o in range(outputs)]
        elif isinstance(layer, MaxPool):
            parts.append(struct.pack("<5i", 1, layer.size, layer.size, layer.stride, layer.stride))
        elif isinstance(layer, FullyConnected):
            parts.append(
                struct.pack("<i", 2) + write_matrix(layer.bias[:, None]) + write_matrix(layer.weights)
            )
        else:
            parts.append(struct.pack("<i", 3) + write_matrix(layer.slopes[:, None]))
    return b"".join(parts)


def write_openface_folder(folder: Path, networks: dict[str, Sequence[Layer]]) -> Path:
    """OpenFace's four files."""
    for name, layers in networks.items():
        (folder / f"{name}.dat").write_bytes(dat_bytes(layers))
    (folder / "MTCNN_detector.txt").write_text("".join(f"{name} {name}.dat\r\n" for name in networks))
    return folder
