"""Arithmetic on boxes: proposals, non-maximum suppression, regression and OpenFace's final adjustment.

A box is a row ``x, y, width, height`` of float32 pixels. What is rounded, truncated or kept fractional
follows OpenFace 2.2 (``FaceDetectorMTCNN.cpp``): a pixel here moves the crop that the next network sees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "apply_regression",
    "non_maximum_suppression",
    "pnet_cells",
    "proposals",
    "rectify",
    "to_landmark_convention",
]

Float32 = NDArray[np.float32]

# PNet looks at cells of 12 x 12 px and moves them by 2 px.
CELL = 12
STRIDE = 2

# Candidates whose mutual overlaps are computed at once: bounds the memory on images full of faces.
_BLOCK = 384


def pnet_cells(length: int) -> int:
    """Count PNet's cells along an axis: one convolution, pooling with a clipped last window, two convolutions."""
    return (length - 1) // STRIDE - 4


def proposals(
    probability: Float32, regression: Float32, scale: float, threshold: float
) -> tuple[Float32, Float32, Float32]:
    """Boxes of the PNet cells that may hold a face.

    Parameters
    ----------
    probability : ndarray of float32, shape (H, W)
        PNet's face probability of each cell at one pyramid level.
    regression : ndarray of float32, shape (4, H, W)
        PNet's box offsets.
    scale : float
        Scale of the level relative to the frame.
    threshold : float
        Smallest probability to keep.

    Returns
    -------
    boxes : ndarray of float32, shape (n, 4)
        Whole-numbered boxes in frame pixels, column by column (the order decides between equal scores).
    scores : ndarray of float32, shape (n,)
        Their probabilities.
    offsets : ndarray of float32, shape (n, 4)
        Their box offsets.
    """
    passes = probability >= threshold
    columns, rows = np.nonzero(passes.T)
    corners = np.stack([columns, rows, columns, rows], axis=1) * STRIDE
    corners += np.array([1, 1, CELL, CELL])
    corners = np.trunc(corners.astype(np.float32) / np.float32(scale))
    corners[:, 2:] -= corners[:, :2]
    offsets = np.ascontiguousarray(regression[:, rows, columns].T)
    return corners.astype(np.float32, copy=False), probability[rows, columns], offsets


def _overlaps(first: Float32, second: Float32, of_smaller: bool) -> Float32:
    """Overlap of each box of `first` with each of `second`, shape (n, m); nan for two empty boxes."""
    a, b = first.T[:, :, None], second.T[:, None, :]
    width = np.minimum(a[0] + a[2], b[0] + b[2])
    width -= np.maximum(a[0], b[0])
    height = np.minimum(a[1] + a[3], b[1] + b[3])
    height -= np.maximum(a[1], b[1])
    np.maximum(width, 0, out=width)
    np.maximum(height, 0, out=height)
    shared = np.multiply(width, height, out=width)
    area_a, area_b = a[2] * a[3], b[2] * b[3]
    if of_smaller:
        base = np.minimum(area_a, area_b)
    else:
        base = np.add(area_a, area_b, out=height)
        base -= shared
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Float32 = np.divide(shared, base, out=shared)
    return result


def non_maximum_suppression(
    boxes: Float32, scores: Float32, threshold: float, of_smaller: bool = False
) -> NDArray[np.intp]:
    """Keep the best of each group of overlapping boxes.

    Parameters
    ----------
    boxes : ndarray of float32, shape (n, 4)
        Boxes; x, y, width and height are each rounded (half to even) before overlaps are measured.
    scores : ndarray of float32, shape (n,)
        Of two equal scores the later one goes first.
    threshold : float
        A box goes if its overlap with a better one is larger than this.
    of_smaller : bool, default False
        Overlap relative to the smaller of the two areas instead of to their union.

    Returns
    -------
    ndarray of intp, shape (k,)
        Indices of the boxes to keep, by falling score.
    """
    order = np.argsort(scores, kind="stable")[::-1]
    rounded = np.rint(boxes)
    limit = np.float32(threshold)
    kept: list[NDArray[np.intp]] = []
    pending = order
    while pending.size:
        block, pending = pending[:_BLOCK], pending[_BLOCK:]
        over = _overlaps(rounded[block], rounded[block], of_smaller) > limit
        suppressed = np.zeros(block.size, bool)
        winners: list[int] = []
        for i in range(block.size):
            if not suppressed[i]:
                winners.append(i)
                suppressed |= over[i]
        kept.append(block[winners])
        if pending.size:
            beaten = _overlaps(rounded[kept[-1]], rounded[pending], of_smaller) > limit
            pending = pending[~beaten.any(axis=0)]
    return np.concatenate(kept) if kept else order


def apply_regression(boxes: Float32, offsets: Float32, enlarge: bool = False) -> Float32:
    """Move the corners of boxes by a network's offsets.

    Parameters
    ----------
    boxes : ndarray of float32, shape (n, 4)
        Boxes; rounded (half to even) first.
    offsets : ndarray of float32, shape (n, 4)
        Shift of left, top, right and bottom as fractions of the box's size.
    enlarge : bool, default False
        Count the box's last pixel in: width and height grow by one before the shift.

    Returns
    -------
    ndarray of float32, shape (n, 4)
        New boxes, fractional.
    """
    rounded = np.rint(boxes)
    origin, size = rounded[:, :2], rounded[:, 2:] + np.float32(enlarge)
    moved = np.empty_like(rounded)
    moved[:, :2] = origin + offsets[:, :2] * size
    moved[:, 2:] = origin + size + offsets[:, 2:] * size
    moved[:, 2:] -= moved[:, :2]
    return moved


def rectify(boxes: Float32) -> Float32:
    """Smallest squares around the centres of boxes, truncated toward zero.

    Parameters
    ----------
    boxes : ndarray of float32, shape (n, 4)
        Boxes.

    Returns
    -------
    ndarray of float32, shape (n, 4)
        Whole-numbered squares.
    """
    side = boxes[:, 2:].max(axis=1, keepdims=True)
    squares = np.empty_like(boxes)
    squares[:, :2] = boxes[:, :2] + np.float32(0.5) * (boxes[:, 2:] - side)
    squares[:, 2:] = side
    return np.trunc(squares, out=squares)


def to_landmark_convention(boxes: Float32) -> Float32:
    """Adjust MTCNN boxes to the extent of the 68 landmarks, which OpenFace's fitting starts from.

    Parameters
    ----------
    boxes : ndarray of float32, shape (n, 4)
        Boxes from ONet.

    Returns
    -------
    ndarray of float32, shape (n, 4)
        Adjusted boxes.
    """
    x, y, width, height = boxes.astype(np.float64).T
    # OpenFace 2.2: FaceDetectorMTCNN.cpp, in double precision from the unadjusted sizes.
    adjusted = np.stack([x - 0.0075 * width, y + 0.2459 * height, 1.0323 * width, 0.7751 * height], axis=1)
    return adjusted.astype(np.float32)
