"""Images for the networks: the scale pyramid for PNet and the crops for RNet and ONet.

Both are bilinear resizes in float32 that give the same bits as OpenCV's (horizontal pass first, half-pixel
centres, clamped edges, no smoothing), written as gathers: only the pixels that are needed are ever converted
from bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .boxes import CELL

__all__ = [
    "GAIN",
    "MEAN",
    "PYRAMID_FACTOR",
    "CropTaps",
    "Frame",
    "PyramidLevel",
    "crop_taps",
    "crops",
    "interpolation",
    "pyramid_levels",
    "resize_level",
    "scales",
]

Float32 = NDArray[np.float32]
Index = NDArray[np.intp]

# BGR pixels, shape (H, W, 3), C-contiguous.
Frame = NDArray[np.uint8] | Float32

# OpenFace 2.2: FaceDetectorMTCNN.cpp, factor between two levels.
PYRAMID_FACTOR = 0.709

# The networks were trained on (v - 127.5) / 128.
MEAN = np.float32(127.5)
GAIN = np.float32(0.0078125)


def interpolation(length: int, source: NDArray[Any] | int) -> tuple[Index, Index, Float32]:
    """Positions and weights of OpenCV's linear interpolation along one axis.

    Parameters
    ----------
    length : int
        Number of output samples.
    source : int or ndarray of int, shape (n, 1)
        Number of input samples; with an array, of several resizes at once.

    Returns
    -------
    low, high : ndarray of intp, shape (length,) or (n, length)
        Indices of the two neighbours.
    weight : ndarray of float32, shape (length,) or (n, length)
        Weight of `high`; `low` has one minus it.
    """
    position = ((np.arange(length) + 0.5) * (source / length) - 0.5).astype(np.float32)
    low = np.floor(position).astype(np.intp)
    weight = (position - low).astype(np.float32)
    last = np.asarray(source) - 1
    outside = (low < 0) | (low >= last)
    weight[outside] = 0
    low = np.clip(low, 0, last)
    return low, np.minimum(low + 1, last), weight


def scales(height: int, width: int, min_face_size: float, factor: float = PYRAMID_FACTOR) -> list[float]:
    """Scales of the pyramid, largest first; empty where the image is smaller than a face may be.

    Parameters
    ----------
    height, width : int
        Size of the frame in pixels.
    min_face_size : float
        Side of the smallest face in pixels.
    factor : float, default 0.709
        Factor between two levels, between 0 and 1.

    Returns
    -------
    list of float
        Factors from frame to level.
    """
    count = math.floor(math.log(min_face_size / min(height, width)) / math.log(factor)) + 1
    return [CELL / min_face_size * factor**level for level in range(count)]


@dataclass(frozen=True)
class PyramidLevel:
    """How one level is sampled from frames of one size.

    Attributes
    ----------
    scale : float
        Factor from frame to level, before the level's size was rounded up.
    height, width : int
        Size of the level in pixels.
    rows : ndarray of intp, shape (2 * height,)
        Frame rows: the upper neighbours, then the lower ones.
    samples : ndarray of intp, shape (6 * width,)
        Positions in one row of interleaved BGR: left neighbours as R, G and B plane, then right neighbours.
    left, right : ndarray of float32, shape (width,)
        Weights of the horizontal pass.
    upper, lower : ndarray of float32, shape (height, 1, 1)
        Weights of the vertical pass.
    """

    scale: float
    height: int
    width: int
    rows: Index
    samples: Index
    left: Float32
    right: Float32
    upper: Float32
    lower: Float32


def pyramid_levels(
    height: int, width: int, min_face_size: float, factor: float = PYRAMID_FACTOR
) -> tuple[PyramidLevel, ...]:
    """Prepare the levels for frames of one size; see `scales` for the parameters."""
    levels = []
    for scale in scales(height, width, min_face_size, factor):
        h, w = math.ceil(height * scale), math.ceil(width * scale)
        top, bottom, lower = interpolation(h, height)
        west, east, right = interpolation(w, width)
        red_first = np.array([2, 1, 0])[:, None]
        samples = np.concatenate([(3 * west + red_first).ravel(), (3 * east + red_first).ravel()])
        one = np.float32(1)
        lower = lower[:, None, None]
        levels.append(
            PyramidLevel(
                scale, h, w, np.concatenate([top, bottom]), samples, one - right, right, one - lower, lower
            )
        )
    return tuple(levels)


def _normalise(image: Float32) -> Float32:
    image -= MEAN
    image *= GAIN
    return image


def resize_level(frame: Frame, level: PyramidLevel) -> Float32:
    """Sample one level from a frame.

    Parameters
    ----------
    frame : ndarray of uint8 or float32, shape (H, W, 3)
        BGR pixels, C-contiguous, of the size `level` was prepared for.
    level : PyramidLevel
        What to sample.

    Returns
    -------
    ndarray of float32, shape (1, 3, height, width)
        Normalised R, G and B plane, C-contiguous.
    """
    lines = frame.reshape(len(frame), -1)[level.rows]
    samples = lines.take(level.samples, axis=1).astype(np.float32, copy=False)
    neighbours = samples.reshape(2, level.height, 2, 3, level.width)
    horizontal = neighbours[:, :, 0] * level.left
    horizontal += neighbours[:, :, 1] * level.right
    horizontal[0] *= level.upper
    horizontal[1] *= level.lower
    image = np.empty((3, level.height, level.width), np.float32)
    np.add(horizontal[0], horizontal[1], out=image.transpose(1, 0, 2))
    return _normalise(image)[None]


@dataclass(frozen=True)
class CropTaps:
    """Where the pixels of resized squares come from, along rows and columns by themselves.

    Attributes
    ----------
    rows, columns : ndarray of intp, shape (n, 2, size)
        Frame rows (columns) of the two neighbours of each output row (column), clamped to the frame.
    row_inside, column_inside : ndarray of bool, shape (n, 2, size)
        Whether they were in the frame before they were clamped.
    weights : ndarray of float32, shape (n, size)
        Weight of the second neighbour; the first has one minus it. The squares have one weight for both axes.
    """

    rows: Index
    columns: Index
    row_inside: NDArray[np.bool_]
    column_inside: NDArray[np.bool_]
    weights: Float32


def crop_taps(boxes: Float32, size: int, height: int, width: int) -> CropTaps:
    """Find the pixels that `crops` reads; see there for the parameters. The frame is `height` by `width` px."""
    corner = boxes.astype(np.intp)
    low, high, weights = interpolation(size, corner[:, 2:3] + 1)
    taps = np.stack([low, high], axis=1)  # (n, 2, size)
    rows = taps + (corner[:, 1] - 1)[:, None, None]
    columns = taps + (corner[:, 0] - 1)[:, None, None]
    return CropTaps(
        np.clip(rows, 0, height - 1),
        np.clip(columns, 0, width - 1),
        (rows >= 0) & (rows < height),
        (columns >= 0) & (columns < width),
        weights,
    )


def crops(frame: Frame, boxes: Float32, size: int) -> Float32:
    """Cut squares out of a frame and resize them; what lies outside the frame is black.

    Parameters
    ----------
    frame : ndarray of uint8 or float32, shape (H, W, 3)
        BGR pixels, C-contiguous.
    boxes : ndarray of float32, shape (n, 4)
        Whole-numbered squares ``x, y, width, height``. As in MTCNN's Matlab original, coordinates count from
        one and the last pixel belongs to the box: the crop is one pixel wider and starts one pixel before x.
    size : int
        Side of the crops in pixels.

    Returns
    -------
    ndarray of float32, shape (n, 3, size, size)
        Normalised R, G and B planes. The memory order is plane, crop, row, column.
    """
    height, width, _ = frame.shape
    taps = crop_taps(boxes, size, height, width)
    # Row taps and column taps of all crops against each other: (n, 2, size, 2, size).
    pixels = (taps.rows * (3 * width))[:, :, :, None, None] + (taps.columns * 3)[:, None, None]
    values = frame.reshape(-1)
    planes = np.empty((3, *pixels.shape), np.float32)
    for plane, channel in enumerate((2, 1, 0)):
        planes[plane] = values[channel:].take(pixels)
    if not taps.row_inside.all():
        planes *= taps.row_inside[:, :, :, None, None]
    if not taps.column_inside.all():
        planes *= taps.column_inside[:, None, None]

    one = np.float32(1)
    right = taps.weights[:, None, None, :]
    horizontal = planes[..., 0, :] * (one - right)
    horizontal += planes[..., 1, :] * right
    lower = taps.weights[:, :, None]
    patches: Float32 = horizontal[:, :, 0] * (one - lower)
    patches += horizontal[:, :, 1] * lower
    batch: Float32 = _normalise(patches).transpose(1, 0, 2, 3)
    return batch
