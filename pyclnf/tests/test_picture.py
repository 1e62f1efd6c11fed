"""Grey frames that are converted where somebody looks."""

from __future__ import annotations

import numpy as np
import pytest

from pyclnf.image import to_grey, warp_affine_u8
from pyclnf.picture import GreyFrame

RNG = np.random.default_rng(5)
IMAGE = RNG.integers(0, 256, (300, 400, 3), dtype=np.uint8)


class Recorded:
    """A picture that remembers what was asked for."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels
        self.asked: list[tuple[int, int, int, int]] = []

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.pixels.shape

    def part(self, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
        self.asked.append((x0, y0, x1, y1))
        return self.pixels[y0:y1, x0:x1]


@pytest.mark.parametrize("make", [lambda image: image, Recorded])
def test_what_was_asked_for_is_valid_however_often_it_grows(make):
    grey = GreyFrame().of(make(IMAGE))
    expected = to_grey(IMAGE)
    for x0, y0, x1, y1 in ((50, 60, 90, 99), (10, 5, 60, 80), (300.5, 200.2, 500, 400), (-50, -50, 5, 5)):
        found = grey.around(x0, y0, x1, y1)
        rows = slice(max(int(y0), 0), min(int(y1) + 1, 300))
        cols = slice(max(int(x0), 0), min(int(x1) + 1, 400))
        np.testing.assert_array_equal(found[rows, cols], expected[rows, cols])
    np.testing.assert_array_equal(grey.whole(), expected)


def test_only_what_is_looked_at_is_made_and_once():
    picture = Recorded(IMAGE)
    grey = GreyFrame().of(picture)
    grey.around(100, 100, 150, 140)
    grey.around(110, 105, 140, 139)
    assert picture.asked == [(96, 96, 160, 160)]
    grey.around(1000, 1000, 1100, 1100)
    assert len(picture.asked) == 1


def test_corners_that_are_not_finite_ask_for_everything():
    np.testing.assert_array_equal(
        GreyFrame().of(IMAGE).around(float("nan"), 0, float("inf"), 1), to_grey(IMAGE)
    )


def test_a_grey_image_of_the_caller_is_never_written_to():
    mine = to_grey(IMAGE)
    kept = mine.copy()
    grey = GreyFrame()
    grey.of(mine).whole()
    grey.of(255 - IMAGE).whole()
    np.testing.assert_array_equal(mine, kept)


@pytest.mark.parametrize("shift", [(-30.3, 12.5), (-390.0, -290.0), (900.0, 0.0)])
def test_warp_of_a_picture_asks_for_what_it_shows(shift):
    picture = Recorded(IMAGE)
    matrix = [[0.9, 0.2, shift[0]], [-0.2, 0.9, shift[1]]]
    found = warp_affine_u8(picture, matrix, (40, 30))
    np.testing.assert_array_equal(found, warp_affine_u8(IMAGE, matrix, (40, 30)))
    for x0, y0, x1, y1 in picture.asked:
        assert (x1 - x0) * (y1 - y0) < 0.1 * 300 * 400


def test_what_is_no_image_is_refused():
    with pytest.raises(TypeError, match="got list"):
        GreyFrame().of([[1, 2]])
