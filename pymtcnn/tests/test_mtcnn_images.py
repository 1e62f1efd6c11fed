"""Which images are accepted, and what becomes of them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from pymtcnn.image import as_bgr


def test_contiguous_bgr_bytes_are_not_copied() -> None:
    image = np.zeros((4, 5, 3), np.uint8)
    assert as_bgr(image) is image


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1)])
def test_grey_is_repeated(shape: tuple[int, ...]) -> None:
    image = np.arange(20, dtype=np.uint8).reshape(shape)
    converted = as_bgr(image)
    assert converted.shape == (4, 5, 3)
    assert_array_equal(converted, np.repeat(image.reshape(4, 5, 1), 3, axis=2))


def test_alpha_is_ignored() -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 4), dtype=np.uint8)
    assert_array_equal(as_bgr(image), image[:, :, :3])


def test_sixteen_bits_are_rounded_half_to_even_and_saturate() -> None:
    image = np.array([[0, 127, 128, 384, 640, 256 * 200 + 129, 65535]], np.uint16)
    assert_array_equal(as_bgr(image)[0, :, 0], np.array([0, 0, 0, 2, 2, 201, 255], np.uint8))


def test_floats_keep_their_scale() -> None:
    image = np.linspace(0, 255, 60).reshape(4, 5, 3)
    assert_array_equal(as_bgr(image), image.astype(np.float32))
    assert as_bgr(image).dtype == np.float32


def test_views_become_contiguous() -> None:
    image = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    assert as_bgr(image[::2, :, ::-1]).flags.c_contiguous


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0), (0, 0, 1)])
def test_empty_image(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="empty"):
        as_bgr(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(5,), (4, 5, 2), (3, 4, 5), (1, 4, 5, 3)])
def test_wrong_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        as_bgr(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", [np.int32, np.bool_, np.complex64, np.int8])
def test_wrong_dtype(dtype: type) -> None:
    with pytest.raises(TypeError, match="dtype"):
        as_bgr(np.zeros((4, 5, 3), dtype))


def test_a_failed_imread_is_explained() -> None:
    with pytest.raises(TypeError, match=r"NoneType.*imread"):
        as_bgr(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite(value: float) -> None:
    image = np.zeros((4, 5, 3), np.float32)
    image[1, 1, 1] = value
    with pytest.raises(ValueError, match="nan or infinite"):
        as_bgr(image)
