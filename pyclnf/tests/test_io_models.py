"""Tiny model files of every format: content, round trips, truncation and corruption."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny_models

from pyclnf import io
from pyclnf.errors import ModelFileError

BINARY: dict[str, tuple[bytes, Callable[[Path], object]]] = {
    "ccnf": (tiny_models.ccnf(), io.read_ccnf),
    "cen": (tiny_models.cen(), io.read_cen),
    "cen_float16": (tiny_models.cen("float16"), io.read_cen),
    "validator": (tiny_models.validator(), io.read_validator),
}
TEXT: dict[str, tuple[str, Callable[[Path], object]]] = {
    "svr": (tiny_models.svr(), io.read_svr),
    "pdm": (tiny_models.pdm(), io.read_pdm),
    "triangulation": ("1\n3\n4\n0 1 2\n", io.read_triangulation),
    "view_triangulations": ("# n\n1\n# one\n1 3 4\n0 1 2\n", io.read_view_triangulations),
    "early_termination": ("1.0 0.5 -0.25\n", io.read_early_termination),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", BINARY)
def test_every_truncated_binary_file_is_refused(tmp_path, kind):
    data, read = BINARY[kind]
    path = tmp_path / "model"
    path.write_bytes(data)
    read(path)
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(ModelFileError):
            read(path)


@pytest.mark.parametrize("kind", BINARY)
def test_bytes_after_the_end_are_refused(tmp_path, kind):
    data, read = BINARY[kind]
    path = tmp_path / "model"
    path.write_bytes(data + b"\0")
    with pytest.raises(ModelFileError, match="1 bytes follow"):
        read(path)


@pytest.mark.parametrize("value", [-1, 0, 1, 2, 2**31 - 1, -(2**31), 0x7FF00000])
@pytest.mark.parametrize("kind", BINARY)
def test_corrupt_integers_anywhere_give_a_model_or_a_model_error(tmp_path, kind, value):
    """Overwrite each aligned word in turn: nothing but ModelFileError may come out, and it must come fast."""
    data, read = BINARY[kind]
    path = tmp_path / "model"
    for offset in range(0, len(data) - 3, 4):
        corrupt = bytearray(data)
        struct.pack_into("<i", corrupt, offset, value)
        path.write_bytes(corrupt)
        try:
            read(path)
        except ModelFileError as error:
            assert error.path == path


@pytest.mark.parametrize("kind", TEXT)
def test_every_text_file_cut_before_its_last_value_is_refused(tmp_path, kind):
    text, read = TEXT[kind]
    path = tmp_path / "model"
    path.write_text(text)
    read(path)
    for length in range(len(text.rstrip()) - len(text.split()[-1])):
        path.write_text(text[:length])
        with pytest.raises(ModelFileError):
            read(path)


@pytest.mark.parametrize("value", ["-1", "99999999999999999999", "2147483647", "x", "nan", "1e999", "\0"])
@pytest.mark.parametrize("kind", TEXT)
def test_corrupt_tokens_anywhere_give_a_model_or_a_model_error(tmp_path, kind, value):
    text, read = TEXT[kind]
    path = tmp_path / "model"
    tokens = " ".join(line for line in text.splitlines() if not line.startswith("#")).split()
    for index in range(len(tokens)):
        path.write_text(" ".join([*tokens[:index], value, *tokens[index + 1 :]]))
        try:
            read(path)
        except ModelFileError as error:
            assert error.path == path


def test_ccnf_content(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(tiny_models.ccnf())
    model = io.read_ccnf(path)
    assert model.scale == 0.25
    np.testing.assert_array_equal(model.centres, tiny_models.CENTRES * (np.pi / 180))
    np.testing.assert_array_equal(model.visibility, tiny_models.VISIBILITY == 1)
    assert model.sigma_components[2].shape == (2, 4, 4)
    assert model.experts[1][2] is None
    expert = model.experts[0][1]
    assert expert is not None
    assert (expert.width, expert.height, expert.confidence) == (3, 2, 0.9)
    assert expert.weights.shape == (2, 2, 3)
    assert expert.kinds.tolist() == [0, 1]
    assert [expert.norm_weights[1], expert.biases[1], expert.alphas[1]] == [1.5, 0.25, 3.0]
    assert expert.betas.tolist() == [0.5, 0.75]


def test_cen_survives_a_round_trip_byte_for_byte(tmp_path):
    path, copy = tmp_path / "model", tmp_path / "copy"
    path.write_bytes(tiny_models.cen())
    io.write_cen(copy, io.read_cen(path))
    assert copy.read_bytes() == path.read_bytes()


def test_cen_content(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(tiny_models.cen())
    model = io.read_cen(path)
    assert model.mirror_landmarks.tolist() == [1, 0, 2]
    assert model.mirror_views.tolist() == [0, 1]
    assert model.experts[0][1].layers == ()
    assert model.experts[0][1].confidence == 0.25
    first, second = model.experts[1][0].layers
    assert (first.activation, first.bias.shape, first.weight.shape) == (2, (2,), (2, 5))
    assert (second.activation, second.bias.shape, second.weight.shape) == (0, (1,), (1, 2))


def test_compact_cen_is_smaller_and_widened_to_float32(tmp_path):
    full, compact = tmp_path / "full", tmp_path / "compact"
    full.write_bytes(tiny_models.cen())
    model = io.read_cen(full)
    io.write_cen(compact, model, compact=True)
    assert compact.stat().st_size < full.stat().st_size
    read = io.read_cen(compact).experts[0][0].layers[0]
    expected = model.experts[0][0].layers[0]
    assert read.weight.dtype == np.float32
    assert read.weight.flags.aligned
    np.testing.assert_array_equal(read.weight, expected.weight.astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(read.bias, expected.bias)


def test_compact_cen_refuses_weights_beyond_float16(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(tiny_models.cen())
    model = io.read_cen(path)
    layer = model.experts[0][0].layers[0]
    huge = io.DenseLayer(layer.activation, layer.bias, np.full_like(layer.weight, 1e5))
    expert = io.CENExpert(2, 2, (huge, model.experts[0][0].layers[1]), 1.0)
    broken = io.CENFile(
        model.scale, model.centres, model.visibility, model.mirror_landmarks, model.mirror_views,
        ((expert, *model.experts[0][1:]), model.experts[1]),
    )  # fmt: skip
    with pytest.raises(ValueError, match="too large for float16"):
        io.write_cen(tmp_path / "compact", broken, compact=True)
    assert not (tmp_path / "compact").exists()


def test_cen_column_biases_are_accepted_as_well(tmp_path):
    path = tmp_path / "model"
    data = tiny_models.cen()
    row, column = tiny_models.ints(1, 2, 5), tiny_models.ints(2, 1, 5)
    assert row in data
    path.write_bytes(data.replace(row, column, 1))
    assert io.read_cen(path).experts[0][0].layers[0].bias.shape == (2,)


def test_visible_landmark_without_expert_or_mirror_is_refused(tmp_path):
    path = tmp_path / "model"
    mirrors = tiny_models.matrix([[1], [0], [2]], "int32")
    data = tiny_models.cen().replace(mirrors, tiny_models.matrix([[1], [1], [2]], "int32"), 1)
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match="landmark 1 is visible in view 0 but neither it nor its mirror"):
        io.read_cen(path)


def test_validator_survives_a_round_trip_byte_for_byte(tmp_path):
    path, copy, again = tmp_path / "model", tmp_path / "copy", tmp_path / "again"
    path.write_bytes(tiny_models.validator())
    io.write_validator(copy, io.read_validator(path))
    io.write_validator(again, io.read_validator(copy))
    assert copy.stat().st_size == path.stat().st_size
    assert again.read_bytes() == copy.read_bytes()


def test_validator_content(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(tiny_models.validator())
    validator = io.read_validator(path)
    np.testing.assert_array_equal(validator.orientations, [[0, np.pi / 4, 0]])
    (view,) = validator.views
    conv, relu, pool, fully_connected, last = view.layers
    assert isinstance(conv, io.ConvLayer)
    assert conv.kernels.shape == (1, 2, 2, 2)
    assert conv.bias.tolist() == [0.5, -0.5]
    assert (relu, pool, last) == (io.ReLU(), io.MaxPool(), io.ReLU())
    assert isinstance(fully_connected, io.FullyConnected)
    assert fully_connected.weight.shape == (8, 3)
    warp = view.warp
    assert (warp.n_pixels, warp.min_x, warp.min_y) == (10, -1.5, 0.25)
    assert warp.destination[1].tolist() == [1, 5]
    assert warp.mask.sum() == 10


def test_validator_of_another_type_is_refused_by_name(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(tiny_models.ints(2) + tiny_models.validator()[4:])
    with pytest.raises(ModelFileError, match="type 2 are not supported"):
        io.read_validator(path)


def test_validator_with_a_sigmoid_is_refused(tmp_path):
    path = tmp_path / "model"
    data = bytearray(tiny_models.validator())
    place = data.index(np.ones((3, 1), "<f4").tobytes()) + 12 + 12 + 4 * 24  # after the last layer's weights
    assert data[place : place + 4] == tiny_models.ints(3)
    data[place : place + 4] = tiny_models.ints(4)
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match="sigmoid layers are not supported") as caught:
        io.read_validator(path)
    assert caught.value.offset == place


def test_svr_templates_are_transposed(tmp_path):
    path = tmp_path / "model"
    path.write_text(tiny_models.svr())
    model = io.read_svr(path)
    grey, gradient = model.experts[0][0].modalities
    assert (grey.kind, gradient.kind) == (0, 1)
    assert (grey.confidence, grey.scaling, grey.bias) == (1.0, -2.5, 0.5)
    assert grey.weights.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert model.centres[0, 1] == np.pi / 2


def test_pdm_content_and_round_trip(tmp_path):
    path, copy = tmp_path / "model", tmp_path / "copy"
    path.write_text(tiny_models.pdm())
    model = io.read_pdm(path)
    assert model.mean.tolist() == [1, 2, 3, 4, 5, 6.5]
    assert model.eigenvalues.tolist() == [20.25]
    rng = np.random.default_rng(0)
    random = io.PDMFile(
        rng.normal(size=204).astype(np.float32),
        rng.normal(size=(204, 5)).astype(np.float32),
        rng.uniform(1e-3, 1e3, 5).astype(np.float32),
    )
    io.write_pdm(copy, random)
    read = io.read_pdm(copy)
    for name in ("mean", "basis", "eigenvalues"):
        np.testing.assert_array_equal(getattr(read, name), getattr(random, name))
        assert getattr(read, name).dtype == np.float32


def test_bad_token_is_named_with_its_place(tmp_path):
    path = tmp_path / "pdm.txt"
    path.write_text(tiny_models.pdm().replace("6.5", "6,5"))
    with pytest.raises(ModelFileError, match="'6,5' is not a valid number") as caught:
        io.read_pdm(path)
    assert caught.value.offset == path.read_text().index("6,5")
