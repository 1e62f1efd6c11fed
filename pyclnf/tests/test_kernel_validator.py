"""Detection validator: the compiled kernels against their NumPy form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import synthetic_face as synthetic

from pyclnf import ModelFileError, _core, io, oracle
from pyclnf.core.validator import DetectionValidator, _network


def conv(seed: int, n_in: int, n_out: int, rows: int, cols: int) -> io.ConvLayer:
    rng = synthetic.random(seed)
    kernels = rng.normal(size=(n_in, n_out, rows, cols)) / np.sqrt(n_in * rows * cols)
    return io.ConvLayer(rng.normal(size=n_out).astype(np.float32), kernels.astype(np.float32))


def dense(seed: int, n_in: int, n_out: int) -> io.FullyConnected:
    rng = synthetic.random(seed)
    weight = rng.normal(size=(n_in, n_out)) / np.sqrt(n_in)
    return io.FullyConnected(rng.normal(size=n_out).astype(np.float32), weight.astype(np.float32))


NETWORKS: dict[str, tuple[io.Layer, ...]] = {
    "conv-pool-conv-pool-dense-dense": (
        conv(1, 1, 6, 5, 5), io.ReLU(), io.MaxPool(), conv(2, 6, 9, 3, 3), io.ReLU(), io.MaxPool(),
        dense(3, 9 * 4 * 4, 17), io.ReLU(), dense(4, 17, 20),
    ),
    "one dense layer": (dense(5, 24 * 24, 20),),
    "convolutions in a row": (
        conv(6, 1, 37, 3, 9), conv(7, 37, 60, 1, 1), io.ReLU(), conv(8, 60, 3, 2, 2), dense(9, 3 * 21 * 15, 20),
    ),
    "pool of an odd size": (conv(10, 1, 2, 2, 4), io.MaxPool(), io.MaxPool(), dense(11, 2 * 6 * 6, 5)),
    "convolution down to one pixel": (io.MaxPool(), conv(12, 1, 33, 12, 12), io.ReLU(), dense(13, 33, 20)),
}  # fmt: skip


def landmarks(seed: int, centre: tuple[float, float] = (100.0, 110.0), size: float = 60.0) -> np.ndarray:
    angle = 2 * np.pi * np.arange(synthetic.N_POINTS) / synthetic.N_POINTS
    ring = np.stack([np.cos(angle), np.sin(angle)]) * size
    ring += synthetic.random(seed).normal(size=ring.shape) * size / 20 + np.array(centre)[:, None]
    return np.ascontiguousarray(ring.astype(np.float32).reshape(-1))


@pytest.mark.parametrize("place", [(100.0, 110.0), (10.0, 20.0), (215.0, 195.0), (-200.0, 0.0)])
def test_crops_equal_the_oracle(instruction_set: str, place: tuple[float, float]) -> None:
    grey = synthetic.image(1)
    data = synthetic.validator_view(NETWORKS["one dense layer"], seed=2)
    points = landmarks(3, place)
    crop = _network(data, synthetic.N_POINTS).crop(grey, points)
    expected = oracle.normalised_crop(data, grey, points.reshape(2, -1))
    # Rounding may take a sample to the next place of the 1/32 px grid.
    difference = np.abs(crop - expected)
    assert np.mean(difference > 1e-4) < 0.05
    assert difference.max() < 0.5


@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS)
def test_networks_equal_the_oracle(instruction_set: str, layers: tuple[io.Layer, ...]) -> None:
    grey, points = synthetic.image(4), landmarks(5)
    data = synthetic.validator_view(layers, seed=6)
    view = _network(data, synthetic.N_POINTS)
    expected = oracle.network(data, view.crop(grey, points))
    np.testing.assert_allclose(view.forward(grey, points), expected, atol=1e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e9, 1e30])
def test_impossible_landmarks_are_not_a_face(instruction_set: str, value: float) -> None:
    grey = synthetic.image(7)
    validator = DetectionValidator(synthetic.texture_validator())
    for where in (slice(0, 1), slice(None)):
        points = landmarks(8)
        points[where] = value
        _network(synthetic.validator_view(NETWORKS["one dense layer"]), synthetic.N_POINTS).forward(
            grey, points
        )
        with np.errstate(all="ignore"):
            assert 0.0 <= validator.certainty((0, 0, 0), grey, points) <= 1.0
    points[:] = value
    assert validator.certainty((0, 0, 0), grey, points) == 0.0


@pytest.mark.parametrize("place", [(-500.0, 100.0), (100.0, 900.0)])
def test_landmarks_outside_the_image_have_certainty_0(place: tuple[float, float]) -> None:
    validator = DetectionValidator(synthetic.texture_validator())
    assert validator.certainty((0, 0, 0), synthetic.image(), landmarks(0, place)) == 0.0


def test_the_synthetic_validator_tells_texture_from_a_flat_image() -> None:
    validator = DetectionValidator(synthetic.texture_validator())
    assert validator.certainty((0, 0, 0), synthetic.image(), landmarks(0)) == pytest.approx(synthetic.FOUND)
    flat = np.full((200, 220), 9, np.uint8)
    assert validator.certainty((0, 0, 0), flat, landmarks(0)) == pytest.approx(synthetic.LOST)


def test_the_view_is_the_one_with_the_nearest_orientation() -> None:
    data = synthetic.texture_validator()
    turned = io.ValidatorFile(np.array([[0.0, 0, 0], [0, 0.8, 0], [0, -0.8, 0]]), data.views * 3)
    validator = DetectionValidator(turned)
    assert [validator.view_of((0.1, yaw, 0)) for yaw in (0.0, 0.5, -0.5, 0.4)] == [0, 1, 2, 0]


def test_crops_that_point_outside_their_arrays_are_refused() -> None:
    warp = synthetic.warp()
    index = np.flatnonzero(warp.mask).astype(np.int32)
    owner = warp.pixel_triangle.reshape(-1)[index]
    ones = np.ones(len(index), np.float32)

    def view(**changes: object) -> _core.ValidatorView:
        a = {
            "triangles": warp.triangles,
            "index": index,
            "owner": owner,
            "alpha": warp.alpha,
            "mean": ones,
            **changes,
        }
        return _core.ValidatorView(
            24,
            24,
            0.0,
            0.0,
            a["triangles"],
            a["index"],
            a["owner"],
            a["alpha"],
            warp.beta,
            a["mean"],
            ones,
            12,
        )

    view()
    for wrong in (
        {"triangles": warp.triangles + 12},
        {"triangles": warp.triangles - 1},
        {"index": index + 24 * 24},
        {"owner": owner + 100},
        {"owner": owner - 100},
        {"alpha": warp.alpha[:-1]},
        {"mean": ones[:-1]},
    ):
        with pytest.raises(ValueError, match=r"range|match|must be"):
            view(**wrong)


CONV = io.ConvLayer(np.ones(1, np.float32), np.ones((1, 1, 3, 3), np.float32))
TO_BINS = io.FullyConnected(np.zeros(4, np.float32), np.ones((22 * 22, 4), np.float32))
POOLED_TO_BINS = io.FullyConnected(np.zeros(4, np.float32), np.ones((11 * 11, 4), np.float32))


@pytest.mark.parametrize(
    "layers",
    [
        (CONV, io.MaxPool(), io.ReLU(), POOLED_TO_BINS),
        (io.ReLU(), CONV, TO_BINS),
        (CONV, io.ReLU(), io.ReLU(), TO_BINS),
    ],
)
def test_relus_that_the_compiled_network_cannot_run_are_refused_on_reading(
    tmp_path: Path, layers: tuple[io.Layer, ...]
) -> None:
    data = io.ValidatorFile(np.zeros((1, 3)), (synthetic.validator_view(layers),))
    io.write_validator(tmp_path / "v.dat", data)
    with pytest.raises(ModelFileError, match="a ReLU that follows neither"):
        DetectionValidator.from_file(tmp_path / "v.dat")
    with pytest.raises(ValueError, match="a ReLU that follows neither"):
        DetectionValidator(data)


def test_a_network_of_too_many_layers_is_refused_on_reading(tmp_path: Path) -> None:
    small = io.FullyConnected(np.zeros(4, np.float32), np.eye(4, dtype=np.float32))
    view = synthetic.validator_view((CONV, TO_BINS, *[small] * 40))
    io.write_validator(tmp_path / "v.dat", io.ValidatorFile(np.zeros((1, 3)), (view,)))
    with pytest.raises(ModelFileError, match="too many layers") as caught:
        DetectionValidator.from_file(tmp_path / "v.dat")
    assert caught.value.path == tmp_path / "v.dat"


@pytest.mark.parametrize("deviation", [0.0, -1.0])
def test_standard_deviations_that_cannot_be_are_refused_on_reading(tmp_path: Path, deviation: float) -> None:
    view = synthetic.validator_view((CONV, TO_BINS))
    view.std[3] = deviation
    io.write_validator(tmp_path / "v.dat", io.ValidatorFile(np.zeros((1, 3)), (view,)))
    with pytest.raises(ModelFileError, match="standard deviation"):
        io.read_validator(tmp_path / "v.dat")


def test_layers_that_do_not_fit_are_refused() -> None:
    def view() -> _core.ValidatorView:
        return _network(synthetic.validator_view(()), synthetic.N_POINTS)

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.float32)

    for kernels in (zeros(1, 2, 3, 3), zeros(1, 1, 25, 3), zeros(1, 1, 3, 0)):
        with pytest.raises(ValueError, match="kernel"):
            view().add_convolution(kernels, zeros(1), False)
    with pytest.raises(ValueError, match="inputs"):
        view().add_fully_connected(zeros(20, 7), zeros(20), False)
    with pytest.raises(ValueError, match="too large"):
        view().add_convolution(zeros(200_000, 1, 1, 1), zeros(200_000), False)
