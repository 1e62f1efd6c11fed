"""Several images at once, the selection of faces, and the arguments of the search."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from pymtcnn import MTCNN, Detection, DetectorWeights, select_faces

Image = NDArray[np.uint8]


def boxes(detections: list[Detection]) -> NDArray[np.float32]:
    return np.array([detection.box for detection in detections], np.float32).reshape(-1, 4)


def face(x: float, width: float, score: float) -> Detection:
    return Detection(np.array([x, 0, width, 100], np.float32), score, np.zeros((5, 2), np.float32))


def test_a_batch_gives_what_its_images_give_one_by_one(detector: MTCNN, astronaut: Image) -> None:
    crop = astronaut[:256, 80:360]
    images = [
        astronaut,
        np.zeros((512, 512, 3), np.uint8),
        astronaut[:, ::-1],
        astronaut[:300, :400],
        astronaut.astype(np.float32),
        astronaut.mean(axis=2).astype(np.uint8),
        np.concatenate([crop, crop[:, ::-1]], axis=1),
        np.zeros((30, 30), np.uint8),
    ]
    found = detector.detect_batch(images)
    assert [len(faces) for faces in found] == [1, 0, 1, 1, 1, 1, 2, 0]
    exact = detector.backend in ("native", "numpy", "onnx")
    for faces, image in zip(found, images, strict=True):
        alone = detector.detect(image)
        assert_allclose(boxes(faces), boxes(alone), atol=0 if exact else 1e-3)
        assert_allclose([f.score for f in faces], [f.score for f in alone], atol=0 if exact else 1e-5)


def test_a_batch_may_be_longer_than_what_an_engine_takes_at_once(detector: MTCNN, astronaut: Image) -> None:
    frames = [np.roll(astronaut[::2, ::2], shift, axis=1) for shift in range(0, 40, 2)]
    found = detector.detect_batch(iter(frames))
    assert len(found) == 20
    alone = [detector.detect(frame) for frame in frames]
    assert [len(faces) for faces in found] == [len(faces) for faces in alone]


def test_an_empty_batch_gives_nothing(detector: MTCNN) -> None:
    assert detector.detect_batch([]) == []


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (np.zeros((0, 4, 3), np.uint8), ValueError, "image 1 of the batch: .*empty"),
        (None, TypeError, "image 1 of the batch: .*NumPy array"),
        (np.zeros((5, 5, 3), np.int32), TypeError, "image 1 of the batch: .*int32"),
    ],
)
def test_a_wrong_image_of_a_batch_is_named(
    detector: MTCNN, wrong: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        detector.detect_batch([np.zeros((80, 80, 3), np.uint8), wrong])


@pytest.mark.parametrize("form", ["read-only", "strided", "reversed", "transposed"])
def test_arrays_of_any_memory_layout_are_taken(detector: MTCNN, astronaut: Image, form: str) -> None:
    double = np.repeat(np.repeat(astronaut, 2, axis=0), 2, axis=1)
    images = {
        "read-only": astronaut.copy(),
        "strided": double[::2, ::2],
        "reversed": astronaut[::-1].copy()[::-1],
        "transposed": np.ascontiguousarray(astronaut.transpose(2, 0, 1)).transpose(1, 2, 0),
    }
    image = images[form]
    image.setflags(write=False)
    before = image.copy()
    assert_array_equal(boxes(detector.detect(image)), boxes(detector.detect(astronaut)))
    assert_array_equal(image, before)


@pytest.mark.parametrize("size", [(59, 59), (59, 400), (1, 1), (42, 42)])
def test_an_image_smaller_than_the_smallest_face_has_none(detector: MTCNN, size: tuple[int, int]) -> None:
    assert detector.detect_batch([np.full((*size, 3), 90, np.uint8)] * 2) == [[], []]


def test_the_pyramids_factor_changes_what_is_searched(weights: DetectorWeights, astronaut: Image) -> None:
    large = np.repeat(np.repeat(astronaut[:256, 80:360], 3, axis=0), 3, axis=1)
    (plain,) = MTCNN(weights=weights).detect(large)
    (other,) = MTCNN(weights=weights, factor=0.6).detect(large)
    assert_allclose(other.box, plain.box, atol=40)
    assert not np.array_equal(other.box, plain.box)
    (same,) = MTCNN(weights=weights, factor=0.709).detect(large)
    assert_array_equal(same.box, plain.box)


@pytest.mark.parametrize("factor", [0, -0.5, 0.96, 1, float("nan")])
def test_a_factor_out_of_range_is_refused(weights: DetectorWeights, factor: float) -> None:
    with pytest.raises(ValueError, match="factor"):
        MTCNN(weights=weights, factor=factor)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))])
def test_a_copy_has_all_settings(detector: MTCNN, astronaut: Image, duplicate: Any) -> None:
    twin = duplicate(detector)
    assert twin.provenance == detector.provenance
    assert (twin.factor, twin.fallback, twin.options) == (
        detector.factor,
        detector.fallback,
        detector.options,
    )
    assert_array_equal(boxes(twin.detect(astronaut)), boxes(detector.detect(astronaut)))


FACES = [face(0, 50, 0.8), face(100, 80, 0.9), face(300, 80, 0.99)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [2, 1, 0]),
        ({"by": "best", "count": 1}, [2]),
        ({"by": "largest"}, [1, 2, 0]),
        ({"by": "largest", "count": 2}, [1, 2]),
        ({"by": "nearest", "point": (20, 50)}, [0, 1, 2]),
        ({"by": "nearest", "point": (330, 50), "count": 1}, [2]),
        ({"count": 0}, []),
        ({"count": 9}, [2, 1, 0]),
    ],
)
def test_faces_are_selected_by_score_size_or_place(arguments: dict[str, Any], expected: list[int]) -> None:
    assert [FACES.index(chosen) for chosen in select_faces(FACES, **arguments)] == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "first"}, "by is"),
        ({"count": -1}, "count is"),
        ({"by": "nearest"}, "point"),
        ({"by": "largest", "point": (1, 2)}, "point"),
    ],
)
def test_a_selection_that_makes_no_sense_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        select_faces(FACES, **arguments)
