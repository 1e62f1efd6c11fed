"""Bilinear sampling on OpenCV's fixed-point grid, black outside the image.

Source: ``warpAffine`` and ``remap`` of OpenCV 4.6 (``imgproc/src/imgwarp.cpp``), as OpenFace 2.2 calls them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

GRID = 32  # samples per px: coordinates are quantised to 1/32 px
_FAR = 1 << 28  # 1/32 px; no image is so large
_LARGEST, _OUTSIDE = 1e15, 2.0**50
_FRACTION = 1024  # OpenCV's affine coordinates are multiples of 1/1024 px before they are cut to the grid


def area_coordinates(
    x: float, y: float, a: float, b: float, side: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where the pixels of a square area lie in the image, in 1/32 px.

    The area is centred on (x, y); its axes are those of the image turned and scaled by ``[a -b; b a]``.

    Parameters
    ----------
    x, y : float
        Centre in px, taken as float32.
    a, b : float
        Entries of the similarity from the area to the image, taken as float32.
    side : int
        Width and height of the area.

    Returns
    -------
    X, Y : ndarray, shape (side, side), int64
        Row v, column u hold the place of area pixel (u, v).
    """
    f = np.float32
    half = f((side - 1) / 2)
    # The reference rounds every product to float32 before it adds.
    tx = f(x) - f(a) * half + f(b) * half
    ty = f(y) - f(a) * half - f(b) * half
    return grid_coordinates(np.array([[f(a), -f(b), tx], [f(b), f(a), ty]], dtype=np.float64), side, side)


def grid_coordinates(
    matrix: npt.NDArray[np.float64], width: int, height: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where the pixels of an area lie in the image under an affine map (2, 3), in 1/32 px: X, Y (height, width)."""
    with np.errstate(over="ignore", invalid="ignore"):
        by_column = matrix[:, :1] * np.arange(width) * _FRACTION
        by_row = (matrix[:, 1:2] * np.arange(height) + matrix[:, 2:]) * _FRACTION
    shift = _FRACTION // GRID
    both = (_whole(by_row) + shift // 2)[:, :, None] + _whole(by_column)[:, None, :]
    grid = np.clip(both // shift, -_FAR, _FAR)
    return grid[0], grid[1]


def _whole(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Nearest whole numbers; what is not finite or too large lies outside every image."""
    near = np.abs(values) < _LARGEST
    return np.where(near, np.rint(np.where(near, values, 0.0)), -_OUTSIDE).astype(np.int64)


def sample_grid(
    image: npt.NDArray[np.uint8], x: npt.NDArray[np.int64], y: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Bilinear samples of an 8-bit image at places given in 1/32 px.

    Parameters
    ----------
    image : ndarray, shape (rows, cols), uint8
    x, y : ndarray of int64, any equal shapes
        In 1/32 px.

    Returns
    -------
    ndarray, the shape of `x`, float32
        Exact: multiples of 1/1024 between 0 and 255.
    """
    column, row = x // GRID, y // GRID
    fx, fy = (x % GRID) / GRID, (y % GRID) / GRID
    upper = _tap(image, column, row) * (1 - fx) + _tap(image, column + 1, row) * fx
    lower = _tap(image, column, row + 1) * (1 - fx) + _tap(image, column + 1, row + 1) * fx
    return (upper * (1 - fy) + lower * fy).astype(np.float32)


def _tap(
    image: npt.NDArray[np.uint8], column: npt.NDArray[np.int64], row: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    rows, cols = image.shape
    inside = (column >= 0) & (column < cols) & (row >= 0) & (row < rows)
    out = np.zeros(column.shape, np.float64)
    out[inside] = image[row[inside], column[inside]]
    return out


def sample_area(
    image: npt.NDArray[np.uint8], x: float, y: float, a: float, b: float, side: int, flip: bool = False
) -> npt.NDArray[np.float32]:
    """Area of interest of a patch expert: ``side x side`` px around (x, y), columns reversed if `flip`.

    Source: OpenFace 2.2, ``Patch_experts.cpp``, ``Response``.
    """
    area = sample_grid(image, *area_coordinates(x, y, a, b, side))
    return np.ascontiguousarray(area[:, ::-1]) if flip else area
