"""Every engine against NumPy's: the same faces in all sample images and in 200 frames of video."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mtcnn_engines import engine_detector
from numpy.typing import NDArray

from pymtcnn import MTCNN, Detection, DetectorWeights, EngineOptions

gold_mtcnn = pytest.importorskip("gold_mtcnn", reason="needs opencv-python-headless (extra 'test')")

pytestmark = pytest.mark.parity

VIDEOS = {"2015-10-15-15-14.avi": 16, "changeLighting.wmv": 1, "default.wmv": 5, "multi_face.avi": 14}
FRAMES_OF_EACH = 50

BOX_BAR = 0.1  # px
SCORE_BAR = 1e-4
# float16 keeps 11 bits: 0.0005 of a probability near 1, and of a box of 300 px 0.15 px.
HALF_BOX_BAR = 1.0
HALF_SCORE_BAR = 5e-4

Scene = tuple[str, NDArray[Any]]


@pytest.fixture(scope="module")
def scenes(shared: Path) -> list[Scene]:
    found = [
        (path.name, gold_mtcnn.read_image(path)) for path in sorted((shared / "media").glob("sample*.*"))
    ]
    assert len(found) == 8
    for video, step in VIDEOS.items():
        for index, frame in gold_mtcnn.video_frames(shared / "media" / video, step):
            if index >= step * FRAMES_OF_EACH:
                break
            found.append((f"{video} frame {index}", frame))
    assert len(found) == 8 + 4 * FRAMES_OF_EACH
    return found


@pytest.fixture(scope="module")
def expected(scenes: list[Scene], weights: DetectorWeights) -> list[list[Detection]]:
    detector = MTCNN("numpy", weights)
    found = [detector.detect(frame) for _, frame in scenes]
    assert sum(len(faces) for faces in found) > 250
    return found


def assert_same_faces(
    scenes: list[Scene],
    found: list[list[Detection]],
    expected: list[list[Detection]],
    box_bar: float = BOX_BAR,
    score_bar: float = SCORE_BAR,
) -> None:
    comparisons = []
    for (name, _), faces, others in zip(scenes, found, expected, strict=True):
        gold = np.array([[*face.box, face.score] for face in others], np.float32).reshape(-1, 5)
        comparisons.append(gold_mtcnn.compare(name, gold, faces))
    summary = gold_mtcnn.summarise(comparisons)
    print(f"{summary.faces} faces, boxes {summary.box_error:.2g} px, scores {summary.score_error:.2g}")
    assert summary.wrong_counts == ()
    assert summary.box_error <= box_bar
    assert summary.score_error <= score_bar


@pytest.mark.parametrize("engine", ["native", "onnx", "device"])
def test_engines_find_the_same_faces(
    engine: str, scenes: list[Scene], expected: list[list[Detection]], weights: DetectorWeights
) -> None:
    detector = engine_detector(engine, weights)
    assert_same_faces(scenes, [detector.detect(frame) for _, frame in scenes], expected)


@pytest.mark.parametrize("engine", ["native", "device"])
def test_batches_find_the_same_faces(
    engine: str, scenes: list[Scene], expected: list[list[Detection]], weights: DetectorWeights
) -> None:
    found = engine_detector(engine, weights).detect_batch(frame for _, frame in scenes)
    assert_same_faces(scenes, found, expected)


@pytest.mark.parametrize(
    ("precision", "box_bar", "score_bar"),
    [("float32", BOX_BAR, SCORE_BAR), ("mixed", HALF_BOX_BAR, HALF_SCORE_BAR)],
)
def test_coreml_programs_find_the_same_faces(
    precision: Any,
    box_bar: float,
    score_bar: float,
    scenes: list[Scene],
    expected: list[list[Detection]],
    weights: DetectorWeights,
    tmp_path: Path,
) -> None:
    """The written programs, read back and run by ONNX Runtime through CoreML's engine."""
    pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    pytest.importorskip("coremltools", reason="needs the extra 'coreml'")
    pytest.importorskip(
        "coremltools.libmilstoragepython", reason="this coremltools cannot write weights here"
    )
    from mil_interpreter import Program

    from pymtcnn.backends import coreml
    from pymtcnn.backends.coreml_program import save_package

    networks = (weights.pnet, weights.rnet, weights.onet)
    models = {network.name: Program(save_package(network, tmp_path, precision)) for network in networks}
    detector = MTCNN("numpy", weights)
    detector._engine = coreml.make_backend(lambda: models, EngineOptions(precision=precision))
    found = [detector.detect(frame) for _, frame in scenes]
    assert_same_faces(scenes, found, expected, box_bar, score_bar)
