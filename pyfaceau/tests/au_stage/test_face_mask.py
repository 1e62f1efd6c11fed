"""Mask of the face: compiled form against NumPy form and hand-drawn cases."""

from __future__ import annotations

import numpy as np
import pytest

from pyfaceau.alignment import face_mask, face_mask_numpy


def draw(points, triangles, size=(8, 8), module=face_mask):
    mask = np.full(size, 9, np.uint8)
    module.rasterise(np.array(points, np.float32), np.array(triangles, np.int32), mask)
    return mask


@pytest.mark.parametrize("module", [face_mask, face_mask_numpy])
def test_triangle_includes_its_edges_and_corners(module):
    mask = draw([(1, 1), (5, 1), (1, 5)], [(0, 1, 2)], module=module)
    expected = np.zeros((8, 8), np.uint8)
    for y in range(1, 6):
        expected[y, 1 : 7 - y] = 1
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("module", [face_mask, face_mask_numpy])
def test_orientation_of_the_corners_does_not_matter(module):
    corners = [(0.5, 0.25), (6.3, 2), (2, 7.1)]
    first = draw(corners, [(0, 1, 2)], module=module)
    assert first.any()
    np.testing.assert_array_equal(first, draw(corners, [(2, 1, 0)], module=module))


def test_triangle_that_reaches_out_of_the_image_is_cut_off():
    np.testing.assert_array_equal(draw([(-9, -9), (30, -9), (-9, 30)], [(0, 1, 2)]), np.ones((8, 8)))
    assert not draw([(-9, -9), (-1, -9), (-9, -1)], [(0, 1, 2)]).any()
    assert not draw([(9, 0), (20, 0), (9, 7)], [(0, 1, 2)]).any()


def test_corner_that_is_not_a_number_marks_nothing():
    assert not draw([(np.nan, 1), (5, 1), (1, 5)], [(0, 1, 2)]).any()


def test_equals_the_numpy_form_on_random_triangles(rng):
    for _ in range(40):
        points = rng.uniform(-20, 90, (30, 2))
        if rng.random() < 0.5:
            points = np.round(points)  # corners on the grid: edges run exactly through points
        triangles = rng.permuted(np.tile(np.arange(30), (12, 1)), axis=1)[:, :3]
        found = draw(points, triangles, (60, 70))
        np.testing.assert_array_equal(found, draw(points, triangles, (60, 70), face_mask_numpy))


def test_triangle_of_an_unknown_point_is_refused():
    with pytest.raises(ValueError, match="names point 3 of 3"):
        draw([(0, 0), (1, 0), (0, 1)], [(0, 1, 3)])


def test_black_out_clears_only_what_is_outside(rng):
    image = rng.integers(1, 256, (5, 6, 3), np.uint8)
    mask = rng.integers(0, 2, (5, 6), np.uint8)
    expected = image * mask[:, :, None]
    face_mask.black_out(image, mask)
    np.testing.assert_array_equal(image, expected)


def test_black_out_refuses_a_mask_of_another_size():
    with pytest.raises(ValueError, match="same size"):
        face_mask.black_out(np.zeros((5, 6, 3), np.uint8), np.zeros((6, 5), np.uint8))
