"""Detection validator: a small CNN that grades how well landmarks sit on a face, in OpenFace's format."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pyclnf.io import ConvLayer, FullyConnected, MaxPool, PieceWiseWarp, ReLU, ValidatorFile, ValidatorView
from pyclnf.oracle import euler_to_matrix

from .fitting import HYPOTHESES, Fitter
from .patches import VIEW_YAW_DEGREES
from .pdm import ShapeModel
from .sampling import FittedFaces, photometric, resized_points
from .warp import CROP, standardised, warp_face

Array = NDArray[np.float64]
LOG = logging.getLogger(__name__)
BINS = 20
# mean landmark error, in outer-eye distances, at which the last bin begins; success is bin <= 4, so error < 0.1
WORST_ERROR = 0.4
CHANNELS = (8, 16, 20)
HIDDEN = 32
BATCH = 256
COARSE_WINDOWS = (11, 9, 0, 0)  # two scales show every way of failing, at half the cost
LEARNING_RATE = 2e-3


@dataclass(frozen=True)
class GradedShapes:
    """Landmarks on images with their error: image index (n,), points (n, 68, 2), error (n,), yaw (n,)."""

    image: NDArray[np.int64]
    points: Array
    error: Array
    yaw: Array


def bin_of(error: Array) -> NDArray[np.int64]:
    """Bin 0..19 of an error; bins 0..4 mean success."""
    return np.clip(np.floor(error / WORST_ERROR * BINS), 0, BINS - 1).astype(np.int64)


def _shape(model: ShapeModel, pose: Array, local: Array) -> Array:
    shape = model.shapes(local[None])[0]
    return np.asarray(pose[0] * shape @ euler_to_matrix(pose[1:4])[:2].T + pose[4:6])


def synthetic_shapes(
    model: ShapeModel, faces: FittedFaces, shapes: Sequence[tuple[int, int]], per_face: int, seed: int
) -> GradedShapes:
    """Disturbed true shapes on every face, from nearly right to far off, and plausible faces in wrong places."""
    rng = np.random.default_rng(seed)
    image, points, error, yaw = [], [], [], []
    root = np.sqrt(model.eigenvalues)
    for index, truth in enumerate(faces.points):
        size = np.linalg.norm(truth[45] - truth[36])
        for _ in range(per_face):
            pose = np.array([faces.scale[index], *faces.euler[index], *faces.shift[index]])
            local = faces.local[index].copy()
            # most samples near the truth, where the border between success and failure lies
            level = float(rng.choice([0.0, 0.25, 0.6, 1.2, 2.5], p=[0.2, 0.3, 0.2, 0.15, 0.15]))
            pose[0] *= np.exp(rng.normal() * 0.12 * level)
            pose[1:4] += rng.normal(size=3) * np.array([0.15, 0.25, 0.15]) * level
            pose[4:6] += rng.normal(size=2) * 0.12 * level * size
            local += rng.normal(size=len(root)) * root * 0.35 * level
            if rng.random() < 0.12:  # a face shape anywhere
                height, width = shapes[index]
                pose[0] *= np.exp(rng.uniform(-1.0, 0.3))
                pose[1:4] = rng.normal(size=3) * np.array([0.2, 0.4, 0.3])
                pose[4:6] = rng.uniform(0, 1, 2) * np.array([width, height])
            placed = _shape(model, pose, np.clip(local, -3 * root, 3 * root))
            image.append(index)
            points.append(placed)
            error.append(float(np.linalg.norm(placed - truth, axis=1).mean() / size))
            yaw.append(pose[2])
    return GradedShapes(np.array(image), np.array(points), np.array(error), np.array(yaw))


def fitted_shapes(
    fitter: Fitter, faces: FittedFaces, images: Sequence[NDArray[np.uint8]], per_face: int, seed: int
) -> GradedShapes:
    """Where the real fitter ends from good, poor and hopeless starts."""
    rng = np.random.default_rng(seed)
    image, points, error, yaw = [], [], [], []
    for index, truth in enumerate(faces.points):
        low, high = truth.min(axis=0), truth.max(axis=0)
        size = np.linalg.norm(truth[45] - truth[36])
        for _ in range(per_face):
            spread = float(rng.choice([0.05, 0.25, 0.6], p=[0.4, 0.3, 0.3]))
            extent = (high - low) * np.exp(rng.normal() * spread * 0.6)
            corner = (low + high) / 2 + rng.normal(size=2) * spread * (high - low) - extent / 2
            start = HYPOTHESES[0] if rng.random() < 0.6 else HYPOTHESES[int(rng.integers(1, len(HYPOTHESES)))]
            fit = fitter.from_box((*corner, *extent), start)
            fitter.run(images[index], fit, COARSE_WINDOWS)
            placed = fitter.project(fit)
            image.append(index)
            points.append(placed)
            error.append(float(np.linalg.norm(placed - truth, axis=1).mean() / size))
            yaw.append(float(fit.params_global[2]))
    return GradedShapes(np.array(image), np.array(points), np.array(error), np.array(yaw))


def join(*parts: GradedShapes) -> GradedShapes:
    """Concatenate graded shapes of the same image list."""
    return GradedShapes(
        np.concatenate([p.image for p in parts]), np.concatenate([p.points for p in parts]),
        np.concatenate([p.error for p in parts]), np.concatenate([p.yaw for p in parts]),
    )  # fmt: skip


def view_of(yaw: Array) -> NDArray[np.int64]:
    """Nearest validator view of a yaw."""
    centres = np.radians(VIEW_YAW_DEGREES)
    return np.asarray(np.abs(yaw[:, None] - centres).argmin(axis=1))


def cut_out(
    warp: PieceWiseWarp, graded: GradedShapes, images: Sequence[NDArray[np.uint8]], mirrored: PieceWiseWarp | None,
    vary: bool, seed: int,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:  # fmt: skip
    """Standardised crops (n, 60, 60) of one view and their errors.

    Frontal faces also count flipped; faces of the mirrored view are flipped into this one.
    """
    rng = np.random.default_rng(seed)
    view = view_of(graded.yaw)
    wanted = (0,) if mirrored is None else (1, 2)
    crops, errors = [], []
    rows_cols = np.nonzero(warp.mask.T)
    for k in np.flatnonzero(np.isin(view, wanted)):
        used = warp if view[k] in (0, 1) or mirrored is None else mirrored
        image, points = images[graded.image[k]], graded.points[k]
        if vary and rng.random() < 0.5:
            varied, _ = photometric(image, rng)
            points = resized_points(
                points, varied.shape[1] / image.shape[1], varied.shape[0] / image.shape[0]
            )
            image = varied
        pixels = warp_face(used, image, points)
        if pixels is None:
            continue
        cols, rows = np.nonzero(used.mask.T) if used is not warp else rows_cols
        crop = np.zeros((CROP, CROP), dtype=np.float32)
        crop[rows, cols] = standardised(pixels)
        if used is not warp or (mirrored is None and vary and rng.random() < 0.5):
            crop = crop[:, ::-1]
        crops.append(crop)
        errors.append(graded.error[k])
    return np.array(crops), np.array(errors)


class GradeNet(torch.nn.Module):  # type: ignore[misc,unused-ignore]
    """Conv 5x5, 5x5, 3x3 with pooling, then two dense layers."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c = CHANNELS
        self.convs = torch.nn.ModuleList(
            [torch.nn.Conv2d(1, a, 5), torch.nn.Conv2d(a, b, 5), torch.nn.Conv2d(b, c, 3)]
        )
        self.dense = torch.nn.ModuleList([torch.nn.Linear(c * 25, HIDDEN), torch.nn.Linear(HIDDEN, BINS)])
        self.dropout = torch.nn.Dropout(0.2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Bin scores (n, 20) of crops (n, 60, 60)."""
        x = x[:, None]
        for conv in self.convs:
            x = torch.nn.functional.max_pool2d(torch.relu(conv(x)), 2)
        x = self.dropout(x.flatten(1))
        return torch.as_tensor(self.dense[1](torch.relu(self.dense[0](x))))


def _targets(errors: NDArray[np.float64]) -> torch.Tensor:
    """Soft bin targets: the neighbours of the right bin get some credit."""
    distance = np.abs(bin_of(errors)[:, None] - np.arange(BINS))
    soft = np.exp(-0.5 * (distance / 0.8) ** 2)
    return torch.from_numpy((soft / soft.sum(axis=1, keepdims=True)).astype(np.float32))


def train_net(
    crops: NDArray[np.float32], errors: NDArray[np.float64], epochs: int, seed: int
) -> tuple[GradeNet, NDArray[np.float32], NDArray[np.float32]]:
    """Train on crops; returns the net and the per-pixel mean and standard deviation (60, 60)."""
    torch.manual_seed(seed)
    good = errors < WORST_ERROR / 4
    mean, std = crops[good].mean(axis=0), np.maximum(crops[good].std(axis=0), 0.05)
    inputs, targets = torch.from_numpy((crops - mean) / std), _targets(errors)
    net = GradeNet()
    optimiser = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    steps = epochs * (len(crops) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps + 1)
    generator = torch.Generator().manual_seed(seed)
    for epoch in range(epochs):
        total = 0.0
        order = torch.randperm(len(crops), generator=generator)
        for start in range(0, len(crops) // BATCH * BATCH, BATCH):
            part = order[start : start + BATCH]
            loss = torch.nn.functional.cross_entropy(net(inputs[part]), targets[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        LOG.info("validator epoch %d: loss %.4f", epoch, total / max(len(crops) // BATCH, 1))
    net.eval()
    return net, mean.astype(np.float32), std.astype(np.float32)


def grade(
    net: GradeNet, mean: NDArray[np.float32], std: NDArray[np.float32], crops: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Most likely bin of each crop."""
    with torch.no_grad():
        scores = [
            net(torch.from_numpy((c - mean) / std)) for c in np.array_split(crops, max(1, len(crops) // 512))
        ]
    return np.asarray(torch.cat(scores).argmax(dim=1).numpy())


def export_view(
    net: GradeNet, mean: NDArray[np.float32], std: NDArray[np.float32], warp: PieceWiseWarp, flip: bool
) -> ValidatorView:
    """One view in OpenFace's layout; ``flip`` gives the mirror image of the network for the mirrored warp."""
    layers: list[ConvLayer | FullyConnected | MaxPool | ReLU] = []
    for conv in net.convs:
        kernels = conv.weight.detach().numpy().transpose(1, 0, 2, 3)
        kernels = kernels[..., ::-1] if flip else kernels
        layers += [
            ConvLayer(conv.bias.detach().numpy().copy(), np.ascontiguousarray(kernels)),
            ReLU(),
            MaxPool(),
        ]
    # OpenFace flattens every map column-major
    first = net.dense[0].weight.detach().numpy().reshape(HIDDEN, CHANNELS[-1], 5, 5)
    first = first[..., ::-1] if flip else first
    weight = first.transpose(0, 1, 3, 2).reshape(HIDDEN, -1).T
    layers += [
        FullyConnected(net.dense[0].bias.detach().numpy().copy(), np.ascontiguousarray(weight)),
        ReLU(),
        FullyConnected(
            net.dense[1].bias.detach().numpy().copy(),
            np.ascontiguousarray(net.dense[1].weight.detach().numpy().T),
        ),
    ]
    mean, std = (mean[:, ::-1], std[:, ::-1]) if flip else (mean, std)
    cols, rows = np.nonzero(warp.mask.T)
    return ValidatorView(mean[rows, cols].copy(), std[rows, cols].copy(), tuple(layers), warp)


def assemble(views: Sequence[ValidatorView]) -> ValidatorFile:
    """Assemble the validator file of the three views."""
    orientations = np.zeros((len(views), 3))
    orientations[:, 1] = np.radians(VIEW_YAW_DEGREES)
    return ValidatorFile(orientations, tuple(views))
