"""Detection validator: piecewise-affine crop of a face, and the network that rates it.

Source: OpenFace 2.2, ``PAW.cpp`` and ``LandmarkDetectionValidator.cpp``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..io import ConvLayer, FullyConnected, MaxPool, PieceWiseWarp, ValidatorView
from .sampling import GRID, sample_grid


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
    alpha, beta = warp.alpha[triangle], warp.beta[triangle]
    # Barycentric coordinates of a pixel (1, X, Y) in its triangle of the destination shape.
    pixel = np.stack([np.ones(len(row)), col + warp.min_x, row + warp.min_y], axis=1).astype(np.float32)
    along, across = (pixel * alpha).sum(axis=1), (pixel * beta).sum(axis=1)
    i, j, k = landmarks.astype(np.float32)[:, warp.triangles[triangle]].transpose(2, 0, 1)
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
    x, y = warp_maps(view.warp, landmarks)
    to_grid = np.float32(GRID)
    values = sample_grid(image, np.rint(x * to_grid).astype(np.int64), np.rint(y * to_grid).astype(np.int64))
    pixels = values.astype(np.float64)
    deviation = pixels.std()
    pixels = (pixels - pixels.mean()) / (deviation if deviation > 0 else 1.0)
    # The file numbers the masked pixels down the columns.
    out = np.zeros(view.warp.mask.shape)
    out[view.warp.mask] = pixels
    masked = out.T[view.warp.mask.T]
    out.T[view.warp.mask.T] = (masked - view.mean) / view.std
    return out


def network(view: ValidatorView, crop: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Output of the network for one crop, one value per bin."""
    maps = crop.astype(np.float64)[None]
    for layer in view.layers:
        if isinstance(layer, ConvLayer):
            windows = np.lib.stride_tricks.sliding_window_view(maps, layer.kernels.shape[2:], axis=(1, 2))
            maps = np.einsum("iyxuv,iouv->oyx", windows, layer.kernels) + layer.bias[:, None, None]
        elif isinstance(layer, MaxPool):
            even = np.pad(
                maps, [(0, 0), (0, maps.shape[1] % 2), (0, maps.shape[2] % 2)], constant_values=-np.inf
            )
            maps = even.reshape(len(even), even.shape[1] // 2, 2, even.shape[2] // 2, 2).max(axis=(2, 4))
        elif isinstance(layer, FullyConnected):
            # Each map is flattened down its columns.
            flat = maps.transpose(0, 2, 1).reshape(-1)
            maps = (flat @ layer.weight + layer.bias)[:, None, None]
        else:
            maps = np.maximum(maps, 0.0)
    return maps.reshape(-1)
