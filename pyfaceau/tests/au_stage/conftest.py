"""Synthetic models for the tests of the action-unit stage: small, made here, nothing of OpenFace's."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pyclnf import PDM
from pyclnf.io import BinaryWriter, PDMFile, write_pdm
from pyclnf.io.triangulation import read_triangulation

N_FEATURES = 4464 + 204 + 3


@pytest.fixture
def rng() -> np.random.Generator:
    """Seeded random numbers."""
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def gold_au() -> ModuleType:
    """The module that measures against the reference."""
    path = Path(__file__).parents[1] / "gold_au.py"
    spec = importlib.util.spec_from_file_location("gold_au", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gold_au"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def face_points() -> np.ndarray:
    """68 points that lie like those of a face: (68, 3) millimetres."""
    jaw = np.linspace(np.pi, 0, 17)
    points = [np.stack([70 * np.cos(jaw), -30 + 105 * np.sin(jaw), 20 - 30 * np.sin(jaw)], 1)]

    def row(xs, y, z):
        return np.stack([np.asarray(xs, float), np.full(len(xs), y, float), np.full(len(xs), z, float)], 1)

    def ring(x, y, radius_x, radius_y, count):
        angle = np.linspace(np.pi, 3 * np.pi, count, endpoint=False)
        return np.stack(
            [x + radius_x * np.cos(angle), y + radius_y * np.sin(angle), np.full(count, -25.0)], 1
        )

    points += [row(np.linspace(-58, -14, 5), -52, -25), row(np.linspace(14, 58, 5), -52, -25)]
    points += [np.stack([np.zeros(4), np.linspace(-35, 0, 4), np.linspace(-30, -45, 4)], 1)]
    points += [row(np.linspace(-12, 12, 5), 8, -32)]
    points += [ring(-32, -33, 13, 5, 6), ring(32, -33, 13, 5, 6)]
    points += [ring(0, 33, 25, 12, 12), ring(0, 33, 19, 6, 8)]
    return np.concatenate(points)


@pytest.fixture(scope="session")
def pdm(face_points) -> PDM:
    """Face model with three smooth modes."""
    modes = np.random.default_rng(1).normal(size=(204, 3)).astype(np.float32)
    basis, _ = np.linalg.qr(modes)
    mean = face_points - face_points.mean(0)
    return PDM(
        mean.T.reshape(-1).astype(np.float32), basis.astype(np.float32), np.array([90, 50, 20], np.float32)
    )


@pytest.fixture(scope="session")
def triangulation() -> np.ndarray:
    """A fan of triangles over the face."""
    outline = [*range(17), *range(26, 16, -1), 0]
    return np.array([(30, a, b) for a, b in itertools.pairwise(outline)], np.int32)


@pytest.fixture
def landmarks_of(pdm):
    """Function that projects the face model to landmarks (68, 2)."""

    def project(scale=1.6, rotation=(0.05, -0.1, 0.08), x=150.0, y=140.0, local=(3.0, -2.0, 1.0)):
        return pdm.project(np.array([scale, *rotation, x, y], np.float32), np.array(local, np.float32))

    return project


@pytest.fixture
def write_models(tmp_path, pdm, triangulation):
    """Function that writes a set of models and returns its main description."""

    def write(predictors, name="main.txt"):
        """`predictors`: (file, AU, type, cutoff or None, means, weights, bias, classes or None) each."""
        write_pdm(tmp_path / "pdm.txt", PDMFile(pdm.mean, pdm.basis, pdm.eigenvalues))
        rows = "\n".join(" ".join(map(str, triangle)) for triangle in triangulation)
        (tmp_path / "triangles.txt").write_text(f"{len(triangulation)}\n3\n4\n{rows}\n")
        for file, _, kind, cutoff, means, weights, bias, classes in predictors:
            with BinaryWriter(tmp_path / file) as writer:
                writer.i32(kind)
                if cutoff is not None:
                    writer.f64(cutoff)
                writer.matrix(np.reshape(means, (1, -1)), np.float64)
                writer.matrix(np.reshape(weights, (-1, 1)), np.float64)
                writer.f64(bias)
                if classes is not None:
                    writer.f64(*classes)
        (tmp_path / "list.txt").write_text("\n".join(f"{file} {au}" for file, au, *_ in predictors))
        main = tmp_path / name
        main.write_text("AUPredictor list.txt\r\nPDM pdm.txt\r\nTriangulation triangles.txt")
        assert len(read_triangulation(tmp_path / "triangles.txt")) == len(triangulation)
        return main

    return write


def _predictors(kinds):
    """A set with the given types, random weights."""
    random = np.random.default_rng(3)
    means = {kind: random.uniform(0, 0.05, N_FEATURES) for kind in (0, 1, 4, 5)}
    predictors = []
    for number, kind in enumerate(kinds, start=1):
        cutoff = 0.3 if kind == 1 else None
        classes = ((0.0, 1.0) if number % 2 else (1.0, 0.0)) if kind in (4, 5) else None
        weights = random.normal(0, 0.05, N_FEATURES)
        predictors.append(
            (f"{number}.dat", f"AU{number:02d}", kind, cutoff, means[kind], weights, 0.4, classes)
        )
    return predictors


@pytest.fixture
def dynamic_predictors():
    """Two dynamic and one static intensity, a dynamic and a static presence."""
    return _predictors([1, 0, 1, 5, 4])


@pytest.fixture
def static_predictors():
    """Two intensities and a presence, all static."""
    return _predictors([0, 0, 4])


@pytest.fixture
def frames(rng):
    """Function that makes `count` textured frames of 300 x 280 px."""

    def make(count):
        base = rng.integers(0, 200, (30, 28, 3)).astype(np.uint8)
        large = np.repeat(np.repeat(base, 10, 0), 10, 1)
        return [(large + rng.integers(0, 56, large.shape)).astype(np.uint8) for _ in range(count)]

    return make
