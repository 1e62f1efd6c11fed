"""Continuous conditional neural field (CCNF) patch experts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ..._kernels import kernels
from ...io import CCNFExpert, CCNFFile
from .base import SUPPORT, Fill, Float32Array, PatchExperts, check_support, check_window

# Neurons with a smaller alpha are skipped. OpenFace 2.2: CCNF_patch_expert.cpp
SMALLEST_ALPHA = 1e-4


class CCNFExperts(PatchExperts):
    """The CCNF experts of one scale.

    Parameters
    ----------
    data : CCNFFile
    sigma_components : mapping of window to ndarray, optional
        Overrides those of the file. OpenFace keeps one set for all scales of a model: that of the last file read.

    Raises
    ------
    ValueError
        An expert has another area than the compiled banks know, or alphas that give no covariance.

    References
    ----------
    Baltrusaitis, Robinson, Morency: Continuous Conditional Neural Fields for Structured Regression. ECCV 2014.
    """

    def __init__(self, data: CCNFFile, sigma_components: Mapping[int, Float32Array] | None = None) -> None:
        confidence = [[0.0 if e is None else e.confidence for e in view] for view in data.experts]
        super().__init__(data, confidence)
        self.sigma_components = data.sigma_components if sigma_components is None else sigma_components
        for view, experts in enumerate(data.experts):
            for landmark, expert in enumerate(experts):
                if expert is not None:
                    check_support(expert.width, expert.height, view, landmark)
                    if not expert.alphas.sum() > 0:
                        raise ValueError(
                            f"the alphas of landmark {landmark} in view {view} have no positive sum"
                        )
        self._experts = data.experts

    def _bank(self, view: int) -> Fill:
        seen = [
            (i, e) for i, e in enumerate(self._experts[view]) if e is not None and self.visibility[view, i]
        ]
        experts = [e for _, e in seen]
        neurons = max((len(e.alphas) for e in experts), default=0)
        weights = np.zeros((len(seen), neurons, SUPPORT * SUPPORT), np.float32)
        bias = np.zeros((len(seen), neurons), np.float32)
        alpha2 = np.zeros((len(seen), neurons), np.float32)
        for k, e in enumerate(experts):
            m = len(e.alphas)
            # The patch is flattened by columns.
            templates = e.weights.transpose(0, 2, 1).reshape(m, -1)
            weights[k, :m] = e.norm_weights[:, None].astype(np.float32) * templates
            bias[k, :m] = e.biases
            alpha2[k, :m] = np.where(e.alphas > SMALLEST_ALPHA, 2.0 * e.alphas, 0.0)
        sums = weights.sum(axis=2, dtype=np.float64).astype(np.float32)
        landmarks = np.array([i for i, _ in seen], np.int32)
        compiled = kernels.CcnfBank(landmarks, weights, bias, sums, alpha2, self.visibility.shape[1])
        return _Fields(compiled, experts, self.sigma_components).fill


class _Fields:
    """The experts of one view with the covariances of their fields, which depend on the window."""

    def __init__(
        self,
        compiled: kernels.CcnfBank,
        experts: list[CCNFExpert],
        sigma_components: Mapping[int, Float32Array],
    ) -> None:
        self._compiled = compiled
        self._experts = experts
        self._components = sigma_components
        self._sigmas: dict[int, Float32Array] = {}

    def fill(
        self,
        grey: npt.NDArray[np.uint8],
        shape: Float32Array,
        a: float,
        b: float,
        window: int,
        out: Float32Array,
        threads: int,
    ) -> None:
        """Fill the maps; see `Fill`."""
        check_window(window)  # before a covariance of window**4 values is made
        sigmas = self._sigmas.get(window)
        if sigmas is None:
            made = sigma_matrices(self._experts, self._components.get(window), window, threads)
            sigmas = self._sigmas.setdefault(window, made)
        self._compiled.responses(grey, shape, a, b, window, sigmas, out, threads)


def sigma_matrices(
    experts: list[CCNFExpert], components: Float32Array | None, window: int, threads: int = 1
) -> Float32Array:
    """Covariances of the field, one per expert.

    Parameters
    ----------
    experts : list of CCNFExpert
    components : ndarray, shape (b, window**2, window**2), or None
        Neighbourhood matrices weighted by the betas; None where the model has none for this window.
    window : int
    threads : int

    Returns
    -------
    ndarray, shape (experts, window**2, window**2) or (experts,), float32
        ``inv(2 (sum(alpha) I + sum_b beta_b C_b))``; without components a multiple of the identity, of which only the
        multiple is returned.
    """
    alphas = np.array([e.alphas.sum() for e in experts])
    n_betas = min((len(e.betas) for e in experts), default=0)
    if components is None or not n_betas:
        return (1.0 / (2.0 * alphas)).astype(np.float32)
    betas = np.array([e.betas[: len(components)] for e in experts])
    used = np.ascontiguousarray(components[: betas.shape[1]])
    out: Float32Array = kernels.ccnf_covariances(alphas, betas, used, threads)
    return out
