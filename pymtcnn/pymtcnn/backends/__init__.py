"""What runs the three networks: the interface of a backend, and the choice of one by name."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import BackendError
from ..pyramid import Frame, PyramidLevel, crops, resize_level
from ..weights import DetectorWeights

__all__ = [
    "ONET_SIDE",
    "RNET_SIDE",
    "Backend",
    "Network",
    "NetworkBackend",
    "NetworkOutput",
    "available_backends",
    "create_backend",
    "interpret",
]

_log = logging.getLogger(__name__)

# Sides in pixels of the crops that RNet and ONet look at.
RNET_SIDE = 24
ONET_SIDE = 48


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

    probability: NDArray[np.float32]
    regression: NDArray[np.float32]
    points: NDArray[np.float32] | None = None


def interpret(outputs: NDArray[np.float32]) -> NetworkOutput:
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

    def run(self, batch: NDArray[np.float32]) -> NetworkOutput:
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
    """The three stages of the cascade on one engine: a frame and where to look in, raw results out."""

    @property
    def name(self) -> str:
        """Name of the engine, for provenance records."""
        ...

    def propose(self, frame: Frame, levels: Sequence[PyramidLevel]) -> list[NetworkOutput]:
        """Apply PNet to a frame (H, W, 3) of BGR pixels at every level; each output has n = 1."""
        ...

    def refine(self, frame: Frame, boxes: NDArray[np.float32]) -> NetworkOutput:
        """Apply RNet to whole-numbered squares (n, 4), n >= 1, of the frame; see `pymtcnn.pyramid.crops`."""
        ...

    def finish(self, frame: Frame, boxes: NDArray[np.float32]) -> NetworkOutput:
        """Apply ONet to whole-numbered squares (n, 4), n >= 1, of the frame."""
        ...


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

    def refine(self, frame: Frame, boxes: NDArray[np.float32]) -> NetworkOutput:
        """Apply RNet; see `Backend.refine`."""
        return self.rnet.run(crops(frame, boxes, RNET_SIDE))

    def finish(self, frame: Frame, boxes: NDArray[np.float32]) -> NetworkOutput:
        """Apply ONet; see `Backend.finish`."""
        return self.onet.run(crops(frame, boxes, ONET_SIDE))


@dataclass(frozen=True)
class _Entry:
    """Module with a function ``create_backend(weights, threads) -> Backend`` and the extra that installs its needs."""

    module: str
    extra: str | None = None


# In the order in which "auto" tries them.
_REGISTRY: dict[str, _Entry] = {
    "native": _Entry("pymtcnn.backends.native"),
    "numpy": _Entry("pymtcnn.backends.numpy"),
}


def _factory(name: str) -> Callable[[DetectorWeights, int], Backend]:
    entry = _REGISTRY[name]
    try:
        module = importlib.import_module(entry.module)
    except ImportError as error:
        remedy = f'; run: pip install "pymtcnn[{entry.extra}]"' if entry.extra else ""
        raise BackendError(f"backend {name!r} cannot be used here ({error}){remedy}") from error
    return cast("Callable[[DetectorWeights, int], Backend]", module.create_backend)


def available_backends() -> tuple[str, ...]:
    """Names of the backends that can run here, best first."""
    names = []
    for name in _REGISTRY:
        try:
            _factory(name)
        except BackendError as error:
            _log.info("%s", error)
            continue
        names.append(name)
    return tuple(names)


def create_backend(name: str, weights: DetectorWeights, threads: int = 1) -> Backend:
    """Build the networks on the named engine.

    Parameters
    ----------
    name : str
        ``"auto"`` for the best available one, or a name from `available_backends`.
    weights : DetectorWeights
        Weights of the networks.
    threads : int, default 1
        Threads that may work on one frame; results do not depend on it. The NumPy backend always uses one.

    Returns
    -------
    Backend
        Networks ready to run.

    Raises
    ------
    BackendError
        No such backend, or what it needs is not installed (the message names the extra to install).
    """
    if name == "auto":
        name = available_backends()[0]
    if name not in _REGISTRY:
        choices = ", ".join(repr(choice) for choice in ("auto", *_REGISTRY))
        extras = sorted(entry.extra for entry in _REGISTRY.values() if entry.extra)
        more = (
            f"its extras with further ones: {', '.join(extras)}" if extras else "no extra adds further ones"
        )
        raise BackendError(f"unknown backend {name!r}; this version of pymtcnn has {choices}; {more}")
    return _factory(name)(weights, threads)
