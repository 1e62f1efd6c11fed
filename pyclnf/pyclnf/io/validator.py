"""Landmark-detection validators (`validator_cnn*.txt`, binary): one small CNN per view."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .binary import BinaryReader, BinaryWriter
from .views import read_centres, write_centres

_CNN_TYPE = 3  # other types (SVR, neural network) exist in old OpenFace versions and are not read
_CONV, _POOL, _FULLY_CONNECTED, _RELU, _SIGMOID = range(5)


@dataclass(frozen=True, eq=False)
class ConvLayer:
    """Valid cross-correlation: `bias` (out,), `kernels` (in, out, kh, kw), float32."""

    bias: npt.NDArray[np.float32]
    kernels: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FullyConnected:
    """``x @ weight + bias``: `bias` (out,), `weight` (in, out), float32."""

    bias: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32]


@dataclass(frozen=True)
class MaxPool:
    """Maximum of 2 x 2 px, stride 2."""


@dataclass(frozen=True)
class ReLU:
    """max(x, 0); stands after a convolution or a fully connected layer."""


Layer: TypeAlias = ConvLayer | FullyConnected | MaxPool | ReLU


@dataclass(frozen=True, eq=False)
class PieceWiseWarp:
    """Piecewise affine warp from a face's landmarks to the network's input image.

    Attributes
    ----------
    n_pixels : int
        Pixels inside the mask.
    min_x, min_y : float
        Least coordinates of the destination shape.
    destination : ndarray, shape (n, 2), float32
        Destination landmarks.
    triangles : ndarray, shape (t, 3), int32
        Landmark indices of each triangle.
    pixel_triangle : ndarray, shape (h, w), int32
        Triangle that holds each pixel; -1 outside.
    mask : ndarray, shape (h, w), bool
        Pixels that the network sees.
    alpha, beta : ndarray, shape (t, 3), float32
        Coefficients of each triangle's barycentric coordinates, as stored.
    """

    n_pixels: int
    min_x: float
    min_y: float
    destination: npt.NDArray[np.float32]
    triangles: npt.NDArray[np.int32]
    pixel_triangle: npt.NDArray[np.int32]
    mask: npt.NDArray[np.bool_]
    alpha: npt.NDArray[np.float32]
    beta: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ValidatorView:
    """Network of one view.

    Attributes
    ----------
    mean, std : ndarray, shape (p,), float32
        Statistics of each masked pixel.
    layers : tuple of Layer
        The network, in order.
    warp : PieceWiseWarp
        How its input is cut out of a face.
    """

    mean: npt.NDArray[np.float32]
    std: npt.NDArray[np.float32]
    layers: tuple[Layer, ...]
    warp: PieceWiseWarp


@dataclass(frozen=True, eq=False)
class ValidatorFile:
    """A whole validator: `orientations` (v, 3) float64 radians, and `views`, one network each."""

    orientations: npt.NDArray[np.float64]
    views: tuple[ValidatorView, ...]


def read_validator(path: str | os.PathLike[str]) -> ValidatorFile:
    """Read a CNN validator.

    Parameters
    ----------
    path : path-like
        File in OpenFace's binary validator format, type 3.

    Returns
    -------
    ValidatorFile

    Raises
    ------
    MissingModelError, ModelFileError
        No such file; or it is of another type, truncated or malformed, or has layers that this package cannot run.
    """
    reader = BinaryReader(path)
    kind = reader.i32("the validator's type")
    if kind != _CNN_TYPE:
        raise reader.error(f"validators of type {kind} are not supported, only CNNs (type {_CNN_TYPE})", 0)
    n_views = reader.count("views", 36, minimum=1)
    orientations = read_centres(reader, n_views)
    views = tuple(_read_view(reader) for _ in range(n_views))
    reader.expect_end()
    return ValidatorFile(orientations, views)


def _read_view(reader: BinaryReader) -> ValidatorView:
    start = reader.offset
    mean = reader.vector(np.float32, None, "a view's mean image")
    std = reader.vector(np.float32, mean.size, "a view's standard deviations")
    layers = tuple(_read_layer(reader) for _ in range(reader.count("layers", 4, minimum=1)))
    warp = _read_warp(reader)
    if warp.n_pixels != mean.size:
        raise reader.error(f"a mean image of {mean.size} px with a warp of {warp.n_pixels} px", start)
    if not (std > 0).all():
        raise reader.error("a standard deviation that is not positive", start)
    if not _relus_follow_weights(layers):
        raise reader.error("a ReLU that follows neither a convolution nor a fully connected layer", start)
    if not _layers_fit(layers, warp.mask.shape):
        raise reader.error(f"the layers do not fit together on an input of {warp.mask.shape}", start)
    return ValidatorView(mean, std, layers, warp)


def _relus_follow_weights(layers: tuple[Layer, ...]) -> bool:
    """Whether each ReLU can be computed together with the layer before it, as the compiled network does."""
    before: tuple[Layer | None, ...] = (None, *layers)
    return all(
        isinstance(previous, ConvLayer | FullyConnected)
        for previous, layer in zip(before, layers, strict=False)
        if isinstance(layer, ReLU)
    )


def _layers_fit(layers: tuple[Layer, ...], image_shape: tuple[int, ...]) -> bool:
    """Follow the shape (maps, height, width) of an input image through the network."""
    shape = (1, *image_shape)
    for layer in layers:
        if isinstance(layer, ConvLayer):
            n_in, n_out, kernel_height, kernel_width = layer.kernels.shape
            if n_in != shape[0] or kernel_height > shape[1] or kernel_width > shape[2]:
                return False
            shape = (n_out, shape[1] - kernel_height + 1, shape[2] - kernel_width + 1)
        elif isinstance(layer, MaxPool):
            if min(shape[1:]) < 2:
                return False
            shape = (shape[0], (shape[1] + 1) // 2, (shape[2] + 1) // 2)
        elif isinstance(layer, FullyConnected):
            if layer.weight.shape[0] != shape[0] * shape[1] * shape[2]:
                return False
            shape = (layer.weight.shape[1], 1, 1)
    return isinstance(layers[-1], FullyConnected | ReLU) and shape[1:] == (1, 1) and shape[0] > 0


def _read_layer(reader: BinaryReader) -> Layer:
    start = reader.offset
    kind = reader.i32("a layer's type")
    if kind == _CONV:
        return _read_conv(reader)
    if kind == _FULLY_CONNECTED:
        bias = reader.vector(np.float32, None, "a layer's bias")
        return FullyConnected(bias, reader.matrix(np.float32, cols=bias.size, what="a layer's weights"))
    if kind == _POOL:
        return MaxPool()
    if kind == _RELU:
        return ReLU()
    if kind == _SIGMOID:
        raise reader.error("sigmoid layers are not supported", start)
    raise reader.error(f"unknown layer type {kind}", start)


def _read_conv(reader: BinaryReader) -> ConvLayer:
    n_in = reader.count("input maps", 12, minimum=1)
    n_out = reader.count("output maps", 4 + 12 * n_in, minimum=1)
    bias = reader.f32s(n_out, "a convolution's biases")
    first = reader.matrix(np.float32, what="a convolution kernel")
    if first.size == 0:
        raise reader.error("an empty convolution kernel")
    kernels = [first]
    for _ in range(n_in * n_out - 1):
        kernels.append(reader.matrix(np.float32, first.shape[0], first.shape[1], "a convolution kernel"))
    # The file's outer loop runs over the input maps.
    return ConvLayer(bias, np.stack(kernels).reshape(n_in, n_out, *first.shape))


def _read_warp(reader: BinaryReader) -> PieceWiseWarp:
    start = reader.offset
    n_pixels = reader.i32("the number of masked pixels")
    min_x, min_y = reader.f64("min_x"), reader.f64("min_y")
    if not max(abs(min_x), abs(min_y)) <= float(np.finfo(np.float32).max):
        raise reader.error(f"the warp begins at {min_x}, {min_y}", start)
    shape = reader.vector(np.float32, None, "the destination landmarks")
    triangles = reader.matrix(np.int32, cols=3, what="the triangles")
    pixel_triangle = reader.matrix(np.int32, what="the pixels' triangles")
    height, width = pixel_triangle.shape
    mask = reader.matrix(np.int32, height, width, "the mask").astype(np.bool_)
    alpha = reader.matrix(np.float32, len(triangles), 3, "the alpha coefficients")
    beta = reader.matrix(np.float32, len(triangles), 3, "the beta coefficients")
    n_points = shape.size // 2
    problems = {
        "no pixels": n_pixels < 1,
        "an odd number of destination coordinates": shape.size % 2 == 1,
        "triangles of unknown landmarks": not _within(triangles, 0, n_points),
        "pixels of unknown triangles": not _within(pixel_triangle, -1, len(triangles)),
        "masked pixels outside all triangles": bool((pixel_triangle[mask] < 0).any()),
        f"{np.count_nonzero(mask)} masked pixels instead of {n_pixels}": np.count_nonzero(mask) != n_pixels,
    }
    for problem, found in problems.items():
        if found:
            raise reader.error(f"the warp has {problem}", start)
    destination = np.ascontiguousarray(shape.reshape(2, -1).T)
    return PieceWiseWarp(
        n_pixels, float(np.float32(min_x)), float(np.float32(min_y)), destination, triangles, pixel_triangle,
        mask, alpha, beta,
    )  # fmt: skip


def _within(indices: npt.NDArray[np.int32], low: int, high: int) -> bool:
    return bool(((indices >= low) & (indices < high)).all())


def write_validator(path: str | os.PathLike[str], validator: ValidatorFile) -> None:
    """Write a validator in OpenFace's format.

    Parameters
    ----------
    path : path-like
        Destination, replaced atomically.
    validator : ValidatorFile
        What to write.
    """
    with BinaryWriter(path) as writer:
        writer.i32(_CNN_TYPE, len(validator.views))
        write_centres(writer, validator.orientations)
        for view in validator.views:
            writer.matrix(view.mean.reshape(1, -1), np.float64)
            writer.matrix(view.std.reshape(1, -1), np.float64)
            writer.i32(len(view.layers))
            for layer in view.layers:
                _write_layer(writer, layer)
            _write_warp(writer, view.warp)


def _write_layer(writer: BinaryWriter, layer: Layer) -> None:
    if isinstance(layer, ConvLayer):
        n_in, n_out = layer.kernels.shape[:2]
        writer.i32(_CONV, n_in, n_out)
        writer.f32s(layer.bias)
        for kernel in layer.kernels.reshape(n_in * n_out, *layer.kernels.shape[2:]):
            writer.matrix(kernel, np.float32)
    elif isinstance(layer, FullyConnected):
        writer.i32(_FULLY_CONNECTED)
        writer.matrix(layer.bias.reshape(-1, 1), np.float32)
        writer.matrix(layer.weight, np.float32)
    else:
        writer.i32({MaxPool: _POOL, ReLU: _RELU}[type(layer)])


def _write_warp(writer: BinaryWriter, warp: PieceWiseWarp) -> None:
    writer.i32(warp.n_pixels)
    writer.f64(warp.min_x, warp.min_y)
    writer.matrix(warp.destination.T.reshape(-1, 1), np.float64)
    writer.matrix(warp.triangles, np.int32)
    writer.matrix(warp.pixel_triangle, np.int32)
    writer.matrix(warp.mask, np.int32)
    writer.matrix(warp.alpha, np.float64)
    writer.matrix(warp.beta, np.float64)
