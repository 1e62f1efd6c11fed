"""Sampling of areas, greys and warps: the compiled kernels against their NumPy form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import synthetic_face as synthetic

from pyclnf import _core, oracle
from pyclnf.image import to_grey, warp_affine_u8

PLACES = [
    (100.0, 90.0),  # inside
    (0.0, 0.0), (-7.3, 100.2), (219.6, 5.1), (110.0, 199.9),  # across each border
    (-50.0, -50.0), (1e6, 90.0), (-1e9, 1e9),  # outside
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("side", [13, 19, 25])
def test_areas_equal_the_oracle_bit_for_bit(
    instruction_set: str, place: tuple[float, float], flip: bool, side: int
) -> None:
    grey = synthetic.image(1)
    for scale, angle in [(4.0, 0.0), (1.3, 0.7), (0.6, -2.5)]:
        a, b = np.float32(scale * math.cos(angle)), np.float32(scale * math.sin(angle))
        area = _core.sample_area(grey, *place, a, b, side, flip)
        np.testing.assert_array_equal(area, oracle.sample_area(grey, *place, a, b, side, flip))


def test_an_upright_area_at_whole_pixels_is_a_crop() -> None:
    grey = synthetic.image(2)
    np.testing.assert_array_equal(_core.sample_area(grey, 50, 60, 1, 0, 11, False), grey[55:66, 45:56])


def test_half_pixel_positions_blend_with_black_at_the_border() -> None:
    grey = np.full((5, 5), 200, np.uint8)
    assert _core.sample_area(grey, -0.5, 2.0, 1, 0, 1, False)[0, 0] == 100


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -3e38])
def test_areas_at_impossible_places_are_finite(instruction_set: str, value: float) -> None:
    grey = synthetic.image(3)
    for args in [(value, 0, 1, 0), (0, value, 1, 0), (0, 0, value, 1), (0, 0, 1, value), (value,) * 4]:
        assert np.isfinite(_core.sample_area(grey, *args, 25, False)).all()


def test_areas_of_strided_images_equal_those_of_copies(instruction_set: str) -> None:
    whole = synthetic.image(4, (300, 300))
    view = whole[20:220, 31:251]
    np.testing.assert_array_equal(
        _core.sample_area(view, 3, 198, 1.4, 0.3, 21, False),
        _core.sample_area(view.copy(), 3, 198, 1.4, 0.3, 21, False),
    )


@pytest.mark.parametrize("image", [np.zeros((4, 4, 3), np.uint8), np.zeros((8, 8), np.uint8)[:, ::2]])
def test_areas_refuse_images_that_are_not_rows_of_pixels(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="grey image"):
        _core.sample_area(image, 0, 0, 1, 0, 5, False)


@pytest.mark.parametrize("side", [0, -1, 65])
def test_areas_refuse_impossible_sides(side: int) -> None:
    with pytest.raises(ValueError, match="side"):
        _core.sample_area(synthetic.image(), 0, 0, 1, 0, side, False)


def test_grey_is_opencvs_fixed_point_mix_for_every_channel_count_and_stride() -> None:
    bgr = synthetic.random(0).integers(0, 256, (40, 30, 4)).astype(np.uint8)
    b, g, r = (bgr[:, :, k].astype(np.int64) for k in range(3))
    expected = ((3735 * b + 19235 * g + 9798 * r + 16384) >> 15).astype(np.uint8)
    for frame in (bgr, bgr[:, :, :3], np.asfortranarray(bgr), bgr[::-1][::-1]):
        np.testing.assert_array_equal(to_grey(frame), expected)
    np.testing.assert_array_equal(to_grey(bgr[:, ::-1]), expected[:, ::-1])


def test_warps_equal_the_oracles_samples() -> None:
    image = synthetic.image(5)
    matrix = np.array([[0.7, 0.2, -20.0], [-0.25, 0.8, 33.0]])
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    u, v = np.meshgrid(np.arange(90), np.arange(70))
    fixed = [
        np.rint((inverse[k, 1] * v + inverse[k, 2]) * 1024) + 16 + np.rint(inverse[k, 0] * u * 1024)
        for k in (0, 1)
    ]
    expected = oracle.sample_grid(image, *(f.astype(np.int64) // 32 for f in fixed))
    out = warp_affine_u8(image, matrix, (90, 70))
    np.testing.assert_array_equal(out, np.floor(expected + 0.5).astype(np.uint8))
    colour = warp_affine_u8(np.stack([image, image[::-1]], axis=2), matrix, (90, 70))
    np.testing.assert_array_equal(colour[:, :, 0], out)


@pytest.mark.parametrize("matrix", [np.zeros((2, 3)), np.full((2, 3), 1e100), np.full((2, 3), 1e-100)])
def test_degenerate_warps_do_not_touch_foreign_memory(matrix: np.ndarray) -> None:
    assert warp_affine_u8(synthetic.image(), matrix, (20, 10)).shape == (10, 20)
    with np.errstate(all="ignore"):
        assert warp_affine_u8(synthetic.image(), matrix * np.nan, (20, 10)).shape == (10, 20)
