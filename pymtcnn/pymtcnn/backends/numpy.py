"""The networks in NumPy: one copy and one BLAS product for each convolution.

Activations are planar, (channels, images, rows, columns), so that everything that happens channel by channel
(bias, PReLU, pooling) runs over long contiguous lines. A convolution is computed for whole input rows: the
results in the last ``kernel - 1`` columns of each row mix two rows and are dropped later. That costs some per
cent of arithmetic and makes the patch matrix nine (or four) nearly contiguous copies of the input.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from ..networks import Convolution, DetectorWeights, FullyConnected, Layer, MaxPool, NetworkWeights, PReLU
from .blas import one_thread
from .interface import (
    ONET_SIDE,
    RNET_SIDE,
    Backend,
    EngineOptions,
    NetworkBackend,
    NetworkOutput,
    interpret,
)

__all__ = ["NumpyNetwork", "create_backend"]

Float32 = NDArray[np.float32]
Index = NDArray[np.intp]

# Images that pass through a network together: as many as keep the activations in a core's second-level cache.
_RNET_BATCH = 16
_ONET_BATCH = 4


# Elements behind an activation that may be read: kernels reach at most two columns over the last row's end.
_SPARE = 16

# Stands for "no pixel" in max-pooling; far below any activation, yet finite in every product that drops it.
_NOTHING = np.float32(-1e9)


class _Workspace:
    """One growing buffer; `take` gives its beginning in any shape."""

    def __init__(self) -> None:
        # Zeros, because rubbish that is computed along and dropped must still be finite.
        self._buffer = np.zeros(_SPARE, np.float32)
        self._last = self._buffer[:0]

    def take(self, *shape: int) -> Float32:
        """Array of the shape with undefined (finite) content, and `_SPARE` readable elements behind it."""
        if self._last.shape != shape:
            size = math.prod(shape)
            if size + _SPARE > self._buffer.size:
                self._buffer = np.zeros(size + _SPARE, np.float32)
            self._last = self._buffer[:size].reshape(shape)
        return self._last


@dataclass
class _Maps:
    """Activations of a batch.

    Attributes
    ----------
    values : ndarray of float32, shape (channels, images, rows, columns)
        C-contiguous, from a `_Workspace`.
    width : int
        Valid columns; the others hold finite rubbish.
    """

    values: Float32
    width: int


_Step = Callable[[_Maps], _Maps]


class _ConvolutionStep:
    """Valid cross-correlation with bias.

    Parameters
    ----------
    layer : Convolution
        Kernels and bias.
    input_order, output_order : ndarray of intp
        Layer's channel at each position of the incoming and outgoing activations.
    """

    def __init__(self, layer: Convolution, input_order: Index, output_order: Index) -> None:
        kernels = layer.kernels[output_order][:, input_order]
        self.outputs, self.inputs, self.rows, self.columns = kernels.shape
        # The bias is the weight of a constant one, so that the product adds it.
        flat = kernels.reshape(self.outputs, -1)
        self.weights = np.concatenate([flat, layer.bias[output_order, None]], axis=1)
        self._patches = _Workspace()
        self._result = _Workspace()

    def __call__(self, maps: _Maps) -> _Maps:
        x = maps.values
        channels, images, height, pitch = x.shape
        out_height = height - self.rows + 1
        taps = channels * self.rows * self.columns
        count = images * out_height * pitch
        patches = self._patches.take(taps + 1, count)
        patches[-1] = 1
        plane, image, row, column = x.strides
        shifted = as_strided(
            x,
            (channels, self.rows, self.columns, images, out_height * pitch),
            (plane, row, column, image, column),
        )
        np.copyto(patches[:-1].reshape(shifted.shape), shifted)
        result = self._result.take(self.outputs, images, out_height, pitch)
        np.matmul(self.weights, patches, out=result.reshape(self.outputs, count))
        return _Maps(result, maps.width - self.columns + 1)


class _PReLUStep:
    """``v`` if positive, else ``slope * v``, in place, on the channels from `start` to `stop`.

    Parameters
    ----------
    slopes : ndarray of float32, shape (channels,)
        Rising slopes of all channels.
    start, stop : int
        Channels to treat; the others stay as they are.
    """

    def __init__(self, slopes: Float32, start: int, stop: int) -> None:
        self.slopes = slopes[start:stop, None]
        self.start, self.stop = start, stop
        # max(v, slope * v) is right for slopes up to one only.
        self.gentle = int(np.searchsorted(slopes[start:stop], 1, side="right"))
        self._scaled = _Workspace()

    def __call__(self, maps: _Maps) -> _Maps:
        x = maps.values
        channels = x.reshape(len(x), -1)[self.start : self.stop]
        scaled = self._scaled.take(*channels.shape)
        np.multiply(channels, self.slopes, out=scaled)
        gentle, steep = slice(self.gentle), slice(self.gentle, None)
        np.maximum(channels[gentle], scaled[gentle], out=channels[gentle])
        np.minimum(channels[steep], scaled[steep], out=channels[steep])
        return maps


class _MaxPoolStep:
    """Max-pooling with stride two; windows are clipped at the right and bottom edge."""

    def __init__(self, layer: MaxPool) -> None:
        self.size, self.stride = layer.size, layer.stride
        self._lines = _Workspace()
        self._windows = _Workspace()
        self._result = _Workspace()

    def __call__(self, maps: _Maps) -> _Maps:
        x = maps.values
        channels, images, height, pitch = x.shape
        rows = pooled_length(height, self.size, self.stride)
        columns = pooled_length(maps.width, self.size, self.stride)

        # Over rows: maximum of shifted copies; the copies end before the windows that are clipped.
        lines = self._lines.take(channels, images, rows, pitch)
        shifted = [x[:, :, shift :: self.stride][:, :, :rows] for shift in range(self.size)]
        whole = shifted[1].shape[2]
        np.maximum(shifted[0][:, :, :whole], shifted[1], out=lines[:, :, :whole])
        lines[:, :, whole:] = shifted[0][:, :, whole:]
        for piece in shifted[2:]:
            target = lines[:, :, : piece.shape[2]]
            np.maximum(target, piece, out=target)

        # Over columns: maximum at every position, in one contiguous line, then every second one is taken.
        if (columns - 1) * self.stride + self.size > maps.width:
            lines[..., maps.width] = _NOTHING
        flat = lines.reshape(-1)
        windows = self._windows.take(*lines.shape)
        running = windows.reshape(-1)[: flat.size - self.size + 1]
        np.maximum(flat[: running.size], flat[1 : running.size + 1], out=running)
        for shift in range(2, self.size):
            np.maximum(running, flat[shift : shift + running.size], out=running)
        result = self._result.take(channels, images, rows, columns)
        np.copyto(result, windows[..., : (columns - 1) * self.stride + 1 : self.stride])
        return _Maps(result, columns)


class _FullyConnectedStep:
    """Affine map of each image's maps, or of each pixel where the inputs are the maps themselves."""

    def __init__(self, layer: FullyConnected, input_order: Index, output_order: Index, side: int) -> None:
        inputs, outputs = layer.weights.shape
        maps = len(input_order)
        # The file orders each map column by column, the activations are row by row.
        ordered = layer.weights.reshape(maps, side, side, outputs).swapaxes(1, 2)[input_order]
        self.weights = np.ascontiguousarray(ordered.reshape(inputs, outputs)[:, output_order].T)
        self.bias = layer.bias[output_order, None]
        self.per_pixel = side == 1

    def __call__(self, maps: _Maps) -> _Maps:
        x = maps.values
        channels, images, height, pitch = x.shape
        if self.per_pixel:
            result = self.weights @ x.reshape(channels, -1)
            result += self.bias
            return _Maps(result.reshape(-1, images, height, pitch), maps.width)
        features = x[..., : maps.width].transpose(0, 2, 3, 1).reshape(-1, images)
        result = self.weights @ features
        result += self.bias
        return _Maps(result.reshape(-1, images, 1, 1), 1)


def pooled_length(length: int, size: int, stride: int) -> int:
    """Count the windows along an axis when the last one may be clipped."""
    return -(-(length - size) // stride) + 1


def _compile(layers: Sequence[Layer], side: int) -> tuple[list[_Step], list[_Step]]:
    """Turn layers into steps.

    Channels are reordered by rising slope of their PReLU: for slopes >= 0 the maximum over a window commutes
    with the rectifier, which then has a quarter of the work.

    Parameters
    ----------
    layers : sequence of Layer
        A network of `pymtcnn.networks.ARCHITECTURES`: a PReLU follows every layer with weights but the last,
        and pooling follows a PReLU.
    side : int
        Side of the input in pixels (PNet: of its cell; larger images give more cells).

    Returns
    -------
    trunk, head : list of steps
        Up to the last convolution's rectifier, and the fully connected layers.
    """
    trunk: list[_Step] = []
    head: list[_Step] = []
    order: Index = np.arange(3)
    for index, layer in enumerate(layers):
        following = layers[index + 1] if index + 1 < len(layers) else None
        if isinstance(layer, MaxPool):
            side = pooled_length(side, layer.size, layer.stride)
        elif isinstance(layer, (Convolution, FullyConnected)):
            new_order = np.arange(layer.bias.size)
            if isinstance(following, PReLU):
                new_order = np.argsort(following.slopes, kind="stable")
            if isinstance(layer, Convolution):
                trunk.append(_ConvolutionStep(layer, order, new_order))
                side -= layer.kernels.shape[2] - 1
            else:
                head.append(_FullyConnectedStep(layer, order, new_order, side))
                side = 1
            order = new_order
        else:
            slopes = layer.slopes[order]
            part = head if head else trunk
            if isinstance(following, MaxPool):
                first_positive = int(np.searchsorted(slopes, 0))
                part.append(_PReLUStep(slopes, 0, first_positive))
                part.append(_MaxPoolStep(following))
                part.append(_PReLUStep(slopes, first_positive, len(slopes)))
            else:
                part.append(_PReLUStep(slopes, 0, len(slopes)))
    return trunk, head


class NumpyNetwork:
    """One network of the cascade in NumPy; implements `pymtcnn.backends.Network`.

    Parameters
    ----------
    weights : NetworkWeights
        Layers.
    side : int
        Side of the input in pixels (for PNet of its smallest input).
    batch_size : int
        Images that pass through the convolutions together.
    """

    def __init__(self, weights: NetworkWeights, side: int, batch_size: int) -> None:
        self._trunk, self._head = _compile(weights.layers, side)
        self._batch_size = batch_size
        self._dense = weights.name == "PNet"
        self._input = _Workspace()
        self._features = _Workspace()

    def _convolve(self, planar: Float32) -> _Maps:
        """Activations behind the last convolution; they live in a workspace."""
        values = self._input.take(*planar.shape)
        np.copyto(values, planar)
        maps = _Maps(values, planar.shape[3])
        for step in self._trunk:
            maps = step(maps)
        return maps

    def _forward(self, planar: Float32) -> Float32:
        """Raw outputs, shape (outputs, n, h, w), as a new array."""
        images = planar.shape[1]
        if images <= self._batch_size:
            maps = self._convolve(planar)
        else:
            # Convolutions in batches that fit the cache, the large dense matrices once over all images.
            for start in range(0, images, self._batch_size):
                part = self._convolve(planar[:, start : start + self._batch_size])
                channels, count, rows, pitch = part.values.shape
                maps = _Maps(self._features.take(channels, images, rows, pitch), part.width)
                maps.values[:, start : start + count] = part.values
        for step in self._head:
            maps = step(maps)
        return maps.values[..., : maps.width]

    def run(self, batch: Float32) -> NetworkOutput:
        """Apply the network; see `pymtcnn.backends.Network.run`."""
        # One call at a time: the workspaces are shared.
        with one_thread():
            outputs = self._forward(batch.transpose(1, 0, 2, 3))
        if self._dense:
            return interpret(outputs)
        return interpret(outputs[:, :, 0, 0])


def unavailable(options: EngineOptions) -> str | None:
    """Nothing is missing where this module can be imported."""
    del options
    return None


def create_backend(weights: DetectorWeights, options: EngineOptions) -> Backend:
    """Build the three networks in NumPy, which always use one thread."""
    del options  # more threads of BLAS would change the results' last bits
    return NetworkBackend(
        "numpy",
        NumpyNetwork(weights.pnet, 12, batch_size=1),
        NumpyNetwork(weights.rnet, RNET_SIDE, _RNET_BATCH),
        NumpyNetwork(weights.onet, ONET_SIDE, _ONET_BATCH),
    )
