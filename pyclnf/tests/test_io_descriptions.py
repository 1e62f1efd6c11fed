"""Model descriptions: which files belong together."""

from __future__ import annotations

import pytest

from pyclnf import FitParameters
from pyclnf.errors import MissingModelError, ModelFileError
from pyclnf.io import FitFactors, read_early_termination, read_model_description, read_submodel_description


def test_main_description_names_detector_parts_and_validator(tmp_path):
    path = tmp_path / "main.txt"
    path.write_bytes(
        b"LandmarkDetector sub.txt\r\n"
        b"LandmarkDetector_part eye/main.txt left_eye_28 36 8 37 10 \r\n"
        b"FaceDetConversion haarAlign.txt\r\n"
        b"DetectionValidator v/cnn.txt"
    )
    model = read_model_description(path)
    assert model.landmark_detector == tmp_path / "sub.txt"
    assert model.validator == tmp_path / "v" / "cnn.txt"
    (part,) = model.parts
    assert part.path == tmp_path / "eye" / "main.txt"
    assert part.name == "left_eye_28"
    assert part.pairs.tolist() == [[36, 8], [37, 10]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("DetectionValidator v.txt", "no LandmarkDetector line"),
        ("LandmarkDetector", "names no file"),
        ("LandmarkDetector a.txt\nLandmarkDetector_part b.txt eye 1 2 3", "pairs of landmark indices"),
        ("LandmarkDetector a.txt\nLandmarkDetector_part b.txt eye 1 x", "a name and landmark indices"),
        ("LandmarkDetector a.txt\nLandmarkDetector_part b.txt", "a name and landmark indices"),
        ("LandmarkDetector a\0b", "binary file"),
    ],
)
def test_malformed_main_description_is_refused_with_its_reason(tmp_path, text, reason):
    path = tmp_path / "main.txt"
    path.write_text(text)
    with pytest.raises(ModelFileError, match=reason):
        read_model_description(path)


def description(tmp_path, *lines, name="main.txt"):
    path = tmp_path / name
    path.write_text("\n".join(["LandmarkDetector sub.txt", *lines]) + "\n")
    return path


@pytest.mark.parametrize(
    ("line", "factors"),
    [
        ("FitSettings sigma_factor 1.25 regularisation_factor 2", FitFactors(1.25, 2.0)),
        ("FitSettings regularisation_factor 0.5\r", FitFactors(1.0, 0.5)),
        ("FitSettings", FitFactors()),
    ],
)
def test_fit_settings_of_a_description_count_whatever_its_name(tmp_path, line, factors):
    for name in ("main.txt", "main_ceclm_general.txt"):
        path = description(tmp_path, line, name=name)
        assert read_model_description(path).fit_factors == factors
        parameters = FitParameters.for_model(path)
        assert parameters.sigma == 1.5 * factors.sigma
        assert parameters.regularisation == 25.0 * factors.regularisation


def test_without_fit_settings_the_name_decides_as_in_openface(tmp_path):
    ceclm = FitParameters.for_model(description(tmp_path, name="main_ceclm_general.txt"))
    clnf = FitParameters.for_model(description(tmp_path, name="main_clnf_general.txt"))
    wild = FitParameters.for_model(description(tmp_path, name="main_ceclm_general.txt"), wild=True)
    assert (ceclm.sigma, ceclm.regularisation) == (2.25, 22.5)
    assert (clnf.sigma, clnf.regularisation) == (1.5, 25.0)
    assert (wild.sigma, wild.regularisation) == (1.25 * 1.5, 35.0 * 0.9)


@pytest.mark.parametrize(
    "rest",
    [
        "ceclm", "sigma_factor", "sigma_factor x", "sigma_factor nan", "sigma_factor 0", "sigma_factor -1",
        "sigma_factor 1e9", "sigma_factor 1 sigma_factor 2", "sigma 1.5", "sigma_factor 1\nFitSettings sigma_factor 1",
    ],
)  # fmt: skip
def test_fit_settings_that_cannot_be_are_refused(tmp_path, rest):
    with pytest.raises(ModelFileError, match="FitSettings"):
        read_model_description(description(tmp_path, f"FitSettings {rest}"))


def test_binary_file_as_description_is_refused(tmp_path):
    path = tmp_path / "main.txt"
    path.write_bytes(bytes(range(128, 256)))
    with pytest.raises(ModelFileError, match="UTF-8"):
        read_model_description(path)


def test_submodel_description_keeps_the_order_of_scales(tmp_path):
    path = tmp_path / "sub.txt"
    path.write_text(
        "PDM pdms/my pdm.txt\nPatchesCEN a_0.25.dat\nPatchesCEN a_0.50.dat\nPatchesCCNF c.txt\n"
        "PatchesIntensity s.txt\nEarlyTermination e.txt\nTriangulations t.txt"
    )
    model = read_submodel_description(path)
    assert model.pdm == tmp_path / "pdms" / "my pdm.txt"
    assert model.cen == (tmp_path / "a_0.25.dat", tmp_path / "a_0.50.dat")
    assert model.ccnf == (tmp_path / "c.txt",)
    assert model.svr == (tmp_path / "s.txt",)
    assert model.early_termination == tmp_path / "e.txt"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("PatchesCEN a.dat", "no PDM"),
        ("PDM p.txt", "no patch experts"),
        ("PDM", "names no file"),
    ],
)
def test_malformed_submodel_description_is_refused_with_its_reason(tmp_path, text, reason):
    path = tmp_path / "sub.txt"
    path.write_text(text)
    with pytest.raises(ModelFileError, match=reason):
        read_submodel_description(path)


def test_missing_description_is_a_missing_model(tmp_path):
    with pytest.raises(MissingModelError, match=r"main_ceclm_general\.txt"):
        read_model_description(tmp_path / "main_ceclm_general.txt")


def test_early_termination_thresholds_are_grouped_by_kind(tmp_path):
    path = tmp_path / "early.txt"
    path.write_text("1.0 1.5 0.0 0.25 -0.2 0.3 ")
    thresholds = read_early_termination(path)
    assert thresholds.weights.tolist() == [1.0, 1.5]
    assert thresholds.biases.tolist() == [0.0, 0.25]
    assert thresholds.cutoffs.tolist() == [-0.2, 0.3]
