"""Detection on a photograph, on unusual images, and the choice of one face."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mtcnn_oracle as oracle
import numpy as np
import pytest
from mtcnn_engines import engine_detector
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from pymtcnn import (
    MTCNN,
    Detection,
    DetectorWeights,
    WeightsError,
    choose_face,
)

Image = NDArray[np.uint8]
Change = Callable[[Any], Any]


def face(x: float, width: float, score: float = 0.9, y: float = 0, height: float = 100) -> Detection:
    return Detection(np.array([x, y, width, height], np.float32), score, np.zeros((5, 2), np.float32))


def boxes(detections: list[Detection]) -> NDArray[np.float32]:
    return np.array([detection.box for detection in detections], np.float32).reshape(-1, 4)


def test_the_astronaut_has_one_face_with_its_points_in_place(detector: MTCNN, astronaut: Image) -> None:
    (found,) = detector.detect(astronaut)
    x, y, width, height = found.box
    assert found.score > 0.999
    assert found.box.dtype == found.points.dtype == np.float32
    # Brows to chin and cheek to cheek, as seen in the photograph.
    assert_allclose([x, y, width, height], [180, 88, 92, 90], atol=8)
    left_eye, right_eye, nose, left_mouth, right_mouth = found.points
    assert_allclose(left_eye, [204, 102], atol=6)
    assert_allclose(right_eye, [247, 104], atol=6)
    assert left_eye[0] < nose[0] < right_eye[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert left_mouth[0] < right_mouth[0]


def test_a_shifted_face_is_found_shifted(detector: MTCNN, astronaut: Image) -> None:
    (plain,) = detector.detect(astronaut)
    (shifted,) = detector.detect(np.pad(astronaut, ((40, 0), (24, 0), (0, 0))))
    assert_allclose(shifted.box - plain.box, [24, 40, 0, 0], atol=6)
    assert_allclose(shifted.points - plain.points, np.tile([24, 40], (5, 1)), atol=4)


def test_several_faces_come_best_first(detector: MTCNN, astronaut: Image) -> None:
    crop = astronaut[:256, 80:360]
    found = detector.detect(np.concatenate([crop, crop[:, ::-1] // 2, crop], axis=1))
    assert len(found) == 3
    scores = [detection.score for detection in found]
    assert scores == sorted(scores, reverse=True)
    assert sorted(int(box[0] // 280) for box in boxes(found)) == [0, 1, 2]


def test_a_face_over_the_edge_is_still_found(detector: MTCNN, astronaut: Image) -> None:
    (found,) = detector.detect(astronaut[:, 192:])
    assert found.box[0] < 0


def test_detection_is_repeatable_across_other_images(detector: MTCNN, astronaut: Image) -> None:
    before = detector.detect(astronaut)
    detector.detect(astronaut[:300, :400])
    detector.detect(np.random.default_rng(0).integers(0, 256, (90, 700, 3), dtype=np.uint8))
    assert_array_equal(boxes(detector.detect(astronaut)), boxes(before))


@pytest.mark.parametrize(
    "convert",
    [
        pytest.param(lambda image: image.astype(np.float32), id="float32"),
        pytest.param(lambda image: image.astype(np.uint16) * 256, id="16-bit"),
        pytest.param(lambda image: np.dstack([image, image[:, :, 0]]), id="BGRA"),
        pytest.param(np.asfortranarray, id="Fortran order"),
    ],
)
def test_equal_pixels_in_another_form_give_equal_boxes(
    detector: MTCNN, astronaut: Image, convert: Change
) -> None:
    assert_array_equal(boxes(detector.detect(convert(astronaut))), boxes(detector.detect(astronaut)))


def test_grey_equals_its_three_channel_form(detector: MTCNN, astronaut: Image) -> None:
    grey = astronaut.mean(axis=2).astype(np.uint8)
    (found,) = detector.detect(grey)
    for form in (grey[:, :, None], np.repeat(grey[:, :, None], 3, axis=2)):
        assert_array_equal(boxes(detector.detect(form))[0], found.box)


def test_colour_order_is_bgr(detector: MTCNN, astronaut: Image) -> None:
    assert detector.detect(astronaut)[0].score != detector.detect(astronaut[:, :, ::-1])[0].score


@pytest.mark.parametrize("size", [(1, 1), (11, 11), (42, 42), (59, 300), (60, 60), (61, 12), (480, 1)])
def test_tiny_images_have_no_face(detector: MTCNN, size: tuple[int, int]) -> None:
    assert detector.detect(np.zeros((*size, 3), np.uint8)) == []


@pytest.mark.parametrize("value", [0, 127, 255])
def test_a_plain_image_has_no_face(detector: MTCNN, value: int) -> None:
    assert detector.detect(np.full((240, 320, 3), value, np.uint8)) == []


def test_image_errors_reach_the_caller(detector: MTCNN) -> None:
    with pytest.raises(ValueError, match="empty"):
        detector.detect(np.zeros((0, 0, 3), np.uint8))


def test_min_face_size_limits_what_is_found(weights: DetectorWeights, astronaut: Image) -> None:
    assert len(MTCNN(weights=weights, min_face_size=40).detect(astronaut)) >= 1
    assert MTCNN(weights=weights, min_face_size=300).detect(astronaut) == []


def test_thresholds_of_one_pass_nothing(weights: DetectorWeights, astronaut: Image) -> None:
    for stage in range(3):
        thresholds = [0.6, 0.7, 0.7]
        thresholds[stage] = 1.0
        assert MTCNN(weights=weights, thresholds=thresholds).detect(astronaut) == []


def test_thresholds_of_zero_pass_everything_without_failing(weights: DetectorWeights) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    detections = MTCNN(weights=weights, thresholds=(0, 0, 0)).detect(noise)
    assert len(detections) > 5
    assert np.isfinite(boxes(detections)).all()


@pytest.mark.parametrize("size", [11.9, 0, -60, float("nan"), float("inf")])
def test_min_face_size_out_of_range(weights: DetectorWeights, size: float) -> None:
    with pytest.raises(ValueError, match="min_face_size"):
        MTCNN(weights=weights, min_face_size=size)


@pytest.mark.parametrize(
    "thresholds", [(0.6, 0.7), (0.6, 0.7, 1.1), (0.6, -0.1, 0.7), (0.6, float("nan"), 0.7)]
)
def test_thresholds_out_of_range(weights: DetectorWeights, thresholds: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="thresholds"):
        MTCNN(weights=weights, thresholds=thresholds)


def test_backends_agree_on_the_astronaut(weights: DetectorWeights, astronaut: Image) -> None:
    native, plain = (MTCNN(name, weights).detect(astronaut)[0] for name in ("native", "numpy"))
    assert_allclose(native.box, plain.box, atol=1e-3)
    assert_allclose(native.points, plain.points, atol=1e-3)
    assert native.score == pytest.approx(plain.score, abs=1e-6)


@pytest.mark.parametrize("backend", ["native", "numpy", "onnx", "device"])
def test_threads_change_nothing(weights: DetectorWeights, astronaut: Image, backend: str) -> None:
    one, two = (engine_detector(backend, weights, threads=count).detect(astronaut) for count in (1, 2))
    assert_array_equal(boxes(one), boxes(two))
    assert [face.score for face in one] == [face.score for face in two]


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_out_of_range(weights: DetectorWeights, threads: int) -> None:
    with pytest.raises(ValueError, match="threads"):
        MTCNN(weights=weights, threads=threads)


def test_weights_from_openface_files_give_the_same_boxes(
    tmp_path: Path, weights: DetectorWeights, detector: MTCNN, astronaut: Image
) -> None:
    layers = {network.name: network.layers for network in (weights.pnet, weights.rnet, weights.onet)}
    backend = detector.provenance["backend_asked_for"]
    other = MTCNN(backend, oracle.write_openface_folder(tmp_path, layers), options=detector.options)
    assert_array_equal(boxes(other.detect(astronaut)), boxes(detector.detect(astronaut)))
    assert str(tmp_path) in repr(other)


def test_missing_weights_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"PNet\.dat"):
        MTCNN(weights=tmp_path)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))])
def test_a_detector_can_be_sent_to_another_process(
    weights: DetectorWeights, astronaut: Image, duplicate: Change
) -> None:
    original = MTCNN(weights=weights, min_face_size=50, thresholds=(0.5, 0.6, 0.7), threads=2)
    twin = duplicate(original)
    assert twin.min_face_size == 50
    assert twin.thresholds == (0.5, 0.6, 0.7)
    assert twin.threads == 2
    assert twin.backend == original.backend
    assert_array_equal(boxes(twin.detect(astronaut)), boxes(original.detect(astronaut)))


def test_the_widest_face_is_chosen_and_of_equals_the_first() -> None:
    detections = [face(0, 50, 0.99), face(100, 80, 0.9), face(300, 80, 0.8)]
    assert choose_face(detections) is detections[1]


def test_the_face_nearest_to_a_preference_is_chosen() -> None:
    detections = [face(0, 50, 0.99), face(100, 80, 0.9), face(300, 80, 0.8)]
    assert choose_face(detections, preference=(330, 50)) is detections[2]
    assert choose_face(detections, preference=(0, 0)) is detections[0]


def test_no_face_to_choose() -> None:
    assert choose_face([]) is None
    assert choose_face([], preference=(1, 2)) is None
