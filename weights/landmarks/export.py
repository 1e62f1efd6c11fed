"""Trained networks to OpenFace's files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyclnf.io import CENExpert, CENFile, DenseLayer, PDMFile, read_cen, write_pdm

from .cen import Networks
from .data import MIRROR_68
from .patches import SCALES, VIEW_YAW_DEGREES, experts_of, frontal_experts
from .pdm import ShapeModel
from .sampling import SUPPORT
from .warp import view_warps

RELU, SIGMOID = 2, 0
# Factor on the last layer's logits at each scale.  A trained response is a probability: wide and low where the
# evidence is weak, and the mean shift of a wide map hardly moves.  A power of it (what the factor amounts to) has
# its peak in the same place; chosen on the validation people, with less at the
# two scales that tracking uses: there sharp maps cost steadiness.
RESPONSE_GAIN = (2.0, 1.0, 1.5, 12.0)
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


def read_networks(path: Path, scale_index: int, work: Path) -> None:
    """Take the trained networks of both views out of a pack's file.

    Keeps them in ``work`` as ``net_K_V.npz``, and what they scored on validation people as ``confidence_K_V.npy``.
    """
    file = read_cen(path)
    for view in (0, 1):
        experts = [file.experts[view][int(k)] for k in experts_of(view)]
        layers = [expert.layers for expert in experts]
        np.save(work / f"confidence_{scale_index}_{view}.npy", [expert.confidence for expert in experts])
        depth = len(layers[0])
        biases = [
            np.stack([np.float32(expert[k].bias).reshape(-1) for expert in layers]) for k in range(depth)
        ]
        weights = [np.stack([np.float32(expert[k].weight) for expert in layers]) for k in range(depth)]
        gain = RESPONSE_GAIN[scale_index]
        biases[-1], weights[-1] = biases[-1] / gain, weights[-1] / gain
        weights[0] = weights[0][:, :, 1:]
        Networks(
            tuple(np.float32(b) for b in biases), tuple(np.ascontiguousarray(w, np.float32) for w in weights)
        ).save(work / f"net_{scale_index}_{view}.npz")


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


def export_triangulations(model: ShapeModel, path: Path) -> None:
    """Write our Delaunay triangulations: of each view (for drawing) and, as ``*_full``, of the frontal shape."""
    frontal, side, mirrored = (np.sort(w.triangles, axis=1) for w in view_warps(model))
    blocks = [
        f"{len(t)} 3 4\n" + "\n".join(" ".join(map(str, row)) for row in t) + "\n"
        for t in (frontal, side, mirrored)
    ]
    header = "# Delaunay triangulations of the mean shape, one for each view\n3\n"
    path.write_text(header + "".join(f"# view {k}\n{block}" for k, block in enumerate(blocks)))
    path.with_name(path.stem.replace("tris_68", "tris_68_full") + path.suffix).write_text(blocks[0])
