"""Response map of one CCNF patch expert.

Source: OpenFace 2.2, ``CCNF_patch_expert.cpp``; Baltrusaitis, Robinson, Morency, ECCV 2014.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..io import CCNFExpert
from .patches import logistic, normalised_patches

SMALLEST_ALPHA = 1e-4


def covariance(
    expert: CCNFExpert, components: npt.NDArray[np.float32] | None, window: int
) -> npt.NDArray[np.float64]:
    """Covariance of the field: ``inv(2 (sum_k alpha_k I + sum_b beta_b C_b))``.

    Parameters
    ----------
    expert : CCNFExpert
    components : ndarray, shape (b, window**2, window**2), or None
        Neighbourhood matrices C_b; None where the model has none for this window.
    window : int
    """
    precision = expert.alphas.sum() * np.eye(window * window)
    if components is not None:
        for beta, component in zip(expert.betas, components, strict=False):
            precision = precision + beta * component
    return np.linalg.inv(2.0 * precision)


def ccnf_response(
    area: npt.NDArray[np.float32], expert: CCNFExpert, components: npt.NDArray[np.float32] | None = None
) -> npt.NDArray[np.float64]:
    """Response of one expert over its area of interest.

    Parameters
    ----------
    area : ndarray, shape (w + 10, w + 10), float32
    expert : CCNFExpert
    components : ndarray, optional
        See :func:`covariance`.

    Returns
    -------
    ndarray, shape (w, w), float64
        Shifted up to a minimum of 0 if it has negative values.
    """
    patches = normalised_patches(area, expert.width)
    window = patches.shape[0]
    potential = np.zeros((window, window))
    for norm, bias, alpha, template in zip(
        expert.norm_weights, expert.biases, expert.alphas, expert.weights, strict=True
    ):
        if alpha > SMALLEST_ALPHA:
            weights = np.concatenate([[bias], norm * template.flatten("F")])
            potential += 2.0 * alpha * logistic(patches @ weights)
    response = (covariance(expert, components, window) @ potential.reshape(-1)).reshape(window, window)
    return response - min(float(response.min()), 0.0)
