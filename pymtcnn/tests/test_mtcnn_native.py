"""The compiled kernels one by one, and what they promise: bits that depend on neither threads nor company."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import mtcnn_oracle as oracle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pymtcnn import DetectorWeights, _core, pyramid
from pymtcnn.backends import create_engine
from pymtcnn.backends.native import NativeBackend
from pymtcnn.networks import Convolution, FullyConnected, MaxPool, PReLU

INSTRUCTION_SETS = _core.instruction_sets()


def values(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def random_frame(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(params=INSTRUCTION_SETS)
def instruction_set(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_chosen_instruction_set_is_the_default() -> None:
    assert INSTRUCTION_SETS[0] == "baseline"
    assert _core.Network(3).instruction_set == _core.instruction_set()


@settings(max_examples=40, deadline=None)
@given(
    inputs=st.integers(1, 9),
    outputs=st.integers(1, 33),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    beyond=st.tuples(st.integers(0, 30), st.integers(0, 120)),
    instruction_set=st.sampled_from(INSTRUCTION_SETS),
)
def test_convolution_equals_the_plain_form(
    inputs: int, outputs: int, kernel: tuple[int, int], beyond: tuple[int, int], instruction_set: str
) -> None:
    layer = Convolution(values(1, outputs, inputs, *kernel), values(2, outputs))
    network = _core.Network(inputs, instruction_set)
    network.add_convolution(layer.kernels, layer.bias)
    maps = values(3, 2, inputs, kernel[0] + beyond[0], kernel[1] + beyond[1])
    found = network.run(maps)
    for image, one in zip(maps, found, strict=True):
        assert_allclose(one, oracle.convolution(image.astype(float), layer), atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    maps=st.integers(1, 5),
    window=st.sampled_from([(1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (4, 2)]),
    beyond=st.tuples(st.integers(0, 20), st.integers(0, 70)),
    instruction_set=st.sampled_from(INSTRUCTION_SETS),
)
def test_max_pool_equals_the_plain_form(
    maps: int, window: tuple[int, int], beyond: tuple[int, int], instruction_set: str
) -> None:
    network = _core.Network(maps, instruction_set)
    network.add_max_pool(*window)
    image = values(4, 1, maps, window[0] + beyond[0], window[0] + beyond[1]) - 5
    assert_array_equal(network.run(image)[0], oracle.max_pool(image[0].astype(float), MaxPool(*window)))


@pytest.mark.parametrize("pooled", [False, True])
def test_rectifier_equals_the_plain_form_for_any_slope(instruction_set: str, pooled: bool) -> None:
    layer = PReLU(np.array([-1.5, -0.25, 0, 0.25, 1, 1.5], np.float32))
    network = _core.Network(6, instruction_set)
    network.add_rectifier(layer.slopes)
    image = values(5, 1, 6, 9, 37)
    expected = oracle.prelu(image[0], layer)
    if pooled:
        network.add_max_pool(3, 2)
        expected = oracle.max_pool(expected, MaxPool(3, 2))
    assert_array_equal(network.run(image)[0], expected.astype(np.float32))


@pytest.mark.parametrize("images", [1, 15, 17, 70, 300])
def test_fully_connected_layers_equal_the_plain_form(instruction_set: str, images: int) -> None:
    first = FullyConnected(values(6, 4 * 3 * 5, 13), values(7, 13))
    slopes = PReLU(values(8, 13))
    second = FullyConnected(values(9, 13, 2), values(10, 2))
    network = _core.Network(4, instruction_set)
    network.add_fully_connected(np.ascontiguousarray(first.weights.T), first.bias)
    network.add_rectifier(slopes.slopes)
    network.add_fully_connected(np.ascontiguousarray(second.weights.T), second.bias)
    batch = values(11, images, 4, 3, 5)
    found = network.run(batch)
    assert found.shape == (images, 2, 1, 1)
    hidden = oracle.prelu((batch.reshape(images, -1).astype(float) @ first.weights + first.bias).T, slopes)
    assert_allclose(found[:, :, 0, 0], hidden.T @ second.weights + second.bias, atol=1e-3)


@pytest.mark.parametrize("size", [(61, 87), (120, 160), (200, 75)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_resize_has_the_bits_of_the_numpy_form(
    instruction_set: str, size: tuple[int, int], dtype: type
) -> None:
    frame = random_frame(*size).astype(dtype)
    for level in pyramid.pyramid_levels(*size, 14):
        found = _core.resize(frame, level.height, level.width, instruction_set)
        assert_array_equal(found, pyramid.resize_level(frame, level)[0])


@pytest.mark.parametrize("frame_size", [(70, 90), (1, 1), (2, 5)])
@pytest.mark.parametrize("side", [24, 48])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_crops_have_the_bits_of_the_numpy_form(
    instruction_set: str, frame_size: tuple[int, int], side: int, dtype: type
) -> None:
    frame = random_frame(*frame_size).astype(dtype)
    boxes = np.array(
        [
            (30, 20, 40, 40), (1, 1, 23, 23), (-15, -9, 50, 50), (60, 40, 60, 60), (-20, -20, 140, 140),
            (40, 30, 0, 0), (0, 0, 10, 10), (1, 1, 0, 0), (90, 70, 3, 3), (300, -200, 30, 30),
        ],
        np.float32,
    )  # fmt: skip
    assert_array_equal(_core.crops(frame, boxes, side, instruction_set), pyramid.crops(frame, boxes, side))


@pytest.mark.parametrize("size", [(60, 60), (61, 200), (300, 83), (480, 640)])
def test_every_level_equals_the_numpy_backends(
    weights: DetectorWeights, instruction_set: str, size: tuple[int, int]
) -> None:
    frame = random_frame(*size)
    levels = pyramid.pyramid_levels(*size, 24)
    found = NativeBackend(weights, instruction_set=instruction_set).propose(frame, levels)
    for ours, theirs in zip(found, create_engine("numpy", weights).propose(frame, levels), strict=True):
        assert ours.probability.shape == theirs.probability.shape
        assert_allclose(ours.probability, theirs.probability, atol=5e-6)
        assert_allclose(ours.regression, theirs.regression, atol=5e-6)


def test_a_level_in_strips_has_the_bits_of_the_whole(weights: DetectorWeights, instruction_set: str) -> None:
    """A level of 1000 x 999 px is computed in many strips; alone, the network takes it in one piece."""
    frame = random_frame(500, 400)
    backend = NativeBackend(weights, instruction_set=instruction_set)
    raw = backend.pnet.core.levels(frame, [(999, 1000), (400, 400)])
    whole = backend.pnet.core.run(_core.resize(frame, 999, 1000, instruction_set)[None])
    assert_array_equal(raw[:, : whole[0, 0].size], whole[0].reshape(6, -1))


@pytest.mark.parametrize("threads", [2, 5])
def test_results_do_not_depend_on_the_number_of_threads(
    weights: DetectorWeights, instruction_set: str, threads: int
) -> None:
    frame = random_frame(300, 400)
    corners = np.random.default_rng(0).integers(-20, 200, (280, 2))
    boxes = np.concatenate([corners, np.full((280, 2), 63)], axis=1).astype(np.float32)
    one, several = (NativeBackend(weights, count, instruction_set) for count in (1, threads))
    levels = [(60, 80), (300, 400)]
    assert_array_equal(several.pnet.core.levels(frame, levels, threads), one.pnet.core.levels(frame, levels))
    for found, expected in (
        (several.refine(frame, boxes), one.refine(frame, boxes)),
        (several.finish(frame, boxes[:30]), one.finish(frame, boxes[:30])),
    ):
        assert_array_equal(found.probability, expected.probability)
        assert_array_equal(found.regression, expected.regression)


def test_results_do_not_depend_on_the_other_candidates(
    weights: DetectorWeights, instruction_set: str
) -> None:
    frame = random_frame(100, 100)
    boxes = np.array([(5 * i, 3 * i, 40, 40) for i in range(18)], np.float32)
    core = NativeBackend(weights, instruction_set=instruction_set).onet.core
    together = core.crops(frame, boxes, 48)
    for box, expected in zip(boxes, together, strict=True):
        assert_array_equal(core.crops(frame, box[None], 48)[0], expected)


def test_python_threads_get_what_one_gets(weights: DetectorWeights) -> None:
    frame = random_frame(200, 300)
    backend = NativeBackend(weights, threads=2)
    expected = backend.pnet.core.levels(frame, [(200, 300)])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: backend.pnet.core.levels(frame, [(200, 300)], 2), range(12)))
    for one in found:
        assert_array_equal(one, expected)


def test_avx2_and_avx512_give_the_same_bits(weights: DetectorWeights) -> None:
    if not {"avx2", "avx512"} <= set(INSTRUCTION_SETS):
        pytest.skip("this machine does not have both")
    frame = random_frame(150, 150)
    first, second = (
        NativeBackend(weights, instruction_set=name).pnet.core.levels(frame, [(150, 150)])
        for name in ("avx2", "avx512")
    )
    assert_array_equal(first, second)


def test_no_boxes_and_no_levels_give_nothing(weights: DetectorWeights) -> None:
    backend = NativeBackend(weights)
    frame = random_frame(60, 60)
    assert backend.rnet.core.crops(frame, np.empty((0, 4), np.float32), 24).shape == (0, 6)
    assert backend.pnet.core.levels(frame, []).shape == (6, 0)
    assert backend.propose(frame, ()) == []


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((0, 0, np.nan, 5), "finite"),
        ((np.inf, 0, 5, 5), "finite"),
        ((0, 3e8, 5, 5), "2.24"),
        ((0, 0, -1, 5), "negative"),
    ],
)
def test_boxes_that_are_no_squares_are_refused(box: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _core.crops(random_frame(9, 9), np.array([box], np.float32), 24)


def test_wrong_arrays_are_refused(weights: DetectorWeights) -> None:
    backend = NativeBackend(weights)
    frame = random_frame(60, 60)
    for wrong in (frame[:, ::2], frame[:, :, :2], frame[0], frame.astype(np.float64), frame.astype(np.int8)):
        with pytest.raises(ValueError, match="frame"):
            _core.resize(wrong, 12, 12)
    with pytest.raises(ValueError, match="boxes"):
        backend.rnet.core.crops(frame, np.zeros((3, 5), np.float32), 24)
    with pytest.raises(ValueError, match="smaller than the network looks at"):
        backend.pnet.core.levels(frame, [(10, 12)])
    with pytest.raises(ValueError, match="does not match"):
        backend.rnet.core.crops(frame, np.zeros((1, 4), np.float32), 48)
    with pytest.raises(ValueError, match="batch"):
        backend.rnet.core.run(np.zeros((1, 4, 24, 24), np.float32))
    with pytest.raises(ValueError, match="with fully connected layers"):
        backend.pnet.core.crops(frame, np.zeros((1, 4), np.float32), 48)
    with pytest.raises(ValueError, match="without fully connected layers"):
        backend.rnet.core.levels(frame, [(24, 24)])


def test_layers_that_do_not_chain_are_refused() -> None:
    network = _core.Network(3)
    with pytest.raises(ValueError, match="kernels"):
        network.add_convolution(values(0, 4, 2, 3, 3), values(0, 4))
    with pytest.raises(ValueError, match="bias"):
        network.add_convolution(values(0, 4, 3, 3, 3), values(0, 3))
    with pytest.raises(ValueError, match="slope"):
        network.add_rectifier(values(0, 4))
    with pytest.raises(ValueError, match="windows"):
        network.add_max_pool(2, 3)
    with pytest.raises(ValueError, match="inputs"):
        network.add_fully_connected(values(0, 5, 4), values(0, 5))
    network.add_fully_connected(values(0, 5, 6), values(0, 5))
    with pytest.raises(ValueError, match="no maps"):
        network.add_max_pool(2, 2)
    with pytest.raises(ValueError, match="does not match"):
        network.run(values(0, 1, 3, 2, 2))
    with pytest.raises(ValueError, match="choose baseline"):
        _core.Network(3, "mmx")
