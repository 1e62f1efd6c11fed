"""FaceAligner: where the face goes, what is masked, other sizes."""

from __future__ import annotations

import numpy as np
import pytest

from pyfaceau.alignment import FaceAligner
from pyfaceau.alignment.aligner import RIGID_POINTS

NO_ROTATION = (0.0, 0.0, 0.0)


@pytest.fixture
def upright(landmarks_of):
    """Landmarks of an undeformed, unrotated face at 1.4 px/mm, and its parameters."""
    landmarks = landmarks_of(1.4, NO_ROTATION, 150, 140, (0, 0, 0))
    return landmarks, np.array([1.4, 0, 0, 0, 150, 140], np.float32)


def test_upright_face_is_only_scaled_and_its_origin_centred(pdm, triangulation, upright):
    landmarks, params = upright
    matrix = FaceAligner(pdm, triangulation).warp_matrix(landmarks, params)
    np.testing.assert_allclose(matrix, [[0.5, 0, 56 - 75], [0, 0.5, 56 - 70]], atol=1e-4)


def test_rotation_and_scale_are_undone(pdm, triangulation, landmarks_of, frames):
    aligner = FaceAligner(pdm, triangulation)
    angle = 0.4
    landmarks = landmarks_of(2.1, (0, 0, angle), 150, 140, (0, 0, 0))
    aligned = aligner.align(frames(1)[0], landmarks, np.array([2.1, 0, 0, angle, 150, 140], np.float32))
    expected = pdm.mean[:136].reshape(2, 68).T * 0.7 + 56
    np.testing.assert_allclose(aligned.landmarks[RIGID_POINTS], expected[RIGID_POINTS], atol=1e-3)


def test_pixels_outside_the_face_are_black_and_inside_unchanged(pdm, triangulation, upright, frames):
    frame = frames(1)[0] | np.uint8(1)  # nothing black in it
    masked = FaceAligner(pdm, triangulation).align(frame, *upright).image
    whole = FaceAligner(pdm, triangulation, mask=False).align(frame, *upright).image
    inside = masked.any(axis=2)
    assert 0.2 < inside.mean() < 0.9
    np.testing.assert_array_equal(masked, whole * inside[:, :, None])
    assert whole.all()


def test_mask_reaches_above_the_eyebrows_but_not_below_the_chin(pdm, triangulation, upright, frames):
    aligned = FaceAligner(pdm, triangulation).align(frames(1)[0] | np.uint8(1), *upright)
    rows = np.flatnonzero(aligned.image.any(axis=(1, 2)))
    assert rows[0] <= max(0, aligned.landmarks[17:27, 1].min() - 29)
    assert rows[-1] <= aligned.landmarks[8, 1]


def test_other_size_keeps_the_proportions(pdm, triangulation, upright):
    small = FaceAligner(pdm, triangulation).warp_matrix(*upright)
    large = FaceAligner(pdm, triangulation, size=224).warp_matrix(*upright)
    np.testing.assert_allclose(large, 2 * small, atol=1e-3)


def test_scale_can_be_chosen_apart_from_the_size(pdm, triangulation, upright, frames):
    aligner = FaceAligner(pdm, triangulation, size=200, scale=1.4, mask=False)
    aligned = aligner.align(frames(1)[0], *upright)
    assert aligned.image.shape == (200, 200, 3)
    np.testing.assert_allclose(aligned.matrix, [[1, 0, 100 - 150], [0, 1, 100 - 140]], atol=1e-4)


def test_grey_face_has_one_channel(pdm, triangulation, upright, frames):
    image = FaceAligner(pdm, triangulation, grey=True).align(frames(1)[0], *upright).image
    assert image.shape == (112, 112)
    assert image.any()


def test_faces_do_not_share_memory(pdm, triangulation, upright, frames):
    aligner = FaceAligner(pdm, triangulation)
    first, second = frames(2)
    kept = aligner.align(first, *upright).image
    copy = kept.copy()
    aligner.align(second, *upright)
    np.testing.assert_array_equal(kept, copy)


@pytest.mark.parametrize(
    ("frame", "landmarks", "message"),
    [
        (np.zeros((50, 50), np.uint8), np.ones((68, 2), np.float32), r"\(H, W, 3\)"),
        (np.zeros((50, 50, 3), np.uint16), np.ones((68, 2), np.float32), "uint16"),
        (np.zeros((50, 50, 3), np.uint8), np.ones((2, 68), np.float32), r"\(2, 68\)"),
        (np.zeros((50, 50, 3), np.uint8), np.full((68, 2), np.nan, np.float32), "finite"),
    ],
)
def test_wrong_input_is_refused_with_the_reason(pdm, triangulation, frame, landmarks, message):
    with pytest.raises(ValueError, match=message):
        FaceAligner(pdm, triangulation).align(frame, landmarks, np.zeros(6, np.float32))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"size": 0}, "positive"), ({"scale": 0.0}, "positive"), ({"scale": float("nan")}, "positive")],
)
def test_impossible_size_is_refused(pdm, triangulation, arguments, message):
    with pytest.raises(ValueError, match=message):
        FaceAligner(pdm, triangulation, **arguments)


def test_triangulation_of_another_model_is_refused(pdm):
    with pytest.raises(ValueError, match=r"outside 0\.\.67"):
        FaceAligner(pdm, np.array([[0, 1, 68]]))


@pytest.mark.parametrize(
    "arguments", [{"size": 16384}, {"size": 10**9}, {"scale": float("inf")}, {"scale": float("nan")}]
)
def test_aligned_faces_that_no_memory_or_patience_holds_are_refused(pdm, triangulation, arguments):
    with pytest.raises(ValueError, match=r"must be positive and at most 4096 px|must be a positive number"):
        FaceAligner(pdm, triangulation, **arguments)
