"""FHOG in plain NumPy: reads like the formulas; slow.

The oracle that the compiled form is tested against, and what runs where nothing could be compiled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# cos and sin of multiples of 20 degrees, rounded as in Felzenszwalb's code.
DIRECTIONS = np.array(
    [
        (1.0, 0.0),
        (0.9397, 0.3420),
        (0.7660, 0.6428),
        (0.5, 0.8660),
        (0.1736, 0.9848),
        (-0.1736, 0.9848),
        (-0.5, 0.8660),
        (-0.7660, 0.6428),
        (-0.9397, 0.3420),
    ],
    np.float32,
)


def extract(
    image: NDArray[np.uint8],
    cell_size: int,
    filter_rows_padding: int,
    filter_cols_padding: int,
    out: NDArray[np.float32],
) -> None:
    """Write FHOG with filter padding to `out`, as the compiled form does.

    Raises
    ------
    ValueError
        If `cell_size` is 1, for which dlib has another formula that this form lacks.
    """
    if cell_size == 1:
        raise ValueError("cell_size 1 needs the compiled form of pyfhog: install it with a C++ compiler")
    found = fhog(image, cell_size)
    top, left = (filter_rows_padding - 1) // 2, (filter_cols_padding - 1) // 2
    out[:] = 0
    out[top : top + found.shape[0], left : left + found.shape[1]] = found


def fhog(image: NDArray[np.uint8], cell_size: int = 8) -> NDArray[np.float32]:
    """FHOG of a grey or BGR image without filter padding; cell_size > 1."""
    rows, columns = (int(size / cell_size + 0.5) for size in image.shape[:2])
    histogram = orientation_histogram(image, cell_size, rows, columns)
    unsigned = histogram[..., :9] + histogram[..., 9:]
    energy = np.square(unsigned).sum(-1)
    block = energy[:-1, :-1] + energy[:-1, 1:] + energy[1:, :-1] + energy[1:, 1:]

    # The four 2 x 2 blocks around an inner cell: below right, above right, below left, above left.
    blocks = np.stack([block[1:, 1:], block[:-1, 1:], block[1:, :-1], block[:-1, :-1]], axis=-1)
    limit = np.float32(0.2) * np.sqrt(blocks + np.float32(1e-4))[:, :, None, :]
    signed = np.minimum(histogram[1:-1, 1:-1, :, None], limit) * (np.float32(0.1) / limit)
    contrast_free = np.minimum(unsigned[1:-1, 1:-1, :, None], limit) * (np.float32(0.1) / limit)
    texture = np.float32(2 * 0.2357) * signed.sum(2)
    return np.concatenate([signed.sum(-1), contrast_free.sum(-1), texture], axis=-1).astype(np.float32)


def orientation_histogram(
    image: NDArray[np.uint8], cell_size: int, rows: int, columns: int
) -> NDArray[np.float32]:
    """Gradient magnitudes by cell and signed orientation, bilinear in space: (rows, columns, 18)."""
    height = min(rows * cell_size, image.shape[0])
    width = min(columns * cell_size, image.shape[1])
    gradient = strongest_gradient(image[:height, :width])
    magnitude = np.sqrt(np.square(gradient).sum(-1).astype(np.float32))

    dots = gradient.astype(np.float32) @ DIRECTIONS.T
    # Candidates in the order 0, 0 + 9, 1, 1 + 9, ...: the first largest wins, bin 0 if none is positive.
    candidates = np.stack([dots, -dots], axis=-1).reshape(*dots.shape[:2], 18)
    winner = candidates.argmax(-1)
    orientation = np.where(candidates.max(-1) > 0, winner // 2 + 9 * (winner % 2), 0)

    y, x = np.mgrid[1 : height - 1, 1 : width - 1]
    row, row_fraction = split((y + 0.5) / cell_size - 0.5)
    column, column_fraction = split((x + 0.5) / cell_size - 0.5)
    histogram = np.zeros((rows + 2, columns + 2, 18))  # one ring of cells that is cut off again
    for below in (0, 1):
        for right in (0, 1):
            weight = np.where(below, row_fraction, 1 - row_fraction) * np.where(
                right, column_fraction, 1 - column_fraction
            )
            np.add.at(histogram, (row + 1 + below, column + 1 + right, orientation), weight * magnitude)
    return histogram[1:-1, 1:-1].astype(np.float32)


def strongest_gradient(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Central differences (x, y) of the channel with the largest gradient, without the image border."""
    levels = image.astype(np.int64)
    if image.ndim == 2:
        levels = levels[:, :, None]
    dx = levels[1:-1, 2:] - levels[1:-1, :-2]
    dy = levels[2:, 1:-1] - levels[:-2, 1:-1]
    length = dx * dx + dy * dy
    if length.shape[-1] == 1:
        return np.stack([dx[..., 0], dy[..., 0]], -1)
    blue, green, red = (length[..., channel] for channel in range(3))
    # dlib's vector part (eight columns at a time) lets ties go to blue, then green; its scalar rest to
    # red, then green.
    ties_to_blue = np.where(np.maximum(red, green) > blue, np.where(red > green, 2, 1), 0)
    ties_to_red = np.where(blue > np.maximum(red, green), 0, np.where(green > red, 1, 2))
    vector_columns = max(0, (image.shape[1] - 2) // 8 * 8)
    in_vector_part = np.arange(length.shape[1]) < vector_columns
    channel = np.where(in_vector_part, ties_to_blue, ties_to_red)[..., None]

    def pick(values: NDArray[Any]) -> NDArray[np.int64]:
        return np.take_along_axis(values, channel, -1)[..., 0]

    return np.stack([pick(dx), pick(dy)], -1)


def split(position: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Whole part (rounded down) and fraction."""
    whole = np.floor(position).astype(np.int64)
    return whole, position - whole
