"""Matrix times vector in a fixed order of additions, in plain NumPy: slow, the oracle of the compiled `linear`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LANES = 16


def multiply(matrix: Floats, vector: Floats, out: Floats) -> None:
    """Compute ``out = matrix @ vector``: sixteen partial sums, which are added from the first to the last.

    Parameters
    ----------
    matrix : ndarray of shape (rows, columns), float64
    vector : ndarray of shape (columns,), float64
    out : ndarray of shape (rows,), float64
        Written.
    """
    if matrix.shape != (len(out), len(vector)):
        raise ValueError(
            f"matrix {matrix.shape} does not fit a vector of {len(vector)} values and an output of {len(out)}"
        )
    if not len(vector):
        raise ValueError("the vector is empty")
    products = matrix * vector
    whole = len(vector) // LANES * LANES
    # cumsum adds one after the other, where sum would pair.
    lanes = products[:, :whole].reshape(len(out), -1, LANES)
    sums = lanes.cumsum(axis=1)[:, -1] if whole else np.zeros((len(out), LANES))
    terms = np.concatenate([np.zeros((len(out), 1)), sums, products[:, whole:]], axis=1)
    out[:] = terms.cumsum(axis=1)[:, -1]
