"""What an engine must offer: three networks over batches, or three stages over frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..pyramid import Frame, PyramidLevel, crops, resize_level

__all__ = [
    "DEFAULT_OPTIONS",
    "ONET_SIDE",
    "RNET_SIDE",
    "Backend",
    "BatchBackend",
    "ComputeUnits",
    "EngineOptions",
    "FrameBatch",
    "Network",
    "NetworkBackend",
    "NetworkOutput",
    "Precision",
    "interpret",
    "open_batch",
]

Float32 = NDArray[np.float32]
Index = NDArray[np.intp]

# Sides in pixels of the crops that RNet and ONet look at.
RNET_SIDE = 24
ONET_SIDE = 48

ComputeUnits = Literal["all", "cpu_only", "cpu_and_gpu", "cpu_and_neural_engine"]
Precision = Literal["float32", "mixed"]


@dataclass(frozen=True)
class EngineOptions:
    """Settings of the engines; each engine reads those that concern it.

    Attributes
    ----------
    threads : int
        Threads that work on one image on the CPU (``native`` and ``onnx``).
    provider : str or None
        ONNX Runtime's execution provider, such as ``"CUDAExecutionProvider"``, ``"DmlExecutionProvider"`` or
        ``"CoreMLExecutionProvider"``; None for the engine's own (``onnx`` and ``cuda``).
    device : int
        Number of the device (``cuda``).
    compute_units : {"all", "cpu_only", "cpu_and_gpu", "cpu_and_neural_engine"}
        What CoreML may use (``coreml``).
    precision : {"float32", "mixed"}
        Arithmetic of CoreML (``coreml``): float32, or float16 in ONet, the only network where it moves boxes by less
        than 0.1 px. CoreML's neural engine computes in float16 only.

    Raises
    ------
    ValueError
        A setting is out of range.

    Examples
    --------
    >>> from pymtcnn import MTCNN, EngineOptions
    >>> detector = MTCNN("numpy", options=EngineOptions(device=1))  # the second GPU, for engines that have one
    """

    threads: int = 1
    provider: str | None = None
    device: int = 0
    compute_units: ComputeUnits = "all"
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ValueError(f"threads is {self.threads}; pass a number from 1 up")
        if self.device < 0:
            raise ValueError(f"device is {self.device}; pass a number from 0 up")
        if self.compute_units not in get_args(ComputeUnits):
            raise ValueError(f"compute_units is {self.compute_units!r}; pass one of {get_args(ComputeUnits)}")
        if self.precision not in get_args(Precision):
            raise ValueError(f"precision is {self.precision!r}; pass one of {get_args(Precision)}")


DEFAULT_OPTIONS = EngineOptions()


@dataclass(frozen=True)
class NetworkOutput:
    """Result of one network on a batch.

    Attributes
    ----------
    probability : ndarray of float32, shape (n, h, w) from PNet, (n,) from RNet and ONet
        Probability of a face.
    regression : ndarray of float32, shape (n, 4, h, w) or (n, 4)
        Shifts of left, top, right and bottom edge as fractions of the box.
    points : ndarray of float32, shape (n, 2, 5), or None
        From ONet: x and y of the five facial points as fractions of the box.
    """

    probability: Float32
    regression: Float32
    points: Float32 | None = None


def interpret(outputs: Float32) -> NetworkOutput:
    """Name the raw outputs of a network.

    Parameters
    ----------
    outputs : ndarray of float32, shape (6 or 16, n, ...)
        Non-face, face, four box offsets and perhaps five x and five y positions, of n images.

    Returns
    -------
    NetworkOutput
        Probabilities and views of the rest.
    """
    # Beyond 80 the probability is zero in float32 anyway, and exp would overflow.
    probability = 1 / (1 + np.exp(np.minimum(outputs[0] - outputs[1], np.float32(80))))
    points = outputs[6:].T.reshape(-1, 2, 5) if len(outputs) == 16 else None
    return NetworkOutput(probability, outputs[2:6].swapaxes(0, 1), points)


class Network(Protocol):
    """One network of the cascade; may be called from several threads."""

    def run(self, batch: Float32) -> NetworkOutput:
        """Apply the network.

        Parameters
        ----------
        batch : ndarray of float32, shape (n, 3, h, w)
            Normalised R, G and B planes in any memory order; n >= 1. PNet takes any h and w from 12 px up,
            RNet 24 x 24 and ONet 48 x 48.

        Returns
        -------
        NetworkOutput
            Arrays that stay valid after the next call.
        """
        ...


class Backend(Protocol):
    """The three stages of the cascade on one engine: a frame and where to look in, raw results out.

    An engine that can fail on its device raises :class:`pymtcnn.EngineError`; the detector then repeats the frame
    on the CPU. It may have a property ``details``, a dict of str that becomes part of the provenance.
    """

    @property
    def name(self) -> str:
        """Name of the engine, for provenance records."""
        ...

    def propose(self, frame: Frame, levels: Sequence[PyramidLevel]) -> list[NetworkOutput]:
        """Apply PNet to a frame (H, W, 3) of BGR pixels at every level; each output has n = 1."""
        ...

    def refine(self, frame: Frame, boxes: Float32) -> NetworkOutput:
        """Apply RNet to whole-numbered squares (n, 4), n >= 1, of the frame; see `pymtcnn.pyramid.crops`."""
        ...

    def finish(self, frame: Frame, boxes: Float32) -> NetworkOutput:
        """Apply ONet to whole-numbered squares (n, 4), n >= 1, of the frame."""
        ...


class FrameBatch(Protocol):
    """Frames of one size, held ready by an engine; `which` (n,) says to which frame each square belongs."""

    def propose(self, levels: Sequence[PyramidLevel]) -> list[list[NetworkOutput]]:
        """Apply PNet to every frame at every level; one list for each frame, each output has n = 1."""
        ...

    def refine(self, which: Index, boxes: Float32) -> NetworkOutput:
        """Apply RNet to whole-numbered squares (n, 4), n >= 1."""
        ...

    def finish(self, which: Index, boxes: Float32) -> NetworkOutput:
        """Apply ONet to whole-numbered squares (n, 4), n >= 1."""
        ...


@runtime_checkable
class BatchBackend(Protocol):
    """A backend that takes several frames at once."""

    def open(self, frames: Sequence[Frame]) -> FrameBatch:
        """Take frames of one size and dtype to the device, each once."""
        ...


@dataclass(frozen=True)
class _OneByOne:
    """Frames for a backend that takes one at a time, so that no frame's bits depend on its company."""

    backend: Backend
    frames: Sequence[Frame]

    def propose(self, levels: Sequence[PyramidLevel]) -> list[list[NetworkOutput]]:
        return [self.backend.propose(frame, levels) for frame in self.frames]

    def refine(self, which: Index, boxes: Float32) -> NetworkOutput:
        return _joined(
            which, [self.backend.refine(self.frames[i], boxes[which == i]) for i in np.unique(which)]
        )

    def finish(self, which: Index, boxes: Float32) -> NetworkOutput:
        return _joined(
            which, [self.backend.finish(self.frames[i], boxes[which == i]) for i in np.unique(which)]
        )


def _joined(which: Index, parts: list[NetworkOutput]) -> NetworkOutput:
    """Join the frames' outputs in the order of their squares."""
    if len(parts) == 1:
        return parts[0]
    order = np.argsort(np.argsort(which, kind="stable"))
    points = [part.points for part in parts if part.points is not None]
    return NetworkOutput(
        np.concatenate([part.probability for part in parts])[order],
        np.concatenate([part.regression for part in parts])[order],
        np.concatenate(points)[order] if points else None,
    )


def open_batch(backend: Backend, frames: Sequence[Frame]) -> FrameBatch:
    """Give frames of one size and dtype to a backend, at once where it can take several."""
    if isinstance(backend, BatchBackend):
        return backend.open(frames)
    return _OneByOne(backend, frames)


@dataclass(frozen=True)
class NetworkBackend:
    """A backend made of three networks; NumPy cuts their images out of the frame.

    Attributes
    ----------
    name : str
        Name of the engine.
    pnet, rnet, onet : Network
        Proposal, refinement and output network.
    """

    name: str
    pnet: Network
    rnet: Network
    onet: Network

    def propose(self, frame: Frame, levels: Sequence[PyramidLevel]) -> list[NetworkOutput]:
        """Apply PNet; see `Backend.propose`."""
        return [self.pnet.run(resize_level(frame, level)) for level in levels]

    def refine(self, frame: Frame, boxes: Float32) -> NetworkOutput:
        """Apply RNet; see `Backend.refine`."""
        return self.rnet.run(crops(frame, boxes, RNET_SIDE))

    def finish(self, frame: Frame, boxes: Float32) -> NetworkOutput:
        """Apply ONet; see `Backend.finish`."""
        return self.onet.run(crops(frame, boxes, ONET_SIDE))
