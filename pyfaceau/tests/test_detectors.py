"""Detectors other than MTCNN: adapters, corrections, and tracking that starts from their boxes."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from pyclnf import CLNF, FaceTracker
from pyfaceau.detectors import (
    DETECTORS,
    BoxCorrection,
    ConstantBox,
    HaarDetector,
    YuNetDetector,
    make_detector,
)
from pymtcnn import MTCNN

MODEL = "openface/2.2.0/originals/lib/local/LandmarkDetector/model/main_clnf_general.txt"
SIDE = 64


def white_square(top: int, left: int, shape: tuple[int, int] = (320, 384)) -> npt.NDArray[np.uint8]:
    image = np.zeros((*shape, 3), np.uint8)
    image[top : top + SIDE, left : left + SIDE] = 255
    return image


@pytest.fixture(scope="session")
def square_finder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file with YuNet's outputs that takes white squares of 32 px for faces of 64 x 48 px."""
    onnx = pytest.importorskip("onnx", reason="needs onnx to make a small model")
    helper = onnx.helper
    nodes, constants, outputs = [], [], []

    def constant(name: str, values: Any) -> str:
        constants.append(onnx.numpy_helper.from_array(values, name))
        return name

    for stride in (8, 16, 32):
        mean = np.full(
            (1, 3, stride, stride), (1 / 255 if stride == 32 else 0) / (3 * stride * stride), np.float32
        )
        nothing = np.zeros((1, 3, stride, stride), np.float32)
        box = [np.zeros(1), np.zeros(1), np.log([64 / stride]), np.log([48 / stride])]
        heads = {
            "cls": [(mean, 0)],
            "obj": [(mean, 0)],
            "bbox": [(nothing, float(value[0])) for value in box],
            "kps": [(nothing, 0)] * 10,
        }
        for kind, parts in heads.items():
            name = f"{kind}_{stride}"
            weight = constant(f"{name}.w", np.concatenate([w for w, _ in parts]))
            bias = constant(f"{name}.b", np.array([b for _, b in parts], np.float32))
            shape = constant(f"{name}.s", np.array([1, -1, len(parts)], np.int64))
            nodes += [
                helper.make_node("Conv", ["input", weight, bias], [f"{name}.maps"], strides=[stride, stride]),
                helper.make_node("Transpose", [f"{name}.maps"], [f"{name}.t"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"{name}.t", shape], [name]),
            ]
    for kind, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        outputs += [
            helper.make_tensor_value_info(
                f"{kind}_{stride}", onnx.TensorProto.FLOAT, [1, 320 * 384 // stride**2, width]
            )
            for stride in (8, 16, 32)
        ]
    image = helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, [1, 3, 320, 384])
    graph = helper.make_graph(nodes, "squares", [image], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    path = tmp_path_factory.mktemp("yunet") / "squares.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_a_correction_moves_and_scales() -> None:
    corrected = BoxCorrection(0.1, -0.2, 0.5, 2).apply((10, 20, 100, 50))
    np.testing.assert_allclose(corrected, [20, 10, 50, 100])
    assert corrected.dtype == np.float32
    np.testing.assert_array_equal(BoxCorrection().apply((1, 2, 3, 4)), [1, 2, 3, 4])


def test_yunets_rows_become_corrected_boxes(square_finder: Path) -> None:
    detector = YuNetDetector(square_finder, 0.9, BoxCorrection())
    (face,) = detector.detect(white_square(128, 192)[:, :, :])[:1]
    # The cells of the square are centres of boxes of 64 x 48 px.
    assert face.score == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(face.box[2:], [64, 48], atol=1e-3)
    assert 192 - 33 <= face.box[0] <= 192 + 33
    assert 128 - 33 <= face.box[1] <= 128 + 33
    plain = detector.detect(white_square(128, 192))[0].box
    moved = (
        YuNetDetector(square_finder, 0.9, BoxCorrection(0.5, 0.25, 2, 3))
        .detect(white_square(128, 192))[0]
        .box
    )
    np.testing.assert_allclose(moved, [plain[0] + 32, plain[1] + 12, 128, 144], atol=1e-2)


def test_yunet_finds_nothing_in_the_dark(square_finder: Path) -> None:
    detector = YuNetDetector(square_finder)
    assert detector.detect(np.zeros((320, 384), np.uint8)) == []
    assert detector.detect(white_square(0, 0) // 2) == []


def test_a_missing_or_foreign_model_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="model zoo"):
        YuNetDetector(tmp_path / "nothing.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"broken\.onnx: OpenCV cannot read it"):
        YuNetDetector(broken)
    with pytest.raises(FileNotFoundError, match="no such cascade"):
        HaarDetector(tmp_path / "nothing.xml")
    cascade = tmp_path / "cascade.xml"
    cascade.write_text("<opencv_storage></opencv_storage>")
    with pytest.raises(ValueError, match="cannot read it as a cascade"):
        HaarDetector(cascade)


@pytest.mark.parametrize("settings", [{"scale_factor": 1.0}, {"neighbours": -1}, {"min_face_size": 0}])
def test_settings_of_the_cascade_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be above 1"):
        HaarDetector(**settings)


@pytest.mark.parametrize("image", [None, np.zeros((0, 3), np.uint8), np.zeros((4, 4, 3), np.float64)])
def test_what_is_no_image_is_refused(image: Any, square_finder: Path) -> None:
    for detector in (HaarDetector(), YuNetDetector(square_finder)):
        with pytest.raises((TypeError, ValueError)):
            detector.detect(image)


def test_detectors_are_made_by_name(square_finder: Path) -> None:
    assert DETECTORS == ("mtcnn", "yunet", "haar")
    assert isinstance(make_detector(), MTCNN)
    for engine, expected in (
        ("mtcnn", "native"),
        ("auto", "native"),
        ("native", "native"),
        ("numpy", "numpy"),
    ):
        detector = make_detector(engine)
        assert isinstance(detector, MTCNN)
        assert detector.backend == expected
    assert isinstance(make_detector("haar"), HaarDetector)
    yunet = make_detector(f"yunet:{square_finder}")
    assert isinstance(yunet, YuNetDetector)
    assert yunet.model == square_finder


def test_an_object_with_detect_is_taken_as_it_is() -> None:
    constant = ConstantBox((10, 20, 30, 40))
    assert make_detector(constant) is constant


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (
            "retinaface",
            ValueError,
            "unknown detector 'retinaface'; choose one of mtcnn, yunet, haar, auto, native",
        ),
        ("yunet", ValueError, r'does not come with this package.*detector="yunet:PATH"'),
        ("haar:file", ValueError, "unknown detector 'haar:file'"),
        ("native:2", ValueError, "unknown detector 'native:2'"),
        (42, TypeError, r"an object with detect\(image\), not int"),
    ],
)
def test_other_detectors_are_refused(wrong: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make_detector(wrong)


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (0, 0, 5), (0, 0, float("nan"), 5), (0, 0, 5, -1)])
def test_a_constant_box_without_a_size_is_refused(box: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="positive size"):
        ConstantBox(box)


def test_detectors_can_be_sent_to_another_process(square_finder: Path) -> None:
    image = white_square(128, 192)
    for detector in (
        YuNetDetector(square_finder, 0.8),
        HaarDetector(min_face_size=60),
        ConstantBox((1, 2, 3, 4)),
    ):
        twin = pickle.loads(pickle.dumps(detector))
        assert repr(twin) == repr(detector)
        assert [face.box.tolist() for face in twin.detect(image)] == [
            face.box.tolist() for face in detector.detect(image)
        ]


def test_corrected_boxes_of_the_cascade_are_near_mtcnns(shared: Path) -> None:
    plain, corrected, seen = [], [], 0
    for path in sorted((shared / "media").glob("sample?.jpg")):
        image = cv2.imread(str(path))
        expected = [face.box for face in MTCNN().detect(image)]
        seen += len(expected)
        for correction, overlaps in ((BoxCorrection(), plain), (None, corrected)):
            detector = HaarDetector() if correction is None else HaarDetector(correction=correction)
            found = [face.box for face in detector.detect(image)]
            best = [max((overlap(a, b) for a in found), default=0.0) for b in expected]
            overlaps += [value for value in best if value > 0.3]
    assert len(corrected) >= 0.5 * seen
    assert np.mean(corrected) > 0.75
    assert np.mean(corrected) > np.mean(plain) + 0.15


def overlap(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return float(shared / (a[2] * a[3] + b[2] * b[3] - shared))


def video(shared: Path, count: int) -> list[npt.NDArray[np.uint8]]:
    capture = cv2.VideoCapture(str(shared / "media/default.wmv"))
    frames = [np.asarray(capture.read()[1], np.uint8) for _ in range(count)]
    capture.release()
    return frames


def test_a_track_that_starts_from_the_cascade_joins_that_of_mtcnn(shared: Path) -> None:
    frames = video(shared, 12)
    ours, theirs = FaceTracker(shared / MODEL, HaarDetector()), FaceTracker(shared / MODEL, MTCNN())
    for frame in frames:
        found, expected = ours.track(frame).landmarks, theirs.track(frame).landmarks
    # Two builds of the C++ reference part by 0.11 px (99th percentile) on tracked video.
    assert np.linalg.norm(found - expected, axis=1).mean() < 0.11


class Nothing:
    """A detector that finds no face, so that the tracker must help itself."""

    def detect(self, image: npt.NDArray[Any]) -> list[Any]:
        return []


def test_a_box_from_outside_is_searched_with_the_large_windows(shared: Path) -> None:
    """The tracker has a valid face; the box that it is given lies 27 px beside it."""
    frames = video(shared, 10)
    fitter = CLNF(shared / MODEL)
    (face,) = MTCNN().detect(frames[0])[:1]
    expected = fitter.fit(frames[9], face.box).landmarks
    tracker = FaceTracker(shared / MODEL, Nothing())
    tracker.track(frames[0], face.box)
    for frame in frames[1:]:
        tracker.track(frame)
    low, high = expected.min(axis=0), expected.max(axis=0)
    width = high[0] - low[0]
    beside = (low[0] + 0.15 * width, low[1] - 0.075 * width, width, high[1] - low[1])
    found = tracker.track(frames[9], beside).landmarks
    assert np.linalg.norm(found - expected, axis=1).mean() < 0.5


def test_the_snippets_of_the_page_on_detectors_run() -> None:
    page = Path(__file__).resolve().parents[2] / "docs/detectors.md"
    if not page.is_file():
        pytest.skip("needs the clone's docs folder")
    snippets = page.read_text(encoding="utf-8").split("```python\n")[1:]
    assert len(snippets) == 2
    for snippet in snippets:
        names: dict[str, Any] = {}
        exec(snippet.split("```")[0], names)
        assert make_detector(names["detector"]) is names["detector"]


def test_the_example_of_make_detector_runs() -> None:
    import doctest

    from pyfaceau import detectors

    results = doctest.testmod(detectors)
    assert results.attempted > 0
    assert results.failed == 0
