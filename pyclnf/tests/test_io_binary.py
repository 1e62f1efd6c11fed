"""The bounds-checked binary reader and its writer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyclnf.errors import MissingModelError, ModelFileError
from pyclnf.io import BinaryReader, BinaryWriter, atomic_write


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float64", "float16"])
def test_written_matrix_is_read_back_with_its_type(tmp_path, dtype):
    values = np.arange(6).reshape(2, 3).astype(dtype)
    with BinaryWriter(tmp_path / "m.dat") as writer:
        writer.matrix(values, dtype)
    reader = BinaryReader(tmp_path / "m.dat")
    read = reader.matrix()
    reader.expect_end()
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, values)


def test_aligned_matrix_is_a_view_on_the_file_and_not_a_copy(tmp_path):
    with BinaryWriter(tmp_path / "m.dat") as writer:
        writer.matrix(np.ones((4, 4)), np.float32)
    read = BinaryReader(tmp_path / "m.dat").matrix(np.float32)
    assert not read.flags.owndata
    assert not read.flags.writeable
    assert read.flags.c_contiguous


def test_unaligned_values_are_read_aligned(tmp_path):
    with BinaryWriter(tmp_path / "m.dat") as writer:
        writer.i32(7)
        writer.f64(1.5, -2.5)
    reader = BinaryReader(tmp_path / "m.dat")
    reader.i32()
    values = reader.f64s(2)
    assert values.flags.aligned
    assert values.tolist() == [1.5, -2.5]


@given(rows=st.integers(-(2**31), 2**31 - 1), cols=st.integers(-(2**31), 2**31 - 1), code=st.integers(-2, 20))
def test_matrix_larger_than_the_file_is_refused_before_allocation(tmp_path_factory, rows, cols, code):
    path = tmp_path_factory.mktemp("m") / "m.dat"
    with BinaryWriter(path) as writer:
        writer.i32(rows, cols, code)
        writer.f32s([0.0, 0.0])
    reader = BinaryReader(path)
    try:
        read = reader.matrix()
    except ModelFileError:
        return
    assert read.nbytes <= 8
    assert read.shape == (rows, cols)


def test_error_names_file_offset_and_reason(tmp_path):
    path = tmp_path / "short.dat"
    path.write_bytes(b"\1\0\0\0\2")
    reader = BinaryReader(path)
    reader.i32()
    with pytest.raises(ModelFileError) as caught:
        reader.f64("the confidence")
    assert caught.value.path == path
    assert caught.value.offset == 4
    assert "short.dat" in str(caught.value)
    assert "at byte 4: the confidence needs 8 bytes but only 1 are left" in str(caught.value)


def test_missing_file_names_the_command_that_installs_it(tmp_path):
    with pytest.raises(MissingModelError, match=r"`pyclnf models install`.*nowhere\.dat"):
        BinaryReader(tmp_path / "nowhere.dat")


def test_folder_instead_of_a_file_is_a_model_error(tmp_path):
    with pytest.raises(ModelFileError, match="cannot be read"):
        BinaryReader(tmp_path)


def test_empty_file_is_truncated(tmp_path):
    (tmp_path / "empty.dat").touch()
    with pytest.raises(ModelFileError, match="only 0 are left"):
        BinaryReader(tmp_path / "empty.dat").i32()


def test_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "model.dat"
    path.write_bytes(b"old")

    def fail() -> None:
        with atomic_write(path) as stream:
            stream.write(b"half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.dat"]
