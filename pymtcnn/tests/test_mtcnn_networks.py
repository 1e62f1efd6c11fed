"""The networks of every backend, with every instruction set, against the plain form of each layer."""

from __future__ import annotations

import threading

import mtcnn_oracle as oracle
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pymtcnn import DetectorWeights, _core
from pymtcnn.backends import NetworkBackend, NetworkOutput, create_engine
from pymtcnn.backends.native import NativeBackend
from pymtcnn.backends.numpy import NumpyNetwork
from pymtcnn.networks import MaxPool

Engine = NetworkBackend | NativeBackend


@pytest.fixture(scope="module", params=["numpy", "onnx", *_core.instruction_sets()])
def engine(request: pytest.FixtureRequest, weights: DetectorWeights) -> Engine:
    """NumPy's or ONNX Runtime's networks, or the compiled ones with one instruction set."""
    if request.param == "onnx":
        pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    if request.param in ("numpy", "onnx"):
        backend = create_engine(request.param, weights)
        assert isinstance(backend, NetworkBackend)
        return backend
    return NativeBackend(weights, instruction_set=request.param)


def expected_output(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return 1 / (1 + np.exp(raw[0] - raw[1])), raw[2:6]


@pytest.mark.parametrize("size", [(12, 12), (13, 12), (12, 17), (24, 31), (45, 46)])
def test_pnet_equals_the_plain_form_for_any_image_size(
    engine: Engine, weights: DetectorWeights, size: tuple[int, int]
) -> None:
    image = np.random.default_rng(0).uniform(-1, 1, (1, 3, *size)).astype(np.float32)
    output = engine.pnet.run(image)
    probability, regression = expected_output(oracle.network(image[0], weights.pnet.layers))
    assert_allclose(output.probability[0], probability, atol=2e-6)
    assert_allclose(output.regression[0], regression, atol=5e-6)
    assert output.points is None


@pytest.mark.parametrize("images", [1, 3, 16, 19])
def test_rnet_equals_the_plain_form_for_any_batch(
    engine: Engine, weights: DetectorWeights, images: int
) -> None:
    batch = np.random.default_rng(1).uniform(-1, 1, (images, 3, 24, 24)).astype(np.float32)
    output = engine.rnet.run(batch)
    for i in range(images):
        probability, regression = expected_output(oracle.network(batch[i], weights.rnet.layers))
        assert_allclose(output.probability[i], probability, atol=2e-6)
        assert_allclose(output.regression[i], regression, atol=5e-6)


@pytest.mark.parametrize("images", [1, 4, 6])
def test_onet_equals_the_plain_form_for_any_batch(
    engine: Engine, weights: DetectorWeights, images: int
) -> None:
    batch = np.random.default_rng(2).uniform(-1, 1, (images, 3, 48, 48)).astype(np.float32)
    output = engine.onet.run(batch)
    assert output.points is not None
    for i in range(images):
        raw = oracle.network(batch[i], weights.onet.layers)
        probability, regression = expected_output(raw)
        assert_allclose(output.probability[i], probability, atol=2e-6)
        assert_allclose(output.regression[i], regression, atol=5e-6)
        assert_allclose(output.points[i], raw[6:].reshape(2, 5), atol=5e-6)


def test_results_do_not_depend_on_what_the_workspaces_held_before(engine: Engine) -> None:
    rng = np.random.default_rng(3)
    image = rng.uniform(-1, 1, (1, 3, 40, 50)).astype(np.float32)
    first = engine.pnet.run(image)
    for size in [(80, 90), (13, 200), (12, 12)]:
        engine.pnet.run(rng.uniform(-1e3, 1e3, (1, 3, *size)).astype(np.float32))
    again = engine.pnet.run(image)
    assert_array_equal(again.probability, first.probability)
    assert_array_equal(again.regression, first.regression)


def test_an_output_stays_valid_after_the_next_call(engine: Engine) -> None:
    rng = np.random.default_rng(4)
    output = engine.onet.run(rng.uniform(-1, 1, (2, 3, 48, 48)).astype(np.float32))
    before = output.regression.copy()
    engine.onet.run(rng.uniform(-1, 1, (2, 3, 48, 48)).astype(np.float32))
    assert_array_equal(output.regression, before)


def test_memory_order_of_the_batch_does_not_matter(engine: Engine) -> None:
    batch = np.random.default_rng(5).uniform(-1, 1, (5, 3, 24, 24)).astype(np.float32)
    channels_last = np.ascontiguousarray(batch.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert_array_equal(engine.rnet.run(batch).regression, engine.rnet.run(channels_last).regression)


def test_threads_may_share_a_network(engine: Engine) -> None:
    batches = np.random.default_rng(6).uniform(-1, 1, (4, 5, 3, 48, 48)).astype(np.float32)
    alone = [engine.onet.run(batch) for batch in batches]
    together: list[NetworkOutput | None] = [None] * len(batches)

    def work(i: int) -> None:
        for _ in range(5):
            together[i] = engine.onet.run(batches[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(batches))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for output, expected in zip(together, alone, strict=True):
        assert output is not None
        assert_array_equal(output.probability, expected.probability)


def test_several_numpy_networks_run_in_several_threads(weights: DetectorWeights) -> None:
    batch = np.random.default_rng(7).uniform(-1, 1, (3, 3, 24, 24)).astype(np.float32)
    networks = [NumpyNetwork(weights.rnet, 24, 16) for _ in range(3)]
    expected = networks[0].run(batch).probability
    found: list[np.ndarray] = []

    def work(network: NumpyNetwork) -> None:
        for _ in range(5):
            found.append(network.run(batch).probability)

    threads = [threading.Thread(target=work, args=(network,)) for network in networks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 15
    assert_array_equal(found, np.broadcast_to(expected, (15, 3)))


def test_pooling_of_the_oracle_clips_its_last_windows() -> None:
    """Ceil mode by hand: five columns give a third window of one column, not of padding."""
    maps = -np.arange(1.0, 26.0).reshape(1, 5, 5)
    assert_array_equal(
        oracle.max_pool(maps, MaxPool(2, 2))[0], [[-1, -3, -5], [-11, -13, -15], [-21, -23, -25]]
    )
    assert oracle.max_pool(maps[:, :4], MaxPool(3, 2)).shape == (1, 2, 2)
