"""Pyramid levels and crops against the plain resize."""

from __future__ import annotations

import mtcnn_oracle as oracle
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from pymtcnn.pyramid import crops, interpolation, pyramid_levels, resize_level, scales


def random_frame(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def plain_level(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    resized = oracle.resize(frame.astype(np.float32), height, width)
    return ((resized - np.float32(127.5)) * np.float32(0.0078125))[:, :, ::-1].transpose(2, 0, 1)


@pytest.mark.parametrize("size", [(61, 87), (120, 160), (200, 75)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_levels_have_the_bits_of_the_plain_resize(size: tuple[int, int], dtype: type) -> None:
    frame = random_frame(*size).astype(dtype)
    levels = pyramid_levels(*size, 20)
    assert len(levels) >= 3
    for level in levels:
        image = resize_level(frame, level)
        assert image.shape == (1, 3, level.height, level.width)
        assert image.dtype == np.float32
        assert_array_equal(image[0], plain_level(frame, level.height, level.width))


def test_a_level_may_be_larger_than_the_frame() -> None:
    frame = random_frame(9, 7)
    (level,) = (lv for lv in pyramid_levels(9, 7, 6) if lv.height == 18)
    assert_array_equal(resize_level(frame, level)[0], plain_level(frame, 18, 14))


@pytest.mark.parametrize(
    "box",
    [
        (30, 20, 40, 40),
        (1, 1, 23, 23),  # 24 px: no resize at all
        (-15, -9, 50, 50),  # over the top left corner
        (60, 40, 60, 60),  # over the bottom right corner
        (-20, -20, 140, 140),  # larger than the frame
        (40, 30, 0, 0),  # one pixel
        (0, 0, 10, 10),  # origin 0 means one pixel outside, as coordinates count from one
    ],
)
@pytest.mark.parametrize("size", [24, 48])
def test_crops_have_the_bits_of_the_plain_form(box: tuple[int, ...], size: int) -> None:
    frame = random_frame(70, 90)
    boxes = np.array([box, (10, 10, 30, 30)], np.float32)
    found = crops(frame, boxes, size)
    assert found.shape == (2, 3, size, size)
    for patch, one in zip(found, boxes, strict=True):
        assert_array_equal(patch, oracle.crop(frame, one, size))


def test_padding_is_black_before_normalisation() -> None:
    frame = np.full((50, 50, 3), 255, np.uint8)
    patch = crops(frame, np.array([(-59, 1, 80, 80)], np.float32), 24)[0]
    assert patch[0, 0, 0] == np.float32(-0.99609375)
    assert patch[0, 0, -1] == np.float32(0.99609375)


@pytest.mark.parametrize(("source", "length"), [(640, 91), (480, 69), (50, 24), (7, 48), (24, 24), (1, 24)])
def test_resize_agrees_with_opencv(source: int, length: int) -> None:
    cv2 = pytest.importorskip("cv2", reason="needs opencv-python-headless (extra 'test')")
    line = np.random.default_rng(0).uniform(0, 255, (1, source)).astype(np.float32)
    low, high, weight = interpolation(length, source)
    ours = line[0, low] * (1 - weight) + line[0, high] * weight
    # Newer versions of OpenCV than the reference's keep the position in double precision.
    np.testing.assert_allclose(
        ours, cv2.resize(line, (length, 1), interpolation=cv2.INTER_LINEAR)[0], atol=0.02
    )


@pytest.mark.parametrize(
    ("height", "width", "count"),
    [(480, 640, 7), (60, 200, 1), (59, 200, 0), (42, 500, 0), (1, 1, 0)],
)
def test_number_of_scales(height: int, width: int, count: int) -> None:
    found = scales(height, width, 60)
    assert len(found) == count
    assert all(scale * min(height, width) >= 12 - 1e-9 for scale in found)
