"""Detection validator: piecewise-affine crop of a face, and the network that rates it.

Source: OpenFace 2.2, ``PAW.cpp`` and ``LandmarkDetectionValidator.cpp``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..io import ConvLayer, FullyConnected, MaxPool, PieceWiseWarp, ValidatorView
from .sampling import GRID, sample_grid

FAR = 2.0**28  # 1/32 px; no image is so large


def warp_maps(
    warp: PieceWiseWarp, landmarks: npt.NDArray[np.floating]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Image coordinates (x, y) of every masked pixel of the crop, px, in row order of the mask.

    Parameters
    ----------
    warp : PieceWiseWarp
    landmarks : ndarray, shape (2, n)
    """
    row, col = np.nonzero(warp.mask)
    triangle = warp.pixel_triangle[row, col]
    pixels = col + warp.min_x, row + warp.min_y
    return warped(pixels, warp.triangles[triangle], warp.alpha[triangle], warp.beta[triangle], landmarks)


def warped(
    pixels: tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]],
    corners: npt.NDArray[np.integer],
    alpha: npt.NDArray[np.floating],
    beta: npt.NDArray[np.floating],
    landmarks: npt.NDArray[np.floating],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Image coordinates (x, y) of pixels (X, Y) of the crop; corners and coefficients (n, 3): of their triangles."""
    # Barycentric coordinates of a pixel (1, X, Y) in its triangle of the destination shape.
    pixel = np.stack([np.ones(len(pixels[0])), *pixels], axis=1).astype(np.float32)
    along, across = (pixel * alpha).sum(axis=1), (pixel * beta).sum(axis=1)
    i, j, k = landmarks.astype(np.float32)[:, corners].transpose(2, 0, 1)
    x, y = i + (j - i) * along + (k - i) * across
    return x, y


def normalised_crop(
    view: ValidatorView, image: npt.NDArray[np.uint8], landmarks: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Network input: the face warped to the mean shape, standardised as a whole and then per pixel.

    Parameters
    ----------
    view : ValidatorView
    image : ndarray, shape (rows, cols), uint8
    landmarks : ndarray, shape (2, n)
        In px of this image.

    Returns
    -------
    ndarray, shape (h, w), float64
        0 outside the mask.
    """
    pixels = standardised_samples(image, *warp_maps(view.warp, landmarks))
    # The file numbers the masked pixels down the columns.
    out = np.zeros(view.warp.mask.shape)
    out[view.warp.mask] = pixels
    masked = out.T[view.warp.mask.T]
    out.T[view.warp.mask.T] = (masked - view.mean) / view.std
    return out


def standardised_samples(
    image: npt.NDArray[np.uint8], x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Grey values at places in px, with mean 0 and standard deviation 1; from flat ones only the mean is subtracted."""
    grid = (np.clip(c * np.float32(GRID), -FAR, FAR) for c in (x, y))
    values = sample_grid(image, *(np.rint(c).astype(np.int64) for c in grid)).astype(np.float64)
    deviation = values.std()
    return np.asarray((values - values.mean()) / (deviation if deviation > 0 else 1.0))


def convolved(
    maps: npt.NDArray[np.float64], kernels: npt.NDArray[np.floating], bias: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Correlate maps (i, rows, cols) with kernels (i, o, h, w), without padding."""
    windows = np.lib.stride_tricks.sliding_window_view(maps, kernels.shape[2:], axis=(1, 2))
    return np.asarray(
        np.tensordot(kernels.astype(np.float64), windows, ((0, 2, 3), (0, 3, 4))) + bias.reshape(-1, 1, 1)
    )


def max_pooled(maps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Take the largest of each 2 x 2 px; sides are rounded up."""
    padding = [(0, 0), (0, maps.shape[1] % 2), (0, maps.shape[2] % 2)]
    even = np.pad(maps, padding, constant_values=-np.inf)
    blocks = even.reshape(len(even), even.shape[1] // 2, 2, even.shape[2] // 2, 2)
    return np.asarray(blocks.max(axis=(2, 4)))


def network(view: ValidatorView, crop: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Output of the network for one crop, one value per bin."""
    maps = crop.astype(np.float64)[None]
    for layer in view.layers:
        if isinstance(layer, ConvLayer):
            maps = convolved(maps, layer.kernels, layer.bias)
        elif isinstance(layer, MaxPool):
            maps = max_pooled(maps)
        elif isinstance(layer, FullyConnected):
            # Each map is flattened down its columns.
            flat = maps.transpose(0, 2, 1).reshape(-1)
            maps = (flat @ layer.weight + layer.bias)[:, None, None]
        else:
            maps = np.maximum(maps, 0.0)
    return maps.reshape(-1)
