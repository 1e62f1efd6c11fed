"""State of what lives across frames: plain arrays by name, parts of it below a prefix and a dot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

State: TypeAlias = dict[str, NDArray[Any]]


def part_of(state: Mapping[str, NDArray[Any]], prefix: str) -> State:
    """Select the entries that begin with `prefix`, without it."""
    return {name[len(prefix) :]: array for name, array in state.items() if name.startswith(prefix)}


def under(prefix: str, state: Mapping[str, NDArray[Any]]) -> State:
    """Put a prefix before all names."""
    return {f"{prefix}{name}": array for name, array in state.items()}


def as_text(text: str) -> NDArray[np.uint8]:
    """Keep text as an array of its bytes."""
    return np.array(list(text.encode()), np.uint8)


def from_text(array: NDArray[Any]) -> str:
    """Return the text that `as_text` kept."""
    return bytes(np.asarray(array, np.uint8)).decode()
