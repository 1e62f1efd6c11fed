"""Model files made by somebody who means harm: our own error, and neither much memory nor an endless wait."""

from __future__ import annotations

import io as streams
import os
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import synthetic_face as synthetic
import tiny_models

from pyclnf import LandmarkModel
from pyclnf import io as models
from pyclnf.errors import ModelFileError
from pyclnf.models import landmark_files


def test_part_of_a_model_that_names_the_model_is_refused(tmp_path):
    main = synthetic.write_model(tmp_path)
    with main.open("a") as stream:
        stream.write(f"LandmarkDetector_part {main.name} inner 0 0\n")
    for read in (LandmarkModel.load, landmark_files):
        with pytest.raises(ModelFileError, match="a part of a model has parts of its own"):
            read(main)


def test_description_names_each_part_once_and_few_files(tmp_path):
    (tmp_path / "main.txt").write_text(
        "LandmarkDetector sub.txt\n" + 2 * "LandmarkDetector_part a inner 0 0\n"
    )
    with pytest.raises(ModelFileError, match="a second part inner"):
        models.read_model_description(tmp_path / "main.txt")
    (tmp_path / "sub.txt").write_text("PDM pdm.txt\n" + 17 * "PatchesCEN cen.dat\n")
    with pytest.raises(ModelFileError, match="more than 16 files under PatchesCEN"):
        models.read_submodel_description(tmp_path / "sub.txt")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_pipes_and_devices_that_a_description_names_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "/dev/zero"):
        (tmp_path / "main.txt").write_text(f"LandmarkDetector {name}\n")
        with pytest.raises(ModelFileError, match="not a regular file"):
            LandmarkModel.load(tmp_path / "main.txt")
        for read in (models.read_cen, models.read_pdm):
            with pytest.raises(ModelFileError, match="not a regular file"):
                read(tmp_path / name)


def test_names_that_no_file_can_have_are_refused(tmp_path):
    (tmp_path / "main.txt").write_text(f"LandmarkDetector {300 * 'a'}\n")
    with pytest.raises(ModelFileError, match="cannot be read"):
        LandmarkModel.load(tmp_path / "main.txt")
    for read in (models.read_cen, models.read_pdm):
        with pytest.raises(ModelFileError, match="cannot be the name of a file"):
            read(tmp_path / "nul\0.txt")


@pytest.mark.parametrize("kind", ["cen", "ccnf"])
def test_experts_for_another_area_are_refused_when_they_are_loaded(tmp_path, kind):
    main = synthetic.write_model(tmp_path, kind)
    file = tmp_path / f"{kind}_0.35.dat"
    support = tiny_models.ints(*((6,) if kind == "cen" else (5,)), 11, 11)
    if kind == "cen":  # as many inputs, so that the file itself is sound
        file.write_bytes(file.read_bytes().replace(support, tiny_models.ints(6, 121, 1)))
    else:
        data = synthetic.ccnf(10, 0.35, windows=())
        experts = [
            [e and replace(e, width=5, weights=e.weights[:, :, :5]) for e in view] for view in data.experts
        ]
        synthetic.write_ccnf(file, replace(data, experts=tuple(map(tuple, experts))))
    with pytest.raises(ModelFileError, match=rf"{file.name}: .* px, not 11 x 11"):
        LandmarkModel.load(main)


def test_experts_that_mirror_no_landmark_are_refused_when_they_are_loaded(tmp_path):
    main = synthetic.write_model(tmp_path)
    file = tmp_path / "cen_0.50.dat"  # the mirrors of the last file serve all
    data = models.read_cen(file)
    mirrors = data.mirror_landmarks.copy()
    mirrors[0] = len(mirrors)
    models.write_cen(tmp_path / "new.dat", replace(data, mirror_landmarks=mirrors))
    os.replace(tmp_path / "new.dat", file)
    with pytest.raises(ModelFileError, match=r"which does not exist|has an expert"):
        LandmarkModel.load(main)


def test_experts_whose_field_has_no_covariance_are_refused(tmp_path):
    main = synthetic.write_model(tmp_path, "ccnf")
    data = synthetic.ccnf(0, 0.25, windows=())
    experts = [[e and replace(e, alphas=0 * e.alphas) for e in view] for view in data.experts]
    synthetic.write_ccnf(tmp_path / "ccnf_0.25.dat", replace(data, experts=tuple(map(tuple, experts))))
    with pytest.raises(ModelFileError, match="have no positive sum"):
        LandmarkModel.load(main)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_matrices_of_single_precision_must_be_finite_too(tmp_path, value):
    path = tmp_path / "matrix"
    path.write_bytes(tiny_models.matrix([[1.0, value]], "float32"))
    with pytest.raises(ModelFileError, match="not finite"):
        models.BinaryReader(path).matrix()


@pytest.mark.parametrize(("number", "kind"), [("1e300", np.float32), ("0.5", np.int32)])
def test_text_that_does_not_fit_the_type_of_the_model_is_refused(tmp_path, number, kind):
    path = tmp_path / "matrix"
    path.write_text(f"1 1 6 {number}")
    with pytest.raises(ModelFileError, match="do not fit into"):
        models.TextReader(path).matrix(kind)


def test_digits_are_not_grouped_as_in_python(tmp_path):
    path = tmp_path / "matrix"
    path.write_text("1 1 6 1_0")
    with pytest.raises(ModelFileError, match="'1_0' is not a valid number"):
        models.TextReader(path).matrix()


def test_text_takes_a_small_multiple_of_its_size(tmp_path):
    path = tmp_path / "matrix"
    path.write_text("1\n500000\n5\n" + "1 " * 500_000)
    tracemalloc.start()
    try:
        assert models.TextReader(path).matrix().sum() == 500_000
        assert tracemalloc.get_traced_memory()[1] < 20 * path.stat().st_size
    finally:
        tracemalloc.stop()


# -- archives ----------------------------------------------------------------------------------------------------


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def archive(path: Path, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as target:
        for name, content in entries.items():
            target.writestr(f"{name}.npy", content)
    return path


def test_arrays_of_an_archive_are_read_back(tmp_path):
    arrays = {
        "a": np.arange(6.0).reshape(2, 3), "b": np.array(3), "c": np.zeros((0, 4), np.float32), "d": np.array([True]),
        "e": np.arange(3, dtype=np.uint8), "f": np.arange(3, dtype=np.float16),
    }  # fmt: skip
    np.savez(tmp_path / "all.npz", **arrays)
    found = models.read_archive(tmp_path / "all.npz")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert models.read_archive(tmp_path / "all.npz", ("a", "z")).keys() == {"a"}


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999999999, 999999999999999999), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 999999999999999999), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * 5000 + "), }",
        "__import__('os').abort()",
        "",
    ],
)
def test_headers_that_numpy_does_not_write_are_refused(tmp_path, header):
    path = archive(tmp_path / "a.npz", a=npy(header, bytes(4)))
    with pytest.raises(ValueError, match=r"a\.npy"):
        models.read_archive(path)


def test_archives_that_would_grow_are_refused(tmp_path):
    np.savez_compressed(tmp_path / "bomb.npz", a=np.zeros(10**7))
    with pytest.raises(ValueError, match="would take more than its"):
        models.read_archive(tmp_path / "bomb.npz")
    np.savez_compressed(tmp_path / "small.npz", a=np.random.default_rng(0).bytes(3))
    with pytest.raises(ValueError, match=r"compressed|plain array"):
        models.read_archive(tmp_path / "small.npz")


def test_entries_that_share_their_bytes_are_refused(tmp_path):
    stream = streams.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        target.writestr(
            "a.npy", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (50000,), }", bytes(50_000))
        )
        first = target.infolist()[0]
        for name in ("b.npy", "c.npy"):
            twin = zipfile.ZipInfo(name)
            twin.header_offset, twin.CRC = first.header_offset, first.CRC
            twin.file_size = twin.compress_size = first.file_size
            target.filelist.append(twin)
    path = tmp_path / "shared.npz"
    path.write_bytes(stream.getvalue())
    with pytest.raises(ValueError, match="would take more than its"):
        models.read_archive(path)
