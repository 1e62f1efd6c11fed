"""Rounding, truncation and tie rules of the box arithmetic."""

from __future__ import annotations

import mtcnn_oracle as oracle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pymtcnn.boxes import (
    apply_regression,
    non_maximum_suppression,
    proposals,
    rectify,
    to_landmark_convention,
)


def rows(*values: tuple[float, ...]) -> np.ndarray:
    return np.array(values, np.float32)


def test_proposals_come_column_by_column_with_truncated_corners() -> None:
    probability = np.zeros((2, 3), np.float32)
    probability[0, 2], probability[1, 0], probability[1, 2] = 0.6, 0.9, 0.7
    regression = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    boxes, scores, offsets = proposals(probability, regression, 0.3, threshold=0.6)
    # Cell (row 1, column 0): x 1/0.3 = 3.33 to 12/0.3 = 40, y 3/0.3 = 10 to 14/0.3 = 46.67.
    assert_array_equal(boxes, rows((3, 10, 37, 36), (16, 3, 37, 37), (16, 10, 37, 36)))
    assert_array_equal(scores, rows((0.9, 0.6, 0.7))[0])
    assert_array_equal(offsets, regression[:, [1, 0, 1], [0, 2, 2]].T)


def test_of_equal_scores_the_later_box_wins() -> None:
    boxes = rows((0, 0, 10, 10), (1, 0, 10, 10), (0, 1, 10, 10))
    scores = rows((0.5, 0.5, 0.5))[0]
    assert non_maximum_suppression(boxes, scores, 0.5).tolist() == [2]


def test_overlap_equal_to_the_threshold_is_kept() -> None:
    boxes = rows((0, 0, 10, 10), (0, 0, 10, 5))  # union overlap exactly 0.5
    scores = rows((0.9, 0.8))[0]
    assert non_maximum_suppression(boxes, scores, 0.5).tolist() == [0, 1]
    assert non_maximum_suppression(boxes, scores, 0.49).tolist() == [0]


def test_overlap_of_the_smaller_box_sees_a_box_inside_another() -> None:
    boxes = rows((0, 0, 100, 100), (10, 10, 20, 20))
    scores = rows((0.9, 0.8))[0]
    assert non_maximum_suppression(boxes, scores, 0.7).tolist() == [0, 1]
    assert non_maximum_suppression(boxes, scores, 0.7, of_smaller=True).tolist() == [0]


def test_suppression_measures_boxes_rounded_half_to_even() -> None:
    boxes = rows((0, 0, 10, 10), (7.5, 0, 10, 10), (8.5, 0, 10, 10))
    scores = rows((0.9, 0.8, 0.7))[0]
    # Both fractional boxes round to x = 8 and are the same box.
    assert non_maximum_suppression(boxes, scores, 0.5).tolist() == [0, 1]


def test_suppression_of_nothing_is_nothing() -> None:
    assert non_maximum_suppression(np.empty((0, 4), np.float32), np.empty(0, np.float32), 0.5).size == 0


def test_empty_boxes_neither_warn_nor_suppress() -> None:
    boxes = rows((5, 5, 0, 0), (5, 5, 0, 0))
    assert sorted(non_maximum_suppression(boxes, rows((0.9, 0.8))[0], 0.5).tolist()) == [0, 1]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), of_smaller=st.booleans(), threshold=st.sampled_from([0.3, 0.5, 0.7]))
def test_suppression_equals_the_plain_form(seed: int, of_smaller: bool, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    boxes = rng.uniform([0, 0, 5, 5], [40, 40, 40, 40], (n, 4)).astype(np.float32)
    if rng.random() < 0.5:
        boxes = np.round(boxes * np.float32(2)) / np.float32(2)  # halves, for the rounding rule
    scores = rng.integers(0, 8, n).astype(np.float32) / 8  # many ties
    expected = oracle.suppression(boxes.tolist(), scores.tolist(), threshold, of_smaller)
    assert non_maximum_suppression(boxes, scores, threshold, of_smaller).tolist() == expected


@pytest.mark.slow
def test_suppression_of_many_boxes_equals_the_plain_form() -> None:
    rng = np.random.default_rng(7)
    boxes = rng.uniform([0, 0, 20, 20], [600, 400, 60, 60], (1500, 4)).astype(np.float32)
    scores = rng.random(1500).astype(np.float32)
    expected = oracle.suppression(boxes.tolist(), scores.tolist(), 0.5, False)
    assert non_maximum_suppression(boxes, scores, 0.5).tolist() == expected


def test_regression_starts_from_the_rounded_box() -> None:
    moved = apply_regression(rows((10.5, 11.5, 20.5, 21.5)), rows((0.1, -0.1, 0.2, 0.5)))
    # Rounded half to even: 10, 12, 20, 22.
    assert_allclose(moved, rows((12, 9.8, 22, 35.2)), rtol=1e-6)
    assert moved.dtype == np.float32


def test_enlarged_regression_keeps_the_origin() -> None:
    moved = apply_regression(rows((10, 10, 19, 29)), rows((0, 0, 0, 0)), enlarge=True)
    assert_array_equal(moved, rows((10, 10, 20, 30)))


@pytest.mark.parametrize(
    ("box", "square"),
    [
        ((10, 10, 20, 31), (4, 10, 31, 31)),  # 10 + 0.5 * (20 - 31) = 4.5
        ((-0.4, -3, 10.9, 4.2), (0, -6, 10, 10)),  # toward zero also below zero
        ((5.9, 6.9, 7.9, 7.9), (5, 6, 7, 7)),
    ],
)
def test_rectify_truncates_toward_zero(box: tuple[float, ...], square: tuple[float, ...]) -> None:
    assert_array_equal(rectify(rows(box)), rows(square))


def test_landmark_convention_uses_the_unadjusted_size() -> None:
    assert_allclose(
        to_landmark_convention(rows((100, 200, 80, 100))), rows((99.4, 224.59, 82.584, 77.51)), rtol=1e-6
    )
