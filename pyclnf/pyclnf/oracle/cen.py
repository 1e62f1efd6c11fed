"""Response map of one CEN patch expert: half of the positions, the rest interpolated.

Source: OpenFace 2.2, ``CEN_patch_expert.cpp``, ``ResponseSparse``; Zadeh, Baltrusaitis, Morency, CVPRW 2017.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..io import CENExpert, DenseLayer
from .patches import logistic, normalised_patches

SIGMOID, RELU = 0, 2


def forward(layers: Sequence[DenseLayer], inputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Output of the network for every row of inputs (n, 1 + support**2)."""
    values = inputs.T
    for layer in layers:
        values = layer.weight.astype(np.float64) @ values + layer.bias[:, None]
        if layer.activation == SIGMOID:
            values = logistic(values)
        elif layer.activation == RELU:
            values = np.maximum(values, 0.0)
    return np.asarray(values[0])


def fill_in(response: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Replace the positions with an even row + column by the mean of their neighbours."""
    window = response.shape[0]
    row, col = np.indices(response.shape)
    computed = (row + col) % 2 == 1
    padded = np.pad(np.where(computed, response, 0.0), 1)
    count = np.pad(computed.astype(np.float64), 1)

    def neighbours(m: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        total: npt.NDArray[np.float64] = m[:window, 1:-1] + m[2:, 1:-1] + m[1:-1, :window] + m[1:-1, 2:]
        return total

    means = neighbours(padded) / np.maximum(neighbours(count), 1.0)
    return np.where(computed, response, means)


def cen_response(
    area: npt.NDArray[np.float32], expert: CENExpert, mirrored: bool = False
) -> npt.NDArray[np.float64]:
    """Response of one expert over its area of interest.

    Parameters
    ----------
    area : ndarray, shape (w + 10, w + 10), float32
        As seen in the image.
    expert : CENExpert
    mirrored : bool
        The expert was trained on the landmark's mirror image: flip the area before and the map after.

    Returns
    -------
    ndarray, shape (w, w), float64
    """
    patches = normalised_patches(area[:, ::-1] if mirrored else area, expert.width)
    window = patches.shape[0]
    everywhere = forward(expert.layers, patches.reshape(window * window, -1)).reshape(window, window)
    response = fill_in(everywhere)
    return response[:, ::-1] if mirrored else response
