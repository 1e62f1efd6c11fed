"""extract_fhog: equal to its NumPy form, to hand-computed cases, and clear about wrong input."""

from __future__ import annotations

import concurrent.futures

import numpy as np
import pytest

from pyfhog import _core, extract_fhog, extract_fhog_features, fhog_shape
from pyfhog.fhog_numpy import fhog


@pytest.mark.parametrize("shape", [(112, 112, 3), (112, 112), (75, 97, 3), (64, 51), (31, 40, 3)])
@pytest.mark.parametrize("cell_size", [4, 8])
def test_equals_the_formulas_written_in_numpy(rng, shape, cell_size):
    image = rng.integers(0, 256, shape, np.uint8)
    np.testing.assert_allclose(extract_fhog(image, cell_size), fhog(image, cell_size), rtol=0, atol=2e-6)


def test_equals_the_formulas_where_channels_tie(rng):
    image = rng.integers(0, 3, (96, 96, 3), np.uint8)  # few levels: most pixels tie
    np.testing.assert_allclose(extract_fhog(image), fhog(image), rtol=0, atol=2e-6)


def test_uniform_image_has_no_gradient():
    assert not extract_fhog(np.full((112, 112, 3), 200, np.uint8)).any()


def test_vertical_edge_votes_for_the_horizontal_direction_only():
    image = np.zeros((64, 64), np.uint8)
    image[:, 32:] = 100
    features = extract_fhog(image)
    other_orientations = [k for k in range(27) if k not in (0, 18)]
    assert not features[:, :, other_orientations].any()
    # Two columns of gradient 100 per row vote for the two cells beside the edge, with weights that add up to
    # 1: H = 800 in each. The blocks there hold two or four such cells, so the limit is below H and clips
    # every vote to limit * 0.1 / limit = 0.1 in each of four blocks.
    inner = features[2:4, 2:4]
    np.testing.assert_allclose(inner[:, :, 0], 0.4, atol=1e-6)
    np.testing.assert_allclose(inner[:, :, 18], 0.4, atol=1e-6)
    np.testing.assert_allclose(inner[:, :, 27:], 0.4714 * 0.1, atol=1e-6)


def test_grey_image_equals_colour_image_with_equal_channels(rng):
    grey = rng.integers(0, 256, (80, 80), np.uint8)
    colour = np.repeat(grey[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(extract_fhog(grey), extract_fhog(colour))


def test_channels_are_taken_as_blue_green_red(rng):
    image = rng.integers(0, 3, (96, 96, 3), np.uint8)
    assert not np.array_equal(extract_fhog(image), extract_fhog(image[:, :, ::-1]))


def test_float_image_is_cut_to_whole_levels(rng):
    levels = rng.integers(0, 255, (64, 64, 3), np.uint8)
    image = levels.astype(np.float32) + np.float32(0.7)
    np.testing.assert_array_equal(extract_fhog(image), extract_fhog(levels))


def test_filter_padding_adds_zeros_around(rng):
    image = rng.integers(0, 256, (80, 96, 3), np.uint8)
    features = extract_fhog(image, filter_rows_padding=4, filter_cols_padding=3)
    assert features.shape == fhog_shape(80, 96, 8, 4, 3) == (8 + 3, 10 + 2, 31)
    np.testing.assert_array_equal(features[1:9, 1:11], extract_fhog(image))
    features[1:9, 1:11] = 0
    assert not features.any()


def test_cell_of_one_pixel_keeps_the_size_less_two(rng):
    assert extract_fhog(rng.integers(0, 256, (20, 30), np.uint8), cell_size=1).shape == (18, 28, 31)


@pytest.mark.parametrize(
    "view",
    [
        lambda image: image[10:90, 5:101],
        lambda image: image[:, ::-1],
        lambda image: image[::-1],
        lambda image: image[::2, ::2],
        lambda image: image[:, :, ::-1],
        lambda image: image.transpose(1, 0, 2),
        lambda image: image[:, :, 1],
        lambda image: np.broadcast_to(image[:1], image.shape),
    ],
)
def test_any_memory_layout_gives_the_same(rng, view):
    image = view(rng.integers(0, 256, (120, 120, 3), np.uint8))
    np.testing.assert_array_equal(extract_fhog(image), extract_fhog(np.array(image)))


def test_read_only_image_is_accepted(rng):
    image = rng.integers(0, 256, (64, 64), np.uint8)
    image.flags.writeable = False
    assert extract_fhog(image).any()


def test_result_goes_into_the_given_buffer(rng):
    image = rng.integers(0, 256, (112, 112, 3), np.uint8)
    out = np.full((12, 12, 31), np.nan, np.float32)
    assert extract_fhog(image, out=out) is out
    np.testing.assert_array_equal(out, extract_fhog(image))


def test_threads_do_not_disturb_each_other(rng):
    images = [rng.integers(0, 256, (112 + 8 * (i % 3), 112, 3), np.uint8) for i in range(24)]
    alone = [extract_fhog(image) for image in images]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for expected, found in zip(alone, pool.map(extract_fhog, images), strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        ([[1, 2], [3, 4]], TypeError, "numpy array"),
        (np.zeros((112, 112), np.float64), TypeError, "float64"),
        (np.zeros((112, 112), np.int32), TypeError, "int32"),
        (np.zeros((0, 112), np.uint8), ValueError, "empty"),
        (np.zeros(112, np.uint8), ValueError, r"\(112,\)"),
        (np.zeros((112, 112, 4), np.uint8), ValueError, r"\(112, 112, 4\)"),
        (np.zeros((112, 19), np.uint8), ValueError, "too small"),
        (np.full((112, 112), np.nan, np.float32), ValueError, "NaN"),
        (np.full((112, 112), np.inf, np.float32), ValueError, "NaN or infinite"),
        (np.full((112, 112), -1, np.float32), ValueError, r"within 0\.\.255"),
        (np.full((112, 112), 256, np.float32), ValueError, r"within 0\.\.255"),
        (np.full((112, 112), 0.5, np.float32), ValueError, "multiply it by 255"),
    ],
)
def test_wrong_image_is_refused_with_the_reason(image, error, message):
    with pytest.raises(error, match=message):
        extract_fhog(image)


@pytest.mark.parametrize("name", ["cell_size", "filter_rows_padding", "filter_cols_padding"])
def test_size_must_be_positive(name):
    with pytest.raises(ValueError, match=name):
        extract_fhog(np.zeros((64, 64), np.uint8), **{name: 0})


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.zeros((12, 12, 31)), TypeError, "float32"),
        (np.zeros((12, 11, 31), np.float32), ValueError, "shape"),
        (np.zeros((12, 12, 62), np.float32)[:, :, ::2], TypeError, "contiguous"),
    ],
)
def test_wrong_buffer_is_refused_with_the_reason(out, error, message):
    with pytest.raises(error, match=message):
        extract_fhog(np.zeros((112, 112), np.uint8), out=out)


def test_names_and_arguments_of_earlier_versions_work():
    image = np.random.default_rng(3).integers(0, 256, (112, 112, 3), np.uint8)
    features = extract_fhog_features(image, cell_size=8)
    assert (features.shape, features.dtype) == ((4464,), np.float64)
    np.testing.assert_array_equal(features, extract_fhog(image, num_bins=31).ravel())
    with pytest.raises(ValueError, match="num_bins cannot be 18"):
        extract_fhog(image, num_bins=18)


@pytest.mark.parametrize("cell_size", [0, -1, -(2**31), 65537])
@pytest.mark.parametrize("padding", [(1, 1)])
def test_compiled_form_refuses_impossible_cells(cell_size, padding):
    with pytest.raises(ValueError, match="1 to 65536"):
        _core.extract_fhog(
            np.zeros((64, 64), np.uint8), cell_size, *padding, np.zeros((6, 6, 31), np.float32)
        )


@pytest.mark.parametrize("padding", [(0, 1), (1, 0), (-3, 1), (1, -(2**31)), (2**31 - 1, 1)])
def test_compiled_form_refuses_impossible_padding(padding):
    with pytest.raises(ValueError, match="1 to 65536"):
        _core.extract_fhog(np.zeros((64, 64), np.uint8), 8, *padding, np.zeros((6, 6, 31), np.float32))


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_a_matrix_is_taken_as_a_plain_array():
    plain = np.random.default_rng(0).integers(0, 256, (64, 80), np.uint8)
    for image in (plain, plain.T, plain.astype(np.float32)):
        np.testing.assert_array_equal(extract_fhog(np.matrix(image)), extract_fhog(image))
