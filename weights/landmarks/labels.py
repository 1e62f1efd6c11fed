"""Training labels: MediaPipe's points for nose base, eyes and mouth; elsewhere the automatic labels and a map.

Points 31 to 67 are named points of MediaPipe's mesh with constants for what they are defined differently by,
measured on
points placed by hand.  For jaw, brows and the ridge of the nose the mesh has no counterpart: there the automatic
labels (which sit to the right and low by an amount that grows with face size; that is undone) are fused with a
symmetric
linear map from the mesh to the 68 points, learnt on the crops.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .data import MIRROR_68, MP_OUTER_EYES

Array = NDArray[np.float64]
# (iBUG, MediaPipe) points that mean the same spot: eye corners and mouth corners.
ANCHORS = ((36, 33), (39, 133), (42, 362), (45, 263), (48, 61), (54, 291))
JAW = slice(0, 17)
# 68-point index -> point of the mesh, and what the definition differs by (x, y along and across the line of the eyes,
# in the frame of `normalise`).  Measured on the calm faces of 36 people of the London set at outer-eye
# distances of 47 to 141 px, left
# and right averaged; points on lids and lips only towards the hand-placed curve.  The sides of the nose base have no
# hand-placed counterpart: their place along it is that of the automatic labels, its height that of point 33.
# Mirror partners follow from the symmetry.
MESH: dict[int, tuple[int, float, float]] = {
    31: (99, -0.0440, -0.0369), 32: (97, 0.0078, -0.0312), 33: (2, 0.0000, -0.0188), 36: (33, -0.0053, -0.0046),
    37: (160, -0.0017, -0.0042), 38: (158, 0.0015, -0.0042), 39: (133, -0.0067, -0.0046), 40: (153, -0.0015, -0.0072),
    41: (144, 0.0011, -0.0057), 48: (61, -0.0044, -0.0008), 49: (40, 0.0001, 0.0000), 50: (37, 0.0005, -0.0027),
    51: (0, 0.0000, -0.0018), 55: (405, 0.0009, 0.0023), 56: (314, 0.0002, 0.0013), 57: (17, 0.0000, 0.0017),
    60: (78, -0.0044, -0.0008), 61: (82, 0.0008, -0.0045), 62: (13, 0.0000, -0.0010), 65: (317, -0.0010, -0.0072),
    66: (14, 0.0000, -0.0032),
}  # fmt: skip
RIDGE = 3.0
N_COMPONENTS = 60


NAMED = slice(31, 68)


def _mesh_table() -> tuple[NDArray[np.int64], Array]:
    """Mesh points (37,) and offsets (37, 2) of points 31 to 67, mirror partners filled in."""
    # points of the mesh whose mirror partner is not in the table by itself
    partner = {99: 328, 97: 326, 33: 263, 160: 387, 158: 385, 133: 362, 153: 380, 144: 373, 61: 291, 40: 270, 37: 267,
               314: 84, 405: 181, 78: 308, 82: 312, 317: 87}  # fmt: skip
    points, offsets = np.empty(68, np.int64), np.empty((68, 2))
    for k, (point, x, y) in MESH.items():
        other = int(MIRROR_68[k])
        points[other], offsets[other] = partner.get(point, point), (-x, y)
        points[k], offsets[k] = point, (x, y)
    return points[NAMED], offsets[NAMED]


_MESH_POINTS, _MESH_OFFSETS = _mesh_table()


@dataclass(frozen=True)
class LabelBias:
    """Shift of the labels in px: ``constant + slope * outer-eye distance`` for x and y."""

    constant: Array
    slope: Array

    def shift(self, eye_distance: Array) -> Array:
        """Return the shift (n, 2) for outer-eye distances (n,) in px."""
        return self.constant + eye_distance[:, None] * self.slope


@dataclass(frozen=True)
class PointMap:
    """Linear map from roll-normalised MediaPipe shapes to the 68 points."""

    mean_in: Array
    components: Array
    weights: Array
    mean_out: Array

    def __call__(self, mediapipe: Array) -> Array:
        """Map MediaPipe points (n, 478, 3) in px to the 68 points (n, 68, 2) in px; 31 to 67 are `named_points`."""
        features, centre, axes = normalise(mediapipe)
        coded = (features - self.mean_in) @ self.components
        out = (coded @ self.weights + self.mean_out).reshape(len(mediapipe), 68, 2)
        mapped = np.asarray(np.einsum("nij,nkj->nki", axes, out) + centre[:, None], dtype=np.float64)
        mapped[:, NAMED] = named_points(mediapipe)
        return mapped


def eye_distance(mediapipe: Array) -> Array:
    """Outer-eye distance (n,) in px."""
    left, right = MP_OUTER_EYES
    return np.asarray(np.linalg.norm(mediapipe[:, right, :2] - mediapipe[:, left, :2], axis=1))


def normalise(mediapipe: Array) -> tuple[Array, Array, Array]:
    """Centre, derotate and scale the mesh.

    Returns features (n, 1434), centres (n, 2) and frames (n, 2, 2) with ``xy = frame @ uv + centre``.

    Size comes from 3D lengths between eyes and mouth, since the eye distance in the image shrinks with yaw.
    """
    corners = [pair[1] for pair in ANCHORS]
    centre = mediapipe[:, corners, :2].mean(axis=1)
    eyes = mediapipe[:, corners[:4], :].mean(axis=1)
    mouth = mediapipe[:, corners[4:], :].mean(axis=1)
    down = mouth - eyes
    across = mediapipe[:, 263] - mediapipe[:, 33]
    # size from 3D lengths, so that neither yaw nor pitch changes it much
    size = 0.5 * (np.linalg.norm(across, axis=1) + 1.3 * np.linalg.norm(down, axis=1))
    angle = np.arctan2(across[:, 1], across[:, 0])
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    xy = np.einsum("nji,nkj->nki", rotation, mediapipe[..., :2] - centre[:, None]) / size[:, None, None]
    z = (mediapipe[..., 2:] - mediapipe[:, corners, 2:].mean(axis=1, keepdims=True)) / size[:, None, None]
    features = np.concatenate([xy, z], axis=2).reshape(len(mediapipe), -1)
    return features, centre, rotation * size[:, None, None]


def named_points(mediapipe: Array) -> Array:
    """Points 31 to 67 (n, 37, 2), px, of MediaPipe's mesh (n, 478, 3), by the point's name."""
    _, _, axes = normalise(mediapipe)
    offsets = np.einsum("nij,kj->nki", axes, _MESH_OFFSETS)
    return np.asarray(mediapipe[:, _MESH_POINTS, :2] + offsets, dtype=np.float64)


def estimate_bias(landmarks: Array, mediapipe: Array) -> LabelBias:
    """Estimate the labels' shift from points that both label sources define alike (robust line fit)."""
    size = eye_distance(mediapipe)
    residual = np.stack([landmarks[:, i] - mediapipe[:, j, :2] for i, j in ANCHORS], axis=1)
    # left and right partners cancel what is anatomical in x
    mean = residual.mean(axis=1)
    design = np.stack([np.ones_like(size), size], axis=1)
    weight = np.ones_like(mean)
    for _ in range(20):
        coefficients = np.stack(
            [
                np.linalg.lstsq(design * weight[:, [k]], mean[:, k] * weight[:, k], rcond=None)[0]
                for k in (0, 1)
            ],
            axis=1,
        )
        error = np.abs(mean - design @ coefficients) / size[:, None]
        weight = np.sqrt(1.0 / np.maximum(error, 0.01)) / np.sqrt(size)[:, None]
    return LabelBias(constant=coefficients[0], slope=coefficients[1])


def mirror_mediapipe_indices(mediapipe: Array) -> NDArray[np.int64]:
    """Find the mirror partner of each MediaPipe point from the mean shape of the data itself."""
    features, _, _ = normalise(mediapipe)
    mean = np.median(features, axis=0).reshape(-1, 3)
    flipped = mean * np.array([-1.0, 1.0, 1.0])
    distance = np.linalg.norm(mean[:, None] - flipped[None], axis=2)
    partner = distance.argmin(axis=1)
    consistent = partner[partner] == np.arange(len(partner))
    partner[~consistent] = -1
    return np.asarray(partner, dtype=np.int64)


def fit_point_map(landmarks: Array, mediapipe: Array) -> PointMap:
    """Fit the map on bias-free labels (n, 68, 2); each crop also counts mirrored."""
    partner = mirror_mediapipe_indices(mediapipe)
    keep = partner >= 0
    features, centre, frame = normalise(mediapipe)
    target = np.einsum("nij,nkj->nki", np.linalg.inv(frame), landmarks - centre[:, None])
    cube = features.reshape(len(features), -1, 3)
    flip3, flip2 = np.array([-1.0, 1.0, 1.0]), np.array([-1.0, 1.0])
    mirrored = cube[:, np.where(keep, partner, 0)] * flip3
    cube, mirrored = cube * keep[:, None], mirrored * keep[:, None]
    both_in = np.concatenate([cube, mirrored]).reshape(2 * len(cube), -1)
    both_out = np.concatenate([target, target[:, MIRROR_68] * flip2]).reshape(2 * len(cube), -1)
    mean_in, mean_out = both_in.mean(axis=0), both_out.mean(axis=0)
    centred = both_in - mean_in
    _, vectors = np.linalg.eigh(centred.T @ centred)
    components = vectors[:, ::-1][:, :N_COMPONENTS]
    coded, wanted = centred @ components, both_out - mean_out
    weight = np.ones(len(coded))
    for _ in range(6):  # iteratively reweighted: gross label errors lose their say
        gram = (coded * weight[:, None]).T @ coded
        gram += RIDGE * 1e-3 * np.eye(len(gram))
        weights = np.linalg.solve(gram, (coded * weight[:, None]).T @ wanted)
        error = np.sqrt(((wanted - coded @ weights) ** 2).mean(axis=1))
        weight = 1.0 / (1.0 + (error / np.median(error)) ** 4)
    return PointMap(mean_in, components, weights, mean_out)


def fuse(
    labels: Array, mapped: Array, size: Array, jaw_weight: float, face_weight: float
) -> tuple[Array, Array]:
    """Weighted mean of bias-free labels and mapped points, and the mean disagreement (n,) in eye distances."""
    weight = np.full(68, face_weight)
    weight[JAW] = jaw_weight
    weight[NAMED] = 1.0
    disagreement = np.linalg.norm(labels - mapped, axis=2) / size[:, None]
    return labels + weight[:, None] * (mapped - labels), disagreement.mean(axis=1)
