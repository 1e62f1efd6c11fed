"""Reading action-unit model files, good and bad."""

from __future__ import annotations

import numpy as np
import pytest

from pyclnf.errors import MissingModelError, ModelFileError
from pyfaceau.prediction import AUPredictor, read_au_models


def test_all_kinds_of_predictors_are_read(write_models, dynamic_predictors):
    models = read_au_models(write_models(dynamic_predictors))
    found = [(m.name, m.intensity, m.dynamic, m.cutoff, m.positive, m.negative) for m in models.models]
    assert found == [
        ("AU01", True, True, 0.3, 1.0, 0.0),
        ("AU02", True, False, None, 1.0, 0.0),
        ("AU03", True, True, 0.3, 1.0, 0.0),
        ("AU04", False, True, None, 1.0, 0.0),
        ("AU05", False, False, None, 0.0, 1.0),
    ]
    for model, (_, _, _, _, means, weights, bias, _) in zip(models.models, dynamic_predictors, strict=True):
        np.testing.assert_array_equal(model.means, means)
        np.testing.assert_array_equal(model.weights, weights)
        assert model.bias == bias
    assert {path.name for path in models.files} >= {
        "main.txt",
        "list.txt",
        "pdm.txt",
        "triangles.txt",
        "1.dat",
    }


def test_predictor_is_made_of_files(write_models, dynamic_predictors):
    predictor = AUPredictor.from_files(write_models(dynamic_predictors))
    assert predictor.intensity_names == ("AU01_r", "AU02_r", "AU03_r")
    assert predictor.n_features == len(dynamic_predictors[0][4])


def test_missing_description_is_named(tmp_path):
    with pytest.raises(MissingModelError, match=r"main_x\.txt"):
        read_au_models(tmp_path / "main_x.txt")


def test_missing_predictors_are_all_named(write_models, dynamic_predictors):
    main = write_models(dynamic_predictors)
    (main.parent / "2.dat").unlink()
    (main.parent / "5.dat").unlink()
    with pytest.raises(MissingModelError, match=r"`pyfaceau models install`.*2\.dat.*5\.dat"):
        read_au_models(main)


@pytest.mark.parametrize("length", [0, 3, 4, 11, 12, 30, 24 + 4671 * 8, -9, -1])
def test_truncated_predictor_is_refused_by_name(write_models, dynamic_predictors, length):
    main = write_models(dynamic_predictors)
    path = main.parent / "1.dat"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ModelFileError, match=r"1\.dat"):
        read_au_models(main)


def test_trailing_bytes_are_refused(write_models, dynamic_predictors):
    main = write_models(dynamic_predictors)
    path = main.parent / "4.dat"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelFileError, match=r"4\.dat"):
        read_au_models(main)


def test_unknown_predictor_type_is_refused(write_models, dynamic_predictors):
    main = write_models(dynamic_predictors)
    path = main.parent / "2.dat"
    path.write_bytes(b"\2\0\0\0" + path.read_bytes()[4:])
    with pytest.raises(ModelFileError, match="predictor type 2"):
        read_au_models(main)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("PDM pdm.txt\nTriangulation triangles.txt\n", "no AUPredictor line"),
        ("AUPredictor list.txt\nTriangulation triangles.txt\n", "no PDM line"),
        ("", "no AUPredictor line"),
        ("AUPredictor list.txt\0", "binary"),
    ],
)
def test_wrong_description_is_refused(write_models, dynamic_predictors, text, message):
    main = write_models(dynamic_predictors)
    main.write_text(text)
    with pytest.raises(ModelFileError, match=message):
        read_au_models(main)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no predictors"),
        ("1.dat AU01\n3.dat AU01\n", "AU01 has two intensity predictors"),
        ("1.dat\n", "must be followed by one action unit"),
        ("1.dat AU01,AU02\n", "must be followed by one action unit"),
    ],
)
def test_wrong_list_is_refused(write_models, dynamic_predictors, text, message):
    main = write_models(dynamic_predictors)
    (main.parent / "list.txt").write_text(text)
    with pytest.raises(ModelFileError, match=message):
        read_au_models(main)


def test_predictors_of_different_sizes_are_refused(write_models, dynamic_predictors):
    odd = ("6.dat", "AU06", 0, None, np.zeros(5), np.zeros(5), 0.0, None)
    with pytest.raises(ModelFileError, match="different sizes"):
        read_au_models(write_models([*dynamic_predictors, odd]))


def test_weights_that_are_not_numbers_are_refused(write_models, dynamic_predictors):
    dynamic_predictors[0][5][3] = np.nan
    with pytest.raises(ModelFileError, match="finite"):
        read_au_models(write_models(dynamic_predictors))


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 3000])
@pytest.mark.parametrize("file", ["main.txt", "list.txt"])
def test_name_that_no_file_can_have_is_refused(write_models, dynamic_predictors, file, name):
    main = write_models(dynamic_predictors)
    text = (
        f"AUPredictor list.txt\nPDM {name}\nTriangulation triangles.txt"
        if file == "main.txt"
        else f"{name} AU01"
    )
    (main.parent / file).write_text(text)
    with pytest.raises(ModelFileError, match="names a file that cannot be"):
        read_au_models(main)


def test_list_with_a_nul_is_refused(write_models, dynamic_predictors):
    main = write_models(dynamic_predictors)
    (main.parent / "list.txt").write_text("1\0.dat AU01")
    with pytest.raises(ModelFileError, match="this is binary"):
        read_au_models(main)


def test_list_that_names_a_device_is_refused(write_models, dynamic_predictors):
    main = write_models(dynamic_predictors)
    main.write_text("AUPredictor /dev/zero\nPDM pdm.txt\nTriangulation triangles.txt")
    with pytest.raises((ModelFileError, MissingModelError), match=r"not a regular file|missing"):
        read_au_models(main)


def test_list_of_more_predictors_than_names_is_refused_before_they_are_read(write_models, dynamic_predictors):
    main = write_models(dynamic_predictors)
    (main.parent / "list.txt").write_text("1.dat AU01\n" * 201)
    with pytest.raises(ModelFileError, match="more than 200 predictors"):
        read_au_models(main)
