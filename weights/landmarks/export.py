"""Trained networks to OpenFace's files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyclnf.io import CENExpert, CENFile, DenseLayer, PDMFile, write_pdm

from .cen import Networks
from .data import MIRROR_68
from .patches import SCALES, VIEW_YAW_DEGREES, frontal_experts
from .pdm import ShapeModel
from .sampling import SUPPORT

RELU, SIGMOID = 2, 0
# Factor on the last layer's logits at each scale.  A trained response is a probability: wide and low where the
# evidence is weak, and the mean shift of a wide map hardly moves.  A power of it (what the factor amounts to) has
# its peak in the same place; chosen on the validation people, with less at the
# two scales that tracking uses: there sharp maps cost steadiness.
RESPONSE_GAIN = (2.0, 1.0, 1.5, 6.0)
EMPTY = CENExpert(SUPPORT, SUPPORT, (), 0.0)


def _expert(networks: Networks, index: int, confidence: float, gain: float) -> CENExpert:
    layers = []
    depth = len(networks.weights)
    for k in range(depth):
        weight = networks.weights[k][index]
        if k == 0:  # input element 0 is the constant 1; the bias is a Mat of its own
            weight = np.concatenate([np.zeros((len(weight), 1), dtype=np.float32), weight], axis=1)
        factor = np.float32(gain if k == depth - 1 else 1.0)
        activation = RELU if k < depth - 1 else SIGMOID
        layers.append(DenseLayer(activation, factor * networks.biases[k][index], factor * weight))
    return CENExpert(SUPPORT, SUPPORT, tuple(layers), confidence)


def cen_file(
    scale_index: int, frontal: Networks, side: Networks, confidences: Sequence[NDArray[np.float64]]
) -> CENFile:
    """Assemble the experts of one scale; ``confidences`` holds the validation correlations of both views."""
    own = {int(landmark): k for k, landmark in enumerate(frontal_experts())}
    gain = RESPONSE_GAIN[scale_index]
    view0 = tuple(
        _expert(frontal, own[i], float(confidences[0][own[i]]), gain) if i in own else EMPTY
        for i in range(68)
    )
    view1 = tuple(_expert(side, i, float(confidences[1][i]), gain) for i in range(68))
    centres = np.zeros((3, 3))
    centres[:, 1] = np.radians(VIEW_YAW_DEGREES)
    return CENFile(
        scale=SCALES[scale_index],
        centres=centres,
        visibility=np.ones((3, 68), dtype=bool),
        mirror_landmarks=MIRROR_68,
        mirror_views=np.array([0, 2, 1], dtype=np.int32),
        experts=(view0, view1, (EMPTY,) * 68),
    )


def export_pdm(model: ShapeModel, path: Path) -> None:
    """Write the PDM in OpenFace's text format."""
    write_pdm(
        path,
        PDMFile(
            model.mean.T.reshape(-1).astype(np.float32),
            model.basis.astype(np.float32),
            model.eigenvalues.astype(np.float32),
        ),
    )
