"""The ONNX graphs, and the sampling that devices do, against the NumPy forms."""

from __future__ import annotations

import mtcnn_oracle as oracle
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

onnx = pytest.importorskip("onnx", reason="needs the extra 'onnx'")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")

from pymtcnn import MTCNN, DetectorWeights, EngineError, EngineOptions  # noqa: E402
from pymtcnn.backends import create_engine, interpret, open_batch, sessions  # noqa: E402
from pymtcnn.backends.device import DeviceBackend  # noqa: E402
from pymtcnn.backends.mosaic import build_mosaic  # noqa: E402
from pymtcnn.backends.onnx_graphs import IR_VERSION, OPSET, crops_model, mosaic_model, network_model  # noqa: E402
from pymtcnn.pyramid import crops, pyramid_levels, resize_level  # noqa: E402

CPU = "CPUExecutionProvider"


def random_frame(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def squares(count: int, seed: int = 0) -> np.ndarray:
    """Whole-numbered squares inside, outside and across a frame of 70 x 90 px."""
    rng = np.random.default_rng(seed)
    corners, sides = rng.integers(-30, 80, (count, 2)), rng.integers(0, 90, (count, 1))
    return np.concatenate([corners, sides, sides], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def device(weights: DetectorWeights) -> DeviceBackend:
    return DeviceBackend(weights, CPU, EngineOptions())


@pytest.mark.parametrize(
    ("name", "nodes", "largest"), [("pnet", 8, 30e3), ("rnet", 12, 420e3), ("onet", 15, 1.6e6)]
)
def test_graphs_are_small_and_valid(weights: DetectorWeights, name: str, nodes: int, largest: float) -> None:
    network = getattr(weights, name)
    model = network_model(network)
    onnx.checker.check_model(model, full_check=True)
    assert len(model.graph.node) == nodes
    assert model.ByteSize() < largest
    assert (model.opset_import[0].version, model.ir_version) == (OPSET, IR_VERSION)
    assert {p.key: p.value for p in model.metadata_props} == {"weights_sha256": network.sha256}
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "n"


@pytest.mark.parametrize("name", ["pnet", "rnet", "onet"])
def test_weights_in_the_graph_are_ours_bit_by_bit(weights: DetectorWeights, name: str) -> None:
    network = getattr(weights, name)
    stored = [onnx.numpy_helper.to_array(tensor) for tensor in network_model(network).graph.initializer]
    kernels = [layer.kernels for layer in network.layers if hasattr(layer, "kernels")]
    found = [array for array in stored if array.ndim == 4 and array.shape[2] > 1]
    for ours, theirs in zip(kernels, found, strict=True):
        assert_array_equal(ours, theirs)


@pytest.mark.parametrize("stage", ["pnet", "rnet", "onet"])
@pytest.mark.parametrize("frame_type", ["uint8", "float32"])
def test_whole_stages_are_valid_graphs(weights: DetectorWeights, stage: str, frame_type: str) -> None:
    build = mosaic_model if stage == "pnet" else crops_model
    model = build(getattr(weights, stage), frame_type)
    onnx.checker.check_model(model, full_check=True)
    # Not every device's library knows the "ceil" rule of pooling.
    pools = [node for node in model.graph.node if node.op_type == "MaxPool"]
    assert pools
    assert all(
        attribute.i == 0 for node in pools for attribute in node.attribute if attribute.name == "ceil_mode"
    )


@pytest.mark.parametrize("size", [(60, 60), (61, 200), (300, 83), (97, 101), (480, 640)])
@pytest.mark.parametrize("min_face", [12, 24, 60])
def test_places_are_even_and_do_not_overlap(size: tuple[int, int], min_face: int) -> None:
    levels = pyramid_levels(*size, min_face)
    mosaic = build_mosaic(levels, size[1])
    used = np.zeros((mosaic.height, mosaic.width), int)
    for place, level in zip(mosaic.places, levels, strict=True):
        assert (place.row % 2, place.column % 2) == (0, 0)
        assert (place.height, place.width) == (level.height, level.width)
        used[place.row : place.row + place.height, place.column : place.column + place.width] += 1
    assert used.max() == 1
    assert used.sum() == sum(level.height * level.width for level in levels)
    assert (mosaic.height % 2, mosaic.width % 2) == (0, 0)


def test_little_of_a_mosaic_is_empty() -> None:
    levels = pyramid_levels(1080, 1920, 60)
    mosaic = build_mosaic(levels, 1920)
    assert sum(level.height * level.width for level in levels) > 0.8 * mosaic.height * mosaic.width


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_mosaic_samples_the_levels_bits(dtype: type) -> None:
    frame = random_frame(97, 133).astype(dtype)
    levels = pyramid_levels(97, 133, 20)
    mosaic = build_mosaic(levels, 133)
    samples = frame.reshape(-1, 3)[mosaic.taps].astype(np.float32)
    horizontal = samples[:, 0] * mosaic.column_weights[0] + samples[:, 1] * mosaic.column_weights[1]
    pixels = horizontal[0] * mosaic.row_weights[0, 0] + horizontal[1] * mosaic.row_weights[1, 0]
    image = ((pixels - np.float32(127.5)) * np.float32(0.0078125)).reshape(mosaic.height, mosaic.width, 3)
    for place, level in zip(mosaic.places, levels, strict=True):
        part = image[place.row : place.row + place.height, place.column : place.column + place.width, ::-1]
        assert_array_equal(part.transpose(2, 0, 1), resize_level(frame, level)[0])


@pytest.mark.parametrize("size", [(60, 60), (61, 200), (300, 83), (480, 640)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_levels_in_a_mosaic_give_what_each_gives_alone(
    weights: DetectorWeights, device: DeviceBackend, size: tuple[int, int], dtype: type
) -> None:
    frame = random_frame(*size).astype(dtype)
    levels = pyramid_levels(*size, 24)
    found = device.propose(frame, levels)
    for ours, theirs in zip(found, create_engine("numpy", weights).propose(frame, levels), strict=True):
        assert ours.probability.shape == theirs.probability.shape
        assert_allclose(ours.probability, theirs.probability, atol=5e-6)
        assert_allclose(ours.regression, theirs.regression, atol=5e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "side"), [("rnet", 24), ("onet", 48)])
@pytest.mark.parametrize("count", [1, 3, 8, 9, 40])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_crops_on_the_device_give_what_numpys_give(
    weights: DetectorWeights, device: DeviceBackend, stage: str, side: int, count: int, dtype: type
) -> None:
    frames = [random_frame(70, 90, seed).astype(dtype) for seed in range(3)]
    boxes, which = squares(count), np.random.default_rng(1).integers(0, 3, count)
    batch = open_batch(device, frames)
    output = batch.refine(which, boxes) if stage == "rnet" else batch.finish(which, boxes)
    network = getattr(weights, stage)
    for i, (box, frame) in enumerate(zip(boxes, which, strict=True)):
        raw = oracle.network(crops(frames[frame], box[None], side)[0], network.layers)
        expected = interpret(raw.astype(np.float32)[:, None])
        assert_allclose(output.probability[i], expected.probability[0], atol=5e-6)
        assert_allclose(output.regression[i], expected.regression[0], atol=1e-5)
        if stage == "onet":
            assert output.points is not None
            assert expected.points is not None
            assert_allclose(output.points[i], expected.points[0], atol=1e-5)


def test_more_candidates_than_fit_at_once_run_in_parts(
    device: DeviceBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, boxes = random_frame(70, 90), squares(50)
    whole = device.refine(frame, boxes)
    monkeypatch.setattr("pymtcnn.backends.device._LARGEST_BATCH", 16)
    parts = device.refine(frame, boxes)
    assert_allclose(parts.probability, whole.probability, atol=1e-6)
    assert_allclose(parts.regression, whole.regression, atol=1e-6)


def test_a_frame_goes_to_the_device_once(
    weights: DetectorWeights, astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = MTCNN("cuda", weights, options=EngineOptions(provider=CPU), fallback=False)
    detector.detect(astronaut)  # prepares the layout of this size
    uploads: list[int] = []
    original = DeviceBackend.upload

    def counting(self: DeviceBackend, values: np.ndarray) -> object:
        uploads.append(values.nbytes)
        return original(self, values)

    monkeypatch.setattr(DeviceBackend, "upload", counting)
    assert len(detector.detect(astronaut)) == 1
    assert uploads == [astronaut.nbytes]
    detector.detect_batch([astronaut] * 3)
    assert uploads[1:] == [3 * astronaut.nbytes]


def test_layouts_of_few_sizes_are_kept(device: DeviceBackend) -> None:
    for width in range(100, 110):
        device.propose(random_frame(80, width), pyramid_levels(80, width, 40))
    assert len(device._layouts) == 4


def test_a_provider_that_is_not_installed_is_refused(weights: DetectorWeights) -> None:
    with pytest.raises(EngineError, match="no DmlExecutionProvider, only"):
        DeviceBackend(weights, "DmlExecutionProvider", EngineOptions())
    assert "pymtcnn[cuda]" in str(sessions.unavailable_provider("CUDAExecutionProvider"))


def test_float32_stays_float32_on_cuda() -> None:
    options = sessions._provider_options("CUDAExecutionProvider", EngineOptions(device=2))
    assert options == {"device_id": "2", "use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}


def test_onnx_with_another_provider_is_the_device_class(weights: DetectorWeights) -> None:
    with pytest.raises(EngineError, match="no DmlExecutionProvider"):
        MTCNN("onnx", weights, options=EngineOptions(provider="DmlExecutionProvider"), fallback=False)
    assert MTCNN("onnx", weights, fallback=False).provenance["provider"] == CPU
