"""Regularised landmark mean shift: from the response maps of one scale to better parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .patch_experts import MAP_PITCH
from .pdm import PDM

Float32Array = npt.NDArray[np.float32]

GRID = 0.1  # px between the kernel's nodes. OpenFace 2.2: LandmarkDetectorModel.cpp, NonRigidMeanShift_precalc_kde


@lru_cache(maxsize=64)
def kernel_table(window: int, sigma: float) -> npt.NDArray[np.float32]:
    """One axis of the Gaussian kernel on the 0.1 px grid.

    The 2D kernel is the product of two rows of this table, so a map of side `window` needs only ``10 window`` rows.

    Parameters
    ----------
    window : int
        Side of the response map.
    sigma : float
        Standard deviation in px.

    Returns
    -------
    ndarray, shape (10 * window, 16), float32, read-only
        ``exp(-0.5 (0.1 i - j)**2 / sigma**2)`` in row i, column j < window; 0 in the other columns.
    """
    a = np.float32(-0.5 / (sigma * sigma))
    nodes = GRID * np.arange(10 * window)
    table = np.zeros((10 * window, MAP_PITCH), np.float32)
    table[:, :window] = np.exp(a * (nodes[:, None] - np.arange(window)) ** 2)
    table.flags.writeable = False
    return table


@dataclass(frozen=True, eq=False)
class Responses:
    """What the patch experts of one scale say about the surroundings of a shape.

    Attributes
    ----------
    maps : ndarray, shape (n, window, 16), float32
        See :meth:`PatchExperts.responses <pyclnf.core.patch_experts.base.PatchExperts.responses>`.
    visible : ndarray, shape (n,), uint8
        1 where a landmark has a map.
    weights : ndarray, shape (n,), float32, or None
        Of the landmarks; None for equal ones.
    base : ndarray, shape (2n,), float32
        Landmarks on which the maps are centred: all x, then all y, px.
    to_reference, to_image : ndarray, shape (2, 2), float32
        Similarities between the image and the frame of the maps; see :meth:`~pyclnf.PDM.reference_frame`.
    """

    maps: Float32Array
    visible: npt.NDArray[np.uint8]
    weights: Float32Array | None
    base: Float32Array
    to_reference: Float32Array
    to_image: Float32Array


class MeanShift:
    """Non-uniform regularised landmark mean shift (NU-RLMS) with given settings.

    Parameters
    ----------
    pdm : PDM
    sigma : float
        Width of the kernel density estimate, in px of the maps.
    regularisation : float
        Weight of the shape prior.
    iterations : int
        At most; the fit stops when the shape moves less than 0.01 px in all.

    References
    ----------
    Baltrusaitis, Robinson, Morency: Constrained Local Neural Fields for Robust Facial Landmark Detection in the Wild.
    ICCVW 2013.
    OpenFace 2.2, ``LandmarkDetectorModel.cpp``, ``NU_RLMS``. In plain NumPy: :func:`pyclnf.oracle.nu_rlms`.
    """

    def __init__(self, pdm: PDM, *, sigma: float, regularisation: float, iterations: int) -> None:
        self.pdm = pdm
        self.sigma = sigma
        self.regularisation = regularisation
        self.iterations = iterations

    def __call__(
        self,
        responses: Responses,
        params_global: Float32Array,
        params_local: Float32Array,
        *,
        rigid: bool,
        likelihoods: Float32Array | None = None,
    ) -> float:
        """Move the parameters, in place, so that the landmarks climb their maps.

        Parameters
        ----------
        responses : Responses
        params_global : ndarray, shape (6,), float32
        params_local : ndarray, shape (m,), float32
        rigid : bool
            Leave the shape as it is.
        likelihoods : ndarray, shape (n,), float32, optional
            Receives the likelihood of each landmark, -1e8 where it is not visible.

        Returns
        -------
        float
            Mean log likelihood if `likelihoods` is given, else 0.
        """
        r = responses
        return self.pdm.compiled.rlms(
            r.maps, r.visible, r.weights, r.base, kernel_table(r.maps.shape[1], self.sigma), r.to_reference, r.to_image,
            params_global, params_local, rigid, self.iterations, self.regularisation, self.sigma, likelihoods,
        )  # fmt: skip
