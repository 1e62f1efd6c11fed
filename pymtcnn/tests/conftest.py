"""Fixtures: the reference material, a photograph with one face, and a detector on each backend."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from mtcnn_engines import engine_detector
from numpy.typing import NDArray

from pymtcnn import MTCNN, DetectorWeights, load_weights

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with the C++ reference's outputs, media and model files."""
    folder = Path(os.environ.get("PYFACEAU_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "gold").is_dir():
        pytest.skip(f"no reference material in {folder} (set PYFACEAU_SHARED to its folder)")
    return folder


@pytest.fixture(scope="session")
def openface_folder(shared: Path) -> Path:
    """Folder with OpenFace's own MTCNN files."""
    return shared / "openface/2.2.0/originals/lib/local/LandmarkDetector/model/mtcnn_detector"


@pytest.fixture(scope="session")
def astronaut() -> NDArray[np.uint8]:
    """BGR photograph with one face, (512, 512, 3)."""
    data = pytest.importorskip("skimage.data", reason="needs scikit-image (extra 'test') for a photograph")
    return np.ascontiguousarray(data.astronaut()[:, :, ::-1])


@pytest.fixture(scope="session")
def weights() -> DetectorWeights:
    return load_weights()


@pytest.fixture(scope="session", params=["native", "numpy", "onnx", "device"])
def detector(request: pytest.FixtureRequest, weights: DetectorWeights) -> MTCNN:
    """A detector on each engine that runs on any machine."""
    return engine_detector(request.param, weights)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests neither read nor write the user's cache."""
    monkeypatch.setenv("PYMTCNN_CACHE_DIR", str(tmp_path / "cache"))
