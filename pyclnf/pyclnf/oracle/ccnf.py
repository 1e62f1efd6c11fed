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
    templates = expert.norm_weights[:, None] * expert.weights.transpose(0, 2, 1).reshape(
        len(expert.alphas), -1
    )
    alpha2 = np.where(expert.alphas > SMALLEST_ALPHA, 2.0 * expert.alphas, 0.0)
    potentials = potential(area, templates, expert.biases, alpha2)
    window = potentials.shape[0]
    return response_of(potentials, covariance(expert, components, window))


def potential(
    area: npt.NDArray[np.float32],
    templates: npt.NDArray[np.floating],
    biases: npt.NDArray[np.floating],
    alpha2: npt.NDArray[np.floating],
) -> npt.NDArray[np.float64]:
    """Sum of the neurons, ``2 alpha`` times a logistic score each, at every position: (w, w).

    Parameters
    ----------
    area : ndarray, shape (w + 10, w + 10), float32
    templates : ndarray, shape (neurons, 121)
        By columns.
    biases, alpha2 : ndarray, shape (neurons,)
        `alpha2` is twice alpha, 0 for neurons that do not count.
    """
    patches = normalised_patches(area)[:, :, 1:]
    return np.asarray(logistic(patches @ templates.T.astype(np.float64) + biases) @ alpha2)


def response_of(
    potentials: npt.NDArray[np.float64], covariance: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Map of a field: its covariance times the potentials, shifted up to a minimum of 0 if it has negative values."""
    response = (covariance @ potentials.reshape(-1)).reshape(potentials.shape)
    return np.asarray(response - min(float(response.min()), 0.0))
