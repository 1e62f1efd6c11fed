"""Weights from the installed package and from OpenFace's files, sound and damaged."""

from __future__ import annotations

import contextlib
import importlib.metadata
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import mtcnn_oracle as oracle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymtcnn import DetectorWeights, PyMTCNNError, WeightsError, load_weights, packaged
from pymtcnn.dat import read_dat
from pymtcnn.weights import Convolution, FullyConnected, NetworkWeights, PReLU

NAMES = ("PNet", "RNet", "ONet")


def networks(weights: DetectorWeights) -> dict[str, NetworkWeights]:
    return {"PNet": weights.pnet, "RNet": weights.rnet, "ONet": weights.onet}


def assert_same(first: NetworkWeights, second: NetworkWeights) -> None:
    """Bit by bit."""
    assert [type(layer) for layer in first.layers] == [type(layer) for layer in second.layers]
    for a, b in zip(first.layers, second.layers, strict=True):
        for field in vars(a):
            left, right = getattr(a, field), getattr(b, field)
            if isinstance(left, np.ndarray):
                assert left.dtype == right.dtype == np.float32
                assert left.flags.c_contiguous
                assert right.flags.c_contiguous
                assert left.shape == right.shape
                assert left.tobytes() == right.tobytes()
            else:
                assert left == right


@pytest.fixture(scope="module")
def small_dat(tmp_path_factory: pytest.TempPathFactory, weights: DetectorWeights) -> Path:
    path = tmp_path_factory.mktemp("dat") / "PNet.dat"
    path.write_bytes(oracle.dat_bytes(weights.pnet.layers))
    return path


def test_loading_and_detecting_imports_neither_the_package_nor_a_framework() -> None:
    code = (
        "import sys, numpy as np, pymtcnn\n"
        "pymtcnn.MTCNN().detect(np.zeros((100, 100, 3), np.uint8))\n"
        "bad = [m for m in ('mtcnn', 'tensorflow', 'torch', 'joblib', 'cv2', 'pyclnf') if m in sys.modules]\n"
        "sys.exit(', '.join(bad) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_pinned_positions_are_where_joblib_finds_the_arrays(name: str) -> None:
    joblib = pytest.importorskip("joblib")
    pinned = packaged.PINNED_FILES[name]
    path = packaged.find_packaged_folder() / pinned.file_name
    content = packaged._read_pinned(path, pinned)  # checks the hash
    arrays = joblib.load(path)
    assert len(arrays) == len(pinned.offsets)
    for array, offset in zip(arrays, pinned.offsets, strict=True):
        assert content[offset : offset + array.nbytes] == array.tobytes()


def tampered_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    shutil.copytree(packaged.find_packaged_folder(), folder)
    return folder


def test_one_flipped_bit_in_the_packaged_weights_is_refused(tmp_path: Path) -> None:
    path = tampered_folder(tmp_path) / "rnet.lz4"
    data = bytearray(path.read_bytes())
    data[100_000] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=r"rnet\.lz4: SHA-256 is .* instead of cb00e646.*pip install"):
        packaged.read_packaged(path, "RNet")


def test_another_size_of_the_packaged_weights_is_refused(tmp_path: Path) -> None:
    path = tampered_folder(tmp_path) / "pnet.lz4"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="27118 bytes instead of 27119"):
        packaged.read_packaged(path, "PNet")


def test_swapped_packaged_files_are_refused(tmp_path: Path) -> None:
    folder = tampered_folder(tmp_path)
    with pytest.raises(WeightsError, match="bytes instead of"):
        packaged.read_packaged(folder / "onet.lz4", "RNet")


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_distribution(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("importlib.metadata.distribution", no_distribution)
    with pytest.raises(WeightsError, match=r"is not installed; run: pip install .*mtcnn==1\.0\.0"):
        load_weights()


def test_openface_files_give_the_same_networks(tmp_path: Path, weights: DetectorWeights) -> None:
    folder = oracle.write_openface_folder(tmp_path, {k: n.layers for k, n in networks(weights).items()})
    for path in (folder, folder / "MTCNN_detector.txt"):
        loaded = load_weights(path)
        for name, network in networks(loaded).items():
            assert_same(network, networks(weights)[name])
            assert len(network.sha256) == 64
    (folder / "MTCNN_detector.txt").unlink()
    assert_same(load_weights(folder).onet, weights.onet)


def test_double_precision_matrices_are_read(tmp_path: Path, weights: DetectorWeights) -> None:
    layer = weights.pnet.layers[-1]
    assert isinstance(layer, FullyConnected)
    data = oracle.dat_bytes(weights.pnet.layers)
    tail = oracle.write_matrix(layer.weights)
    assert data.endswith(tail)
    path = tmp_path / "PNet.dat"
    path.write_bytes(data[: -len(tail)] + oracle.write_matrix(layer.weights, code=6))
    assert_same(read_dat(path, "PNet"), weights.pnet)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_truncated_file_is_an_error_that_names_file_and_offset(
    small_dat: Path, data: st.DataObject
) -> None:
    content = small_dat.read_bytes()
    cut = data.draw(st.integers(0, len(content) - 1))
    path = small_dat.with_name("cut.dat")
    path.write_bytes(content[:cut])
    with pytest.raises(WeightsError) as caught:
        read_dat(path, "PNet")
    assert str(path) in str(caught.value)
    assert caught.value.offset is not None


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_numbers_never_escape_as_another_exception(small_dat: Path, data: st.DataObject) -> None:
    content = bytearray(small_dat.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 4))
        content[at : at + 4] = struct.pack("<i", data.draw(st.integers(-(2**31), 2**31 - 1)))
    path = small_dat.with_name("damaged.dat")
    path.write_bytes(content)
    with contextlib.suppress(WeightsError):  # a changed weight is still a network
        assert read_dat(path, "PNet").name == "PNet"


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (0, 0, "number of layers is 0"),
        (0, 2**30, "number of layers"),
        (4, 4, "layer 0 has type 4"),
        (8, 2**30, "number of input maps"),
        (12, 30_000, "cannot fit|needs"),
        (56, 2**30, "cannot fit"),
        (56, -3, "size -3 x 3"),
        (64, 16, "matrix type 16"),
        (56 + 48, 4, "another header"),
    ],
)
def test_damaged_headers(small_dat: Path, position: int, value: int, message: str) -> None:
    content = bytearray(small_dat.read_bytes())
    content[position : position + 4] = struct.pack("<i", value)
    path = small_dat.with_name("header.dat")
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        read_dat(path, "PNet")


def test_bytes_behind_the_last_layer(small_dat: Path) -> None:
    path = small_dat.with_name("long.dat")
    path.write_bytes(small_dat.read_bytes() + b"\0")
    with pytest.raises(WeightsError, match="1 bytes follow"):
        read_dat(path, "PNet")


def test_another_network_is_refused(small_dat: Path) -> None:
    with pytest.raises(WeightsError, match=r"layer 0 is .* RNet needs .*RNet\.dat"):
        read_dat(small_dat, "RNet")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path, weights: DetectorWeights) -> None:
    layers = list(weights.pnet.layers)
    slopes = layers[1]
    assert isinstance(slopes, PReLU)
    layers[1] = PReLU(np.full_like(slopes.slopes, np.nan))
    path = tmp_path / "PNet.dat"
    path.write_bytes(oracle.dat_bytes(layers))
    with pytest.raises(WeightsError, match="not finite"):
        read_dat(path, "PNet")


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"PNet\.dat: cannot be read"):
        load_weights(tmp_path)
    with pytest.raises(WeightsError, match="nowhere: cannot be read"):
        load_weights(tmp_path / "nowhere")


def test_a_description_without_a_network(tmp_path: Path) -> None:
    path = tmp_path / "MTCNN_detector.txt"
    path.write_text("PNet PNet.dat\nRNet RNet.dat\n")
    with pytest.raises(WeightsError, match="no line for ONet"):
        load_weights(path)


def test_a_far_too_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "PNet.dat"
    with path.open("wb") as file:
        file.truncate(10**11)  # sparse
    with pytest.raises(WeightsError, match="is this the right file"):
        read_dat(path, "PNet")


def test_errors_have_one_base() -> None:
    assert issubclass(WeightsError, PyMTCNNError)


def test_kernels_are_ordered_output_input_row_column(weights: DetectorWeights) -> None:
    first = weights.onet.layers[0]
    assert isinstance(first, Convolution)
    assert first.kernels.shape == (32, 3, 3, 3)


def test_packaged_weights_equal_openfaces_bit_by_bit(openface_folder: Path, weights: DetectorWeights) -> None:
    original = load_weights(openface_folder)
    for name, network in networks(original).items():
        assert_same(network, networks(weights)[name])


@pytest.mark.parametrize("name", ["P\0Net.dat", "a" * 300, "/dev/zero"])
def test_a_name_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    path = tmp_path / "MTCNN_detector.txt"
    path.write_text(f"PNet {name}\nRNet RNet.dat\nONet ONet.dat\n")
    with pytest.raises(WeightsError, match=r"cannot be read|not a file"):
        load_weights(path)
