"""All levels of a pyramid side by side in one image, so that PNet runs once for each frame size, in one shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boxes import STRIDE, pnet_cells
from ..pyramid import PyramidLevel

__all__ = ["Mosaic", "Place", "build_mosaic"]


@dataclass(frozen=True)
class Place:
    """Where a level lies.

    Attributes
    ----------
    row, column : int
        Its upper left pixel, both even, so that PNet's windows fall as they do on the level alone.
    height, width : int
        Its size in pixels.
    """

    row: int
    column: int
    height: int
    width: int

    @property
    def cells(self) -> tuple[slice, slice]:
        """Rows and columns of PNet's output that belong to the level."""
        row, column = self.row // STRIDE, self.column // STRIDE
        return slice(row, row + pnet_cells(self.height)), slice(column, column + pnet_cells(self.width))


@dataclass(frozen=True)
class Mosaic:
    """How the levels of one frame size are laid out and sampled.

    Attributes
    ----------
    height, width : int
        Size of the image in pixels, even.
    places : tuple of Place
        One for each level.
    taps : ndarray of int64, shape (2, 2, height * width)
        Positions in a frame's pixels of the upper and lower, left and right neighbours.
    column_weights, row_weights : ndarray of float32, shape (2, height * width, 1) and (2, 1, height * width, 1)
        Their weights.
    valid : ndarray of bool, shape (1, 1, height - 2, width - 2)
        Results of PNet's first convolution that lie in a level. Pooling must not see the others, because a level's
        last window is clipped at the level's edge.
    """

    height: int
    width: int
    places: tuple[Place, ...]
    taps: NDArray[np.int64]
    column_weights: NDArray[np.float32]
    row_weights: NDArray[np.float32]
    valid: NDArray[np.bool_]


def _even(length: int) -> int:
    return length + length % 2


def _places(levels: Sequence[PyramidLevel]) -> tuple[int, int, list[Place]]:
    """Put levels, largest first, on shelves as wide as the first level; height, width and places."""
    width = _even(max(level.width for level in levels))
    shelves: list[list[int]] = []  # row, height, first free column
    places = []
    for level in levels:
        needed = _even(level.width)
        fitting = [s for s in shelves if s[1] >= level.height and s[2] + needed <= width]
        if not fitting:
            top = shelves[-1][0] + shelves[-1][1] if shelves else 0
            shelves.append([top, _even(level.height), 0])
            fitting = shelves[-1:]
        shelf = fitting[0]
        places.append(Place(shelf[0], shelf[2], level.height, level.width))
        shelf[2] += needed
    return shelves[-1][0] + shelves[-1][1], width, places


def build_mosaic(levels: Sequence[PyramidLevel], frame_width: int) -> Mosaic:
    """Lay out the levels of a frame size.

    Parameters
    ----------
    levels : sequence of PyramidLevel
        At least one, largest first.
    frame_width : int
        Width of the frames in pixels.

    Returns
    -------
    Mosaic
        Layout and sampling; pixels between the levels are the frame's first one and belong to no cell.
    """
    height, width, places = _places(levels)
    taps = np.zeros((2, 2, height, width), np.int64)
    column_weights = np.zeros((2, height, width), np.float32)
    row_weights = np.zeros((2, height, width), np.float32)
    valid = np.zeros((height - 2, width - 2), np.bool_)
    for level, place in zip(levels, places, strict=True):
        down, across = _area(place, 0)
        rows = level.rows.reshape(2, 1, -1, 1) * frame_width
        taps[..., down, across] = rows + _columns(level).reshape(1, 2, 1, -1)
        column_weights[:, down, across] = np.stack([level.left, level.right])[:, None, :]
        row_weights[:, down, across] = np.stack([level.upper, level.lower])[:, :, 0]
        valid[_area(place, 2)] = True
    return Mosaic(
        height,
        width,
        tuple(places),
        taps.reshape(2, 2, -1),
        column_weights.reshape(2, -1, 1),
        row_weights.reshape(2, 1, -1, 1),
        valid[None, None],
    )


def _area(place: Place, less: int) -> tuple[slice, slice]:
    return (
        slice(place.row, place.row + place.height - less),
        slice(place.column, place.column + place.width - less),
    )


def _columns(level: PyramidLevel) -> NDArray[Any]:
    """Left and right neighbours in pixels, from the positions of their red bytes."""
    return level.samples.reshape(2, 3, level.width)[:, 0] // 3
