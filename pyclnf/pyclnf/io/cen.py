"""CEN patch experts (`cen_patches_*_of.dat`): small dense networks, one per landmark and view."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .binary import BinaryReader, BinaryWriter
from .views import PatchFile, read_head, write_centres

_EXPERT_TAG = 6
_LAYER_BYTES = 28  # activation and two matrix headers


@dataclass(frozen=True, eq=False)
class DenseLayer:
    """One fully connected layer: activation(weight @ x + bias).

    Attributes
    ----------
    activation : int
        0 sigmoid, 2 ReLU, anything else none.
    bias : ndarray, shape (out,), float32
    weight : ndarray, shape (out, in), float32
        A read-only view on the mapped file where it is stored as float32.
    """

    activation: int
    bias: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CENExpert:
    """One landmark's network in one view.

    Attributes
    ----------
    width, height : int
        Support area in px; the input is a constant 1 and the patch in column-major order.
    layers : tuple of DenseLayer
        Empty where the landmark is invisible or its expert is the mirror image of another one.
    confidence : float
        Reliability of this expert in the fit (empty experts have one, too).
    """

    width: int
    height: int
    layers: tuple[DenseLayer, ...]
    confidence: float


@dataclass(frozen=True, eq=False)
class CENFile(PatchFile):
    """All CEN experts of one scale; scale, centres and visibility are those of `PatchFile`.

    Attributes
    ----------
    mirror_landmarks : ndarray, shape (n,), int32
        The landmark that each landmark becomes in a mirrored face.
    mirror_views : ndarray, shape (v,), int32
        The view that each view becomes in a mirrored face.
    experts : tuple of tuple of CENExpert
        By view, then landmark.
    """

    mirror_landmarks: npt.NDArray[np.int32]
    mirror_views: npt.NDArray[np.int32]
    experts: tuple[tuple[CENExpert, ...], ...]


def read_cen(path: str | os.PathLike[str]) -> CENFile:
    """Read the CEN experts of one scale; weights stay views on the memory-mapped file.

    Parameters
    ----------
    path : path-like
        File in OpenFace's binary CEN format, or in its float16 variant (see `write_cen`).

    Returns
    -------
    CENFile

    Raises
    ------
    MissingModelError, ModelFileError
        No such file; or it is truncated or malformed.
    """
    reader = BinaryReader(path)
    head = read_head(reader)
    n_views, n_landmarks = head.visibility.shape
    mirror_landmarks = reader.vector(np.int32, n_landmarks, "the mirror landmarks")
    mirror_views = reader.vector(np.int32, n_views, "the mirror views")
    experts = tuple(tuple(_read_expert(reader) for _ in range(n_landmarks)) for _ in range(n_views))
    reader.expect_end()
    model = CENFile(head.scale, head.centres, head.visibility, mirror_landmarks, mirror_views, experts)
    _check_mirrors(reader, model)
    return model


def _read_expert(reader: BinaryReader) -> CENExpert:
    reader.tag(_EXPERT_TAG, "a CEN expert")
    start = reader.offset
    width, height = reader.i32("an expert's width"), reader.i32("an expert's height")
    n_layers = reader.count("layers", _LAYER_BYTES)
    layers: list[DenseLayer] = []
    for _ in range(n_layers):
        activation = reader.i32("a layer's activation")
        bias = reader.vector(np.float32, None, "a layer's bias")
        inputs = len(layers[-1].bias) if layers else width * height + 1
        # Of 430 MB only the pages that are used are read; a fit with weights that are not finite fails.
        weight = reader.matrix(np.float32, bias.size, inputs, "a layer's weights", finite=False)
        layers.append(DenseLayer(activation, bias, weight))
    if layers and layers[-1].bias.size != 1:
        raise reader.error(f"an expert ends in {layers[-1].bias.size} outputs, expected 1", start)
    return CENExpert(width, height, tuple(layers), reader.f64("an expert's confidence"))


def _check_mirrors(reader: BinaryReader, model: CENFile) -> None:
    """Every visible landmark needs a network of its own or its mirror twin's."""
    n_views, n_landmarks = model.visibility.shape
    for view, landmark in zip(*np.nonzero(model.visibility), strict=True):
        if model.experts[view][landmark].layers:
            continue
        twin_view, twin = int(model.mirror_views[view]), int(model.mirror_landmarks[landmark])
        known = 0 <= twin_view < n_views and 0 <= twin < n_landmarks
        if not known or not model.experts[twin_view][twin].layers:
            raise reader.error(
                f"landmark {landmark} is visible in view {view} but neither it nor its mirror image "
                f"(landmark {twin} of view {twin_view}) has an expert"
            )


def write_cen(path: str | os.PathLike[str], model: CENFile, compact: bool = False) -> None:
    """Write the experts of one scale in OpenFace's CEN format.

    Parameters
    ----------
    path : path-like
        Destination, replaced atomically.
    model : CENFile
        What to write.
    compact : bool
        Store weights as float16 (matrix type 7): half the size, readable by `read_cen` but not by
        OpenFace's C++. Biases stay float32.

    Raises
    ------
    ValueError
        A weight does not fit into float16.
    """
    weight_dtype = np.float16 if compact else np.float32
    with BinaryWriter(path) as writer:
        writer.f64(model.scale)
        writer.i32(len(model.centres))
        write_centres(writer, model.centres)
        for row in model.visibility:
            writer.matrix(row.reshape(-1, 1), np.int32)
        writer.matrix(model.mirror_landmarks.reshape(-1, 1), np.int32)
        writer.matrix(model.mirror_views.reshape(-1, 1), np.int32)
        for expert in (expert for view in model.experts for expert in view):
            writer.i32(_EXPERT_TAG, expert.width, expert.height, len(expert.layers))
            for layer in expert.layers:
                if compact and np.abs(layer.weight).max(initial=0) > np.finfo(np.float16).max:
                    raise ValueError(
                        f"{path}: a weight is too large for float16; write it with compact=False"
                    )
                writer.i32(layer.activation)
                writer.matrix(layer.bias.reshape(1, -1), np.float32)
                writer.matrix(layer.weight, weight_dtype)
            writer.f64(expert.confidence)
