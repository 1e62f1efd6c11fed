"""OpenFace's own model files parse to their last byte, with the sizes they are known to have."""

from __future__ import annotations

import numpy as np
import pytest

from pyclnf import io

MODEL = "LandmarkDetector/model/"


@pytest.mark.parametrize(
    ("name", "n_points", "n_modes"),
    [
        (MODEL + "pdms/In-the-wild_aligned_PDM_68.txt", 68, 34),
        (MODEL + "pdms/pdm_68_aligned_menpo.txt", 68, 30),
        (MODEL + "model_inner/pdms/pdm_51_inner.txt", 51, 32),
        (MODEL + "model_eye/pdms/pdm_28_l_eye_3D_closed.txt", 28, 10),
        (MODEL + "model_eye/pdms/pdm_28_eye_3D_closed.txt", 28, 10),
        ("FaceAnalyser/AU_predictors/In-the-wild_aligned_PDM_68.txt", 68, 34),
    ],
)
def test_pdm_of_any_number_of_modes(openface, name, n_points, n_modes):
    pdm = io.read_pdm(openface / name)
    assert pdm.basis.shape == (3 * n_points, n_modes)
    assert pdm.mean.shape == (3 * n_points,)
    assert (np.diff(pdm.eigenvalues) <= 0).all()


@pytest.mark.parametrize(
    ("name", "scale", "visible", "windows"),
    [
        ("patch_experts/ccnf_patches_0.25_general.txt", 0.25, [68, 68, 68, 35, 35, 68, 68], [7, 9, 11, 15]),
        ("patch_experts/ccnf_patches_0.35_general.txt", 0.35, [68, 68, 68, 35, 35, 68, 68], [7, 9, 11, 15]),
        ("patch_experts/ccnf_patches_0.5_general.txt", 0.5, [68, 68, 68, 35, 35, 68, 68], [7, 9, 11, 15]),
        (
            "model_inner/patch_experts/ccnf_patches_1.00_inner.txt",
            1.0,
            [51, 51, 51, 26, 26, 51, 51],
            [7, 9, 11, 15],
        ),
        ("model_eye/patch_experts/ccnf_patches_1.50_synth_lid_.txt", 1.5, [28], [7, 9, 11, 15]),
        ("model_eye/patch_experts/left_ccnf_patches_1.00_synth_lid_.txt", 1.0, [28], [3, 5, 7, 9, 11, 15]),
    ],
)
def test_ccnf_experts(openface, name, scale, visible, windows):
    model = io.read_ccnf(openface / MODEL / name)
    assert model.scale == scale
    assert model.visibility.sum(axis=1).tolist() == visible
    assert list(model.sigma_components) == windows
    for view, row in zip(model.experts, model.visibility, strict=True):
        assert [expert is not None for expert in view] == row.tolist()
    for expert in (expert for view in model.experts for expert in view if expert is not None):
        assert (expert.width, expert.height, len(expert.weights)) == (11, 11, 7)
        np.testing.assert_allclose(np.linalg.norm(expert.weights, axis=(1, 2)), 1, atol=1e-6)


def test_svr_experts(openface):
    model = io.read_svr(openface / MODEL / "patch_experts/svr_patches_0.25_general.txt")
    assert model.scale == 0.25
    assert [len(view) for view in model.experts] == [68] * 7
    assert all(len(expert.modalities) == 2 for view in model.experts for expert in view)


@pytest.mark.parametrize(
    ("name", "n_layers", "n_bins"), [("validator_cnn", 9, 30), ("validator_cnn_68", 12, 20)]
)
def test_validators(openface, name, n_layers, n_bins):
    validator = io.read_validator(openface / MODEL / f"detection_validation/{name}.txt")
    np.testing.assert_allclose(np.rad2deg(validator.orientations[:, 1]), [0, -20, -45, -70, 20, 45, 70])
    assert [view.warp.mask.shape for view in validator.views] == [(60, 60)] * 7
    for view in validator.views:
        assert len(view.layers) == n_layers
        last = view.layers[-1]
        assert isinstance(last, io.FullyConnected)
        assert last.bias.shape == (n_bins,)


def test_triangulations(openface):
    full = io.read_triangulation(openface / "FaceAnalyser/AU_predictors/tris_68_full.txt")
    assert full.shape == (111, 3)
    views = io.read_view_triangulations(openface / MODEL / "tris_68.txt")
    assert [len(view) for view in views] == [97, 97, 82, 31, 97, 82, 31]


def test_descriptions_point_to_files_that_exist(openface):
    main = io.read_model_description(openface / MODEL / "main_clnf_general.txt")
    assert [part.name for part in main.parts] == ["inner", "left_eye_28", "right_eye_28"]
    assert main.validator is not None
    assert main.validator.is_file()
    for description in (main, *(io.read_model_description(part.path) for part in main.parts)):
        sub = io.read_submodel_description(description.landmark_detector)
        assert all(path.is_file() for path in (sub.pdm, *sub.ccnf))


def test_cen_experts_are_views_on_the_file_and_round_trip(shared, tmp_path):
    files = sorted((shared / "cen_fixture" / "patch_experts").glob("cen_patches_*.dat"))
    assert len(files) == 4
    for path in files:
        model = io.read_cen(path)
        full = [expert for view in model.experts for expert in view if expert.layers]
        assert len(full) == 107
        assert not any(layer.weight.flags.owndata for expert in full for layer in expert.layers)
        io.write_cen(tmp_path / "copy.dat", model)
        assert (tmp_path / "copy.dat").read_bytes() == path.read_bytes()
