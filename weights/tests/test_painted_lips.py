"""Lips that are painted for training: other grey values where lips are, the same elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from weights.landmarks.lips import darker_skin, painted_lips, varied_mouth

LEFT, TOP, WIDTH = 60.0, 100.0, 50.0


def _face(gap: float) -> np.ndarray:
    """68 points whose outer eye corners are 80 px apart; lips 10 px high, ``gap`` px between them."""
    points = np.zeros((68, 2))
    points[36], points[45] = (45.0, 50.0), (125.0, 50.0)
    x = LEFT + WIDTH * np.linspace(0, 1, 7)
    arch = np.sin(np.pi * np.linspace(0, 1, 7))
    points[48:55] = np.stack([x, TOP - 10 * arch], axis=1)
    points[55:60] = np.stack([x, TOP + (10 + gap) * arch], axis=1)[5:0:-1]
    points[60], points[64] = (LEFT + 4, TOP), (LEFT + WIDTH - 4, TOP)
    points[61:64] = np.stack([x, np.full(7, TOP)], axis=1)[2:5]
    points[65:68] = np.stack([x, TOP + gap * arch], axis=1)[4:1:-1]
    return points


def _regions(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Masks well inside the upper lip and well inside the mouth's opening, of a picture of 170 x 170."""
    y, x = np.mgrid[:170, :170]
    middle = np.abs(x - (LEFT + WIDTH / 2)) < 5
    upper = middle & (y > TOP - 7) & (y < TOP - 3)
    inside = middle & (y > points[62, 1] + 3) & (y < points[66, 1] - 3)
    return upper, inside


@pytest.mark.parametrize("seed", range(6))
def test_only_lips_are_painted(seed: int):
    points = _face(gap=16.0)
    image = np.full((170, 170), 140, np.uint8)
    painted = painted_lips(image, points, np.random.default_rng(seed))
    upper, inside = _regions(points)
    assert painted[upper].mean() <= 140.5
    np.testing.assert_array_equal(painted[inside], 140)  # an open mouth stays as it is
    outside = np.ones_like(image, bool)
    outside[int(TOP) - 14 : int(TOP) + 30, int(LEFT) - 4 : int(LEFT + WIDTH) + 5] = False
    np.testing.assert_array_equal(painted[outside], 140)


def test_upper_lips_become_darker_and_lower_ones_lighter_than_they():
    points = _face(gap=0.0)
    image = np.full((170, 170), 140, np.uint8)
    rng = np.random.default_rng(1)
    pictures = np.array([painted_lips(image, points, rng) for _ in range(60)], float)
    upper = pictures[:, _regions(points)[0]].mean(axis=1)
    lower = pictures[:, int(TOP) + 3 : int(TOP) + 8, 80:91].mean(axis=(1, 2))
    assert upper.mean() < 115
    assert (lower > upper).mean() > 0.9
    assert image.min() == image.max() == 140  # the picture itself stays


def test_a_mouth_outside_the_picture_is_left_alone():
    image = np.full((60, 60), 90, np.uint8)
    np.testing.assert_array_equal(painted_lips(image, _face(0.0), np.random.default_rng(0)), image)


def test_turned_mouths_are_painted_along_their_line():
    points = _face(gap=0.0)
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])  # a quarter turn about the picture's centre
    turned = (points - 84.5) @ turn.T + 84.5
    image = np.full((170, 170), 140, np.uint8)
    upright = painted_lips(image, points, np.random.default_rng(5))
    sideways = painted_lips(image, turned, np.random.default_rng(5))
    np.testing.assert_allclose(np.rot90(sideways), upright, atol=1)


def test_darker_skin_keeps_highlights():
    image = np.full((100, 100), 120, np.uint8)
    image[50, 50] = 250
    points = _face(0.0) * 0.5
    dark = darker_skin(image, points, np.random.default_rng(2))
    assert dark[20, 20] < 105
    assert int(dark[50, 50]) - int(dark[20, 20]) >= 120


def test_some_pictures_stay_as_they_are_and_seeds_repeat():
    points, image = _face(gap=3.0), np.random.default_rng(3).integers(40, 200, (170, 170)).astype(np.uint8)
    rng = np.random.default_rng(4)
    same = [np.array_equal(varied_mouth(image, points, rng), image) for _ in range(60)]
    assert 5 < sum(same) < 35
    first, second = (varied_mouth(image, points, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
