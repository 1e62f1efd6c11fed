"""A whole landmark model small enough for a test: a ring of points, random experts, a validator that sees texture."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import tiny_models

from pyclnf import io

N_POINTS = 12
N_MODES = 4
SUPPORT = 11
CENTRES = np.deg2rad([[0.0, 0.0, 0.0], [0.0, 30.0, 0.0], [0.0, -30.0, 0.0]])
# Points mirrored at the vertical axis of the ring; 3 and 9 lie on it.
MIRROR = np.array([(6 - i) % N_POINTS for i in range(N_POINTS)], np.int32)
MIRROR_VIEWS = np.array([0, 2, 1], np.int32)
VISIBILITY = np.array(
    [
        [True] * N_POINTS,
        [i not in (5, 6, 7) for i in range(N_POINTS)],
        [i not in (11, 0, 1) for i in range(N_POINTS)],
    ]
)
FOUND, LOST = 0.975, 0.025  # certainties of the validator on texture and on a flat image


def random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def pdm(seed: int = 0, n_points: int = N_POINTS, n_modes: int = N_MODES) -> io.PDMFile:
    """A ring of 120 mm with random modes of falling variance."""
    angle = 2 * np.pi * np.arange(n_points) / n_points
    mean = np.concatenate([60 * np.cos(angle), 60 * np.sin(angle), 15 * np.cos(2 * angle)])
    basis = np.linalg.qr(random(seed).normal(size=(3 * n_points, n_modes)))[0]
    eigenvalues = 200.0 / (1.0 + np.arange(n_modes)) ** 2
    return io.PDMFile(mean.astype(np.float32), basis.astype(np.float32), eigenvalues.astype(np.float32))


def pose(seed: int, n_modes: int = N_MODES) -> tuple[np.ndarray, np.ndarray]:
    """Global and local parameters of a face about 150 px wide."""
    rng = random(seed)
    rotation, shift = rng.uniform(-0.5, 0.5, 3), rng.uniform(90, 110, 2)
    g = np.concatenate([[rng.uniform(0.8, 1.4)], rotation, shift])
    return g.astype(np.float32), rng.normal(size=n_modes).astype(np.float32) * 5


def image(seed: int = 0, shape: tuple[int, int] = (200, 220), smooth: int = 9) -> np.ndarray:
    """Texture: noise blurred a little, stretched to 0..255."""
    noise = random(seed).normal(size=(shape[0] + smooth - 1, shape[1] + smooth - 1))
    blurred = np.lib.stride_tricks.sliding_window_view(noise, (smooth, smooth)).mean(axis=(2, 3))
    low, high = blurred.min(), blurred.max()
    return np.rint((blurred - low) * (255 / (high - low))).astype(np.uint8)


def ccnf_expert(seed: int, neurons: int = 7, betas: int = 0, negative: bool = False) -> io.CCNFExpert:
    rng = random(seed)
    alphas = rng.uniform(0.1, 2.0, neurons)
    if neurons > 1:
        alphas[-1] = 5e-5  # below the cut: counts in the covariance only
    return io.CCNFExpert(
        SUPPORT,
        SUPPORT,
        np.zeros(neurons, np.int32),
        rng.uniform(1, 8, neurons),
        rng.normal(size=neurons),
        alphas,
        rng.normal(size=(neurons, SUPPORT, SUPPORT)).astype(np.float32),
        rng.uniform(-0.02 if negative else 0.0, 0.5, betas),
        float(rng.uniform(0.2, 1.0)),
    )


def sigma_components(seed: int, window: int, count: int) -> np.ndarray:
    """Graph Laplacians, as the neighbourhood terms of a CCNF are."""
    area = window * window
    graph = random(seed).uniform(size=(count, area, area)) < 0.05
    graph = (graph | graph.transpose(0, 2, 1)).astype(np.float32)
    return np.eye(area, dtype=np.float32) * graph.sum(axis=2, keepdims=True) - graph


def ccnf(seed: int = 0, scale: float = 0.25, windows: tuple[int, ...] = (9, 11)) -> io.CCNFFile:
    """With neighbourhood terms for some windows; without any, flat patches give a flat response."""
    betas = 2 if windows else 0
    experts = tuple(
        tuple(
            ccnf_expert(seed + 100 * v + i, neurons=3 + i % 5, betas=betas) if VISIBILITY[v, i] else None
            for i in range(N_POINTS)
        )
        for v in range(len(CENTRES))
    )
    components = {w: sigma_components(seed + w, w, 2) for w in windows}
    return io.CCNFFile(scale, CENTRES, VISIBILITY, components, experts)


def cen_expert(seed: int, widths: tuple[int, ...] = (13, 6), last: int = 0) -> io.CENExpert:
    """ReLU layers, then one unit with activation `last`."""
    rng = random(seed)
    sizes = (SUPPORT * SUPPORT + 1, *widths, 1)
    layers = tuple(
        io.DenseLayer(
            last if k == len(sizes) - 2 else 2,
            rng.normal(size=rows).astype(np.float32),
            (rng.normal(size=(rows, cols)) * (2 / np.sqrt(cols))).astype(np.float32),
        )
        for k, (cols, rows) in enumerate(pairwise(sizes))
    )
    return io.CENExpert(SUPPORT, SUPPORT, layers, float(rng.uniform(0.2, 1.0)))


def cen(seed: int = 0, scale: float = 0.25) -> io.CENFile:
    """Landmarks on one side and all of view 2 are served by mirror images, as in OpenFace's files."""
    empty = io.CENExpert(SUPPORT, SUPPORT, (), 0.5)

    def expert(view: int, landmark: int) -> io.CENExpert:
        mirrored = view == 2 or (view == 0 and landmark > MIRROR[landmark])
        if mirrored or not VISIBILITY[view, landmark]:
            return empty
        return cen_expert(seed + 100 * view + landmark)

    experts = tuple(tuple(expert(v, i) for i in range(N_POINTS)) for v in range(len(CENTRES)))
    return io.CENFile(scale, CENTRES, VISIBILITY, MIRROR, MIRROR_VIEWS, experts)


def svr_expert(seed: int, kinds: tuple[int, ...] = (0, 1)) -> io.SVRExpert:
    rng = random(seed)
    return io.SVRExpert(
        SUPPORT,
        SUPPORT,
        tuple(
            io.SVRModality(
                kind,
                float(rng.uniform(0.2, 1)),
                float(rng.uniform(3, 8)),
                float(rng.normal()),
                rng.normal(size=(SUPPORT, SUPPORT)).astype(np.float32),
            )
            for kind in kinds
        ),
    )


def warp(n_points: int = N_POINTS, size: int = 24) -> io.PieceWiseWarp:
    """Fan of triangles in a ring of points, on a crop of `size` px."""
    angle = 2 * np.pi * np.arange(n_points) / n_points
    shape = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (size / 2 - 1.5)
    low = shape.min(axis=0).astype(np.float32)
    triangles = np.array([(0, i, i + 1) for i in range(1, n_points - 1)], np.int32)
    corners = shape[triangles]
    # Barycentric coordinates (1, alpha, beta) of (1, x, y) in each triangle.
    inverse = np.linalg.inv(np.concatenate([np.ones((*triangles.shape, 1)), corners], axis=2))
    alpha, beta = inverse[:, :, 1], inverse[:, :, 2]
    row, col = np.indices((size, size))
    pixel = np.stack([np.ones((size, size)), col + low[0], row + low[1]], axis=2)
    a, b = pixel @ alpha.T, pixel @ beta.T
    inside = (a >= 0) & (b >= 0) & (a + b <= 1)
    mask = inside.any(axis=2)
    owner = np.where(mask, inside.argmax(axis=2), -1).astype(np.int32)
    return io.PieceWiseWarp(
        int(mask.sum()), float(low[0]), float(low[1]), shape.astype(np.float32), triangles, owner, mask,
        alpha.astype(np.float32), beta.astype(np.float32),
    )  # fmt: skip


def validator_view(layers: tuple[io.Layer, ...], seed: int | None = None, size: int = 24) -> io.ValidatorView:
    """A view whose statistics are neutral, or random with a seed."""
    w = warp(size=size)
    rng = random(seed or 0)
    mean = rng.normal(size=w.n_pixels) if seed is not None else np.zeros(w.n_pixels)
    std = rng.uniform(0.5, 2, w.n_pixels) if seed is not None else np.ones(w.n_pixels)
    return io.ValidatorView(mean.astype(np.float32), std.astype(np.float32), layers, w)


def texture_validator(size: int = 24, bins: int = 20) -> io.ValidatorFile:
    """Answers with its first bin where the crop has any texture and with its last where it is flat."""
    plus_minus = io.ConvLayer(np.zeros(2, np.float32), np.array([[[[1.0]], [[-1.0]]]], np.float32))
    weight = np.zeros((2 * size * size, bins), np.float32)
    weight[:, 0] = 1.0
    bias = np.zeros(bins, np.float32)
    bias[-1] = 1.0
    view = validator_view((plus_minus, io.ReLU(), io.FullyConnected(bias, weight)), size=size)
    return io.ValidatorFile(np.zeros((1, 3)), (view,))


def write_ccnf(path: Path, data: io.CCNFFile) -> None:
    parts = [struct.pack("<di", data.scale, len(data.centres))]
    parts += [tiny_models.matrix(np.rad2deg(c).reshape(3, 1), "float64") for c in data.centres]
    parts += [tiny_models.matrix(row.reshape(-1, 1), "int32") for row in data.visibility]
    parts.append(struct.pack("<i", len(data.sigma_components)))
    for window, components in data.sigma_components.items():
        parts.append(struct.pack("<ii", window, len(components)))
        parts += [tiny_models.matrix(c, "float32") for c in components]
    for expert in (e for view in data.experts for e in view):
        if expert is None:
            parts.append(struct.pack("<iiiii", 5, SUPPORT, SUPPORT, 0, 0))
            continue
        parts.append(struct.pack("<iiii", 5, expert.width, expert.height, len(expert.alphas)))
        for k, template in enumerate(expert.weights):
            numbers = expert.norm_weights[k], expert.biases[k], expert.alphas[k]
            parts.append(struct.pack("<ii3d", 2, int(expert.kinds[k]), *numbers))
            parts.append(tiny_models.matrix(template, "float32"))
        parts.append(struct.pack(f"<{len(expert.betas) + 1}d", *expert.betas, expert.confidence))
    path.write_bytes(b"".join(parts))


def write_model(folder: Path, kind: str = "cen", *, early: bool | None = None, part: bool = False) -> Path:
    """Write a main file and all it names; returns its path.

    With `part`, the ring is also its own part "inner", so that the refinement with parts runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    io.write_pdm(folder / "pdm.txt", pdm())
    lines = ["PDM pdm.txt"]
    for k, scale in enumerate((0.25, 0.35, 0.5)):
        name = f"{kind}_{scale:.2f}.dat"
        if kind == "cen":
            io.write_cen(folder / name, cen(10 * k, scale))
            lines.append(f"PatchesCEN {name}")
        else:
            write_ccnf(folder / name, ccnf(10 * k, scale, windows=()))
            lines.append(f"PatchesCCNF {name}")
    if early if early is not None else kind == "cen":
        (folder / "early.txt").write_text("1 1 1\n0 0 0\n1000 1000 1000\n")  # never convinced
        lines.append("EarlyTermination early.txt")
    (folder / "sub.txt").write_text("\n".join(lines) + "\n")
    io.write_validator(folder / "validator.dat", texture_validator())
    main = ["LandmarkDetector sub.txt", "DetectionValidator validator.dat"]
    if part:
        io.write_cen(folder / "part.dat", cen(77, 1.0))
        (folder / "part_sub.txt").write_text("PDM pdm.txt\nPatchesCEN part.dat\n")
        (folder / "part_main.txt").write_text("LandmarkDetector part_sub.txt\n")
        pairs = " ".join(f"{i} {i}" for i in range(N_POINTS))
        main.append(f"LandmarkDetector_part part_main.txt inner {pairs}")
    (folder / "main_synthetic.txt").write_text("\n".join(main) + "\n")
    return folder / "main_synthetic.txt"
