"""CCNF patch experts (binary files, although OpenFace calls them `ccnf_patches_*.txt`)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .binary import BinaryReader
from .views import PatchFile, read_head

_EXPERT_TAG = 5
_NEURON_TAG = 2
_EXPERT_BYTES = 20  # tag, width, height, 0, and the extra integer of an empty expert
_NEURON_BYTES = 44  # tag, kind, three doubles, matrix header
_LARGEST_WINDOW = 1000  # px; OpenFace's own go to 15. Bounds what a file without components can claim.


@dataclass(frozen=True, eq=False)
class CCNFExpert:
    """One landmark's continuous conditional neural field in one view.

    Attributes
    ----------
    width, height : int
        Support area in px.
    kinds : ndarray, shape (k,), int32
        Input of each neuron (0: grey values).
    norm_weights, biases, alphas : ndarray, shape (k,), float64
        Gain of each neuron's template, its bias, and its weight in the sum.
    weights : ndarray, shape (k, height, width), float32
        Templates as stored (not transposed).
    betas : ndarray, shape (b,), float64
        Weight of each sigma component.
    confidence : float
        Reliability of this expert in the fit.
    """

    width: int
    height: int
    kinds: npt.NDArray[np.int32]
    norm_weights: npt.NDArray[np.float64]
    biases: npt.NDArray[np.float64]
    alphas: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float32]
    betas: npt.NDArray[np.float64]
    confidence: float


@dataclass(frozen=True, eq=False)
class CCNFFile(PatchFile):
    """All CCNF experts of one scale; scale, centres and visibility are those of `PatchFile`.

    Attributes
    ----------
    sigma_components : dict of int to ndarray, shape (c, w * w, w * w), float32
        Components of the inverse covariance by response window size w.
    experts : tuple of tuple of CCNFExpert or None
        By view, then landmark; None where the file holds an empty expert.
    """

    sigma_components: Mapping[int, npt.NDArray[np.float32]]
    experts: tuple[tuple[CCNFExpert | None, ...], ...]


def read_ccnf(path: str | os.PathLike[str]) -> CCNFFile:
    """Read the CCNF experts of one scale.

    Parameters
    ----------
    path : path-like
        File in OpenFace's binary CCNF format.

    Returns
    -------
    CCNFFile

    Raises
    ------
    MissingModelError, ModelFileError
        No such file; or it is truncated or malformed.
    """
    reader = BinaryReader(path)
    head = read_head(reader)
    n_views, n_landmarks = head.visibility.shape
    sigma_components = _read_sigma_components(reader)
    # The file has as many betas as the first window has components.
    n_betas = len(next(iter(sigma_components.values()), ()))
    experts = tuple(tuple(_read_expert(reader, n_betas) for _ in range(n_landmarks)) for _ in range(n_views))
    reader.expect_end()
    return CCNFFile(head.scale, head.centres, head.visibility, sigma_components, experts)


def _read_sigma_components(reader: BinaryReader) -> dict[int, npt.NDArray[np.float32]]:
    components: dict[int, npt.NDArray[np.float32]] = {}
    for _ in range(reader.count("response windows", 8)):
        start = reader.offset
        window = reader.i32("the size of a response window")
        n_components = reader.count("sigma components", 12)
        area = window * window
        # Checked as one block before the stack is allocated; each matrix checks itself as well.
        in_range = 1 <= window <= _LARGEST_WINDOW and window not in components
        if not in_range or n_components * (12 + 2 * area * area) > reader.remaining:
            raise reader.error(f"response window {window} with {n_components} sigma components", start)
        stack = [
            reader.matrix(np.float32, area, area, f"a sigma component of window {window}")
            for _ in range(n_components)
        ]
        components[window] = np.stack(stack) if stack else np.empty((0, area, area), np.float32)
    return components


def _read_expert(reader: BinaryReader, n_betas: int) -> CCNFExpert | None:
    reader.tag(_EXPERT_TAG, "a CCNF expert")
    start = reader.offset
    width, height = reader.i32("an expert's width"), reader.i32("an expert's height")
    n_neurons = reader.count("neurons", _NEURON_BYTES)
    if n_neurons == 0:
        reader.i32("the end of an empty expert")
        return None
    if width < 1 or height < 1:
        raise reader.error(f"an expert's support area is {width} x {height}", start)
    kinds = np.empty(n_neurons, np.int32)
    scalars = np.empty((n_neurons, 3), np.float64)
    templates = []
    for neuron in range(n_neurons):
        reader.tag(_NEURON_TAG, "a CCNF neuron")
        kinds[neuron] = reader.i32("a neuron's kind")
        scalars[neuron] = reader.f64s(3, "a neuron's norm, bias and alpha")
        templates.append(reader.matrix(np.float32, height, width, "a neuron's template"))
    betas = reader.f64s(n_betas, "an expert's betas")
    confidence = reader.f64("an expert's confidence")
    norm_weights, biases, alphas = np.ascontiguousarray(scalars.T)
    return CCNFExpert(
        width, height, kinds, norm_weights, biases, alphas, np.stack(templates), betas, confidence
    )
