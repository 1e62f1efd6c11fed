"""What runs the three networks: the interface of a backend, and the choice of one by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import BackendError
from ..weights import DetectorWeights

__all__ = ["Backend", "Network", "NetworkOutput", "available_backends", "create_backend"]


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


class Network(Protocol):
    """One stage of the cascade; may be called from one thread at a time only."""

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


@dataclass(frozen=True)
class Backend:
    """The three networks on one engine.

    Attributes
    ----------
    name : str
        Name of the engine, for provenance records.
    pnet, rnet, onet : Network
        Proposal, refinement and output network.
    """

    name: str
    pnet: Network
    rnet: Network
    onet: Network


@dataclass(frozen=True)
class _Entry:
    """Module with a function ``create_backend(weights) -> Backend`` and the extra that installs its needs."""

    module: str
    extra: str | None = None


# In the order in which "auto" tries them.
_REGISTRY: dict[str, _Entry] = {"numpy": _Entry("pymtcnn.backends.numpy")}


def _factory(name: str) -> Callable[[DetectorWeights], Backend]:
    entry = _REGISTRY[name]
    try:
        module = importlib.import_module(entry.module)
    except ImportError as error:
        remedy = f'; run: pip install "pymtcnn[{entry.extra}]"' if entry.extra else ""
        raise BackendError(f"backend {name!r} cannot be used here ({error}){remedy}") from error
    return cast("Callable[[DetectorWeights], Backend]", module.create_backend)


def available_backends() -> tuple[str, ...]:
    """Names of the backends that can run here, best first."""
    names = []
    for name in _REGISTRY:
        try:
            _factory(name)
        except BackendError:
            continue
        names.append(name)
    return tuple(names)


def create_backend(name: str, weights: DetectorWeights) -> Backend:
    """Build the networks on the named engine.

    Parameters
    ----------
    name : str
        ``"auto"`` for the best available one, or a name from `available_backends`.
    weights : DetectorWeights
        Weights of the networks.

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
    return _factory(name)(weights)
