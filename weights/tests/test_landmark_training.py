"""The parts of landmark training that need neither torch nor the training data."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from pyclnf import CLNF
from pyclnf.core.patch_experts import CENExperts
from pyclnf.io import read_cen, read_early_termination, write_cen
from pyclnf.models import OPEN_FOLDER
from pyclnf.oracle import euler_to_matrix
from pyfaceau.demo import DEMO_PORTRAIT
from weights.landmarks import labels, patches, pdm, prepare
from weights.landmarks.data import MIRROR_68, split_of
from weights.landmarks.early_termination import first_pass_scores
from weights.landmarks.evaluate import landmark_error
from weights.landmarks.fitting import PARAMETERS, Fitter
from weights.landmarks.geometry import fit_pose, project, rotations_to_euler
from weights.landmarks.sampling import FittedFaces, sample_areas
from weights.landmarks.warp import CROP, make_warp, mirrored_warp, view_warps, warp_face


@pytest.fixture(scope="module")
def model() -> pdm.ShapeModel:
    """A face-like symmetric shape with three modes."""
    rng = np.random.default_rng(0)
    mean = rng.normal(size=(68, 3)) * np.array([40.0, 40.0, 15.0])
    mean = 0.5 * (mean + mean[MIRROR_68] * np.array([-1.0, 1.0, 1.0]))
    mean -= mean.mean(axis=0)
    # modes that are no rigid motion and no change of size, like those of a real model
    rigid = [np.repeat(axis, 68) for axis in np.eye(3)] + [
        np.cross(axis, mean).T.ravel() for axis in np.eye(3)
    ]
    basis, _ = np.linalg.qr(np.stack([*rigid, mean.T.ravel(), *rng.normal(size=(3, 204))], axis=1))
    return pdm.ShapeModel(mean, basis[:, -3:], np.array([300.0, 100.0, 30.0]))


@pytest.fixture(scope="module")
def opened() -> pdm.ShapeModel:
    """The open pack's shape model with a mouth that is a little open."""
    model = pdm.ShapeModel.from_file(OPEN_FOLDER / "pdm_68_open.txt")
    return pdm.with_lip_gap(model, 0.05)


def test_mirroring_twice_is_the_identity():
    np.testing.assert_array_equal(MIRROR_68[MIRROR_68], np.arange(68))


def test_euler_angles_survive_the_round_trip():
    euler = np.random.default_rng(1).uniform(-1.2, 1.2, (50, 3))
    rotations = np.array([euler_to_matrix(angles) for angles in euler])
    np.testing.assert_allclose(rotations_to_euler(rotations), euler, atol=1e-12)


def test_pose_of_a_rigid_view_is_recovered(model: pdm.ShapeModel):
    euler = np.array([[0.1, 0.4, -0.2], [-0.2, -0.3, 0.5]])
    rotation = np.array([euler_to_matrix(angles) for angles in euler])
    shapes = np.broadcast_to(model.mean, (2, 68, 3))
    seen = project(shapes, np.array([0.7, 2.0]), rotation, np.array([[5.0, 9.0], [100.0, 3.0]]))
    scale, found, shift = fit_pose(shapes, seen, np.ones(68), 60)
    np.testing.assert_allclose(scale, [0.7, 2.0], rtol=1e-4)
    np.testing.assert_allclose(found, rotation, atol=1e-3)
    np.testing.assert_allclose(project(shapes, scale, found, shift), seen, atol=0.05)


def test_point_fit_recovers_local_shape(model: pdm.ShapeModel):
    local = np.array([[4.0, -3.0, 1.0]])
    rotation = euler_to_matrix([0.05, 0.3, 0.1])[None]
    seen = project(model.shapes(local), np.array([1.3]), rotation, np.array([[50.0, 60.0]]))
    scale, rotation, shift, found = pdm.fit_points(model, seen, regularisation=1e-6, iterations=150)
    np.testing.assert_allclose(project(model.shapes(found), scale, rotation, shift), seen, atol=0.05)


@pytest.mark.parametrize("gap", [0.0, 0.06])
def test_the_mean_can_be_moved_to_any_lip_gap(gap: float, opened: pdm.ShapeModel):
    moved = pdm.with_lip_gap(opened, gap)
    size = np.linalg.norm(opened.mean[45] - opened.mean[36])
    for above, below in pdm.LIP_PAIRS:
        assert moved.mean[below, 1] - moved.mean[above, 1] == pytest.approx(gap * size, abs=1e-9)
    # the same shapes, the likeliest of those with that gap
    local = np.linalg.lstsq(opened.basis, (moved.mean - opened.mean).T.reshape(-1), rcond=None)[0]
    np.testing.assert_allclose(opened.shapes(local[None])[0], moved.mean, atol=1e-9)
    rng = np.random.default_rng(0)
    gaps = np.array([opened.basis[68 + b] - opened.basis[68 + a] for a, b in pdm.LIP_PAIRS])
    others = rng.normal(size=(200, len(local)))
    others -= others @ np.linalg.pinv(gaps) @ gaps  # moves that leave the gaps
    cost = ((local + others) ** 2 / opened.eigenvalues).sum(axis=1)
    assert (cost >= (local**2 / opened.eigenvalues).sum()).all()


def test_a_model_at_rest_has_the_same_shapes_and_the_spread_about_its_own_mean(
    opened: pdm.ShapeModel, monkeypatch: pytest.MonkeyPatch
):
    wide = pdm.at_rest(opened, 1.0)
    monkeypatch.setattr(pdm, "OPENING_SHARE", 1.0)
    rest = pdm.at_rest(opened, 1.0)
    for model in (wide, rest):
        np.testing.assert_allclose(model.mean, pdm.with_lip_gap(opened, 0.0).mean)
        np.testing.assert_allclose(model.basis @ (model.basis.T @ opened.basis), opened.basis, atol=1e-5)
        assert (np.diff(model.eigenvalues) <= 0).all()
    local = np.random.default_rng(1).normal(size=(40_000, 34)) * np.sqrt(opened.eigenvalues)
    shapes = (opened.mean - rest.mean).T.reshape(-1) + local @ opened.basis.T
    about = (shapes @ rest.basis).T @ (shapes @ rest.basis) / len(shapes)
    np.testing.assert_allclose(np.diag(about), rest.eigenvalues, rtol=0.05)
    assert wide.eigenvalues.sum() > rest.eigenvalues.sum()
    np.testing.assert_allclose(pdm.at_rest(opened, 8.0).eigenvalues, 8.0 * rest.eigenvalues)


def test_shut_lips_have_warps_all_the_same(opened: pdm.ShapeModel):
    for warp in view_warps(pdm.with_lip_gap(opened, 0.0)):
        assert np.isfinite(warp.alpha).all()
        assert np.abs(warp.alpha).max() < 1e3
        assert {61, 62, 63, 65, 66, 67} <= set(warp.triangles.ravel().tolist())


def test_rows_of_the_mouth_are_those_of_its_landmarks():
    frontal, side = (patches.rows_of(view, range(48, 68)) for view in (0, 1))
    assert side.tolist() == list(range(48, 68))
    found = patches.experts_of(0)[frontal]
    assert set(found) | set(MIRROR_68[found]) == set(range(48, 68))


def test_networks_that_are_not_trained_on_stay_bit_by_bit(tmp_path):
    pytest.importorskip("torch")
    from weights.landmarks import cen, export

    name = "patch_experts/cen_patches_0.25_open.dat"
    export.read_networks(OPEN_FOLDER / name, 0, tmp_path)
    networks = [cen.Networks.load(tmp_path / f"net_0_{view}.npz") for view in (0, 1)]
    confidences = [np.load(tmp_path / f"confidence_0_{view}.npy") for view in (0, 1)]
    same = tmp_path / "same.dat"
    write_cen(same, export.cen_file(0, *networks, confidences), compact=True)
    assert same.read_bytes() == (OPEN_FOLDER / name).read_bytes()
    for view in (0, 1):
        rows = patches.rows_of(view, range(48, 68))
        part = networks[view].take(rows)
        changed = cen.Networks(part.biases, (*part.weights[:-1], 0.5 * part.weights[-1]))
        networks[view] = networks[view].put(rows, changed)
    write_cen(same, export.cen_file(0, *networks, confidences), compact=True)
    before, after = (read_cen(path).experts for path in (OPEN_FOLDER / name, same))
    for view, landmark in itertools.product((0, 1), range(68)):
        old, new = (experts[view][landmark].layers for experts in (before, after))
        if old:
            weights = [(a.weight, b.weight) for a, b in zip(old, new, strict=True)]
            assert all(np.array_equal(a, b) for a, b in weights) == (landmark < 48)


def test_a_person_keeps_its_part_of_the_split():
    parts = [split_of(f"Person_{k}") for k in range(2000)]
    assert [split_of(f"Person_{k}") for k in range(2000)] == parts
    assert 0.15 < parts.count("test") / 2000 < 0.25


def test_error_report_ignores_a_constant_shift():
    truth = np.random.default_rng(2).uniform(0, 100, (5, 68, 2))
    truth[:, 36], truth[:, 45] = [10.0, 50.0], [60.0, 50.0]
    report = landmark_error(truth + np.array([2.0, -1.0]), truth)
    np.testing.assert_allclose(report.per_image, 0.0, atol=1e-12)
    np.testing.assert_allclose(report.offset, [0.04, -0.02])


def test_areas_sample_the_image_bilinearly_and_are_black_outside():
    image = np.add.outer(np.arange(40) * 3, np.arange(50) * 2).astype(np.uint8)
    area = sample_areas(image, np.array([[20.5, 11.25]]), np.eye(2), 11)[0]
    expected = np.add.outer((11.25 + np.arange(-5, 6)) * 3, (20.5 + np.arange(-5, 6)) * 2)
    np.testing.assert_allclose(area, expected, atol=1e-3)
    assert not sample_areas(image, np.array([[-30.0, 10.0]]), np.eye(2), 11).any()


@pytest.fixture(scope="module")
def fitter() -> Fitter:
    """The training's fitter on the files of the open pack."""
    shape_model = pdm.ShapeModel.from_file(OPEN_FOLDER / "pdm_68_open.txt")
    names = [f"cen_patches_{scale:.2f}_open.dat" for scale in (0.25, 0.35, 0.5, 1.0)]
    experts = [CENExperts(read_cen(OPEN_FOLDER / "patch_experts" / name)) for name in names]
    return Fitter(shape_model, experts, read_early_termination(OPEN_FOLDER / "early_term_open.txt"))


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """Grey values of the demo's portrait."""
    return cv2.imread(str(DEMO_PORTRAIT), cv2.IMREAD_GRAYSCALE)


BOX = (65.0, 115.0, 245.0, 240.0)


@pytest.mark.parametrize("multi", [False, True])
def test_training_fits_as_the_product_does(fitter: Fitter, portrait: np.ndarray, multi: bool):
    fit = fitter.fit_box(portrait, BOX, multi)
    product = CLNF("open", parameters=PARAMETERS, multi_view=multi).fit(portrait, BOX)
    np.testing.assert_array_equal(fitter.project(fit), product.landmarks)


def test_first_passes_from_good_starts_are_likelier_and_nearer(fitter: Fitter, portrait: np.ndarray):
    truth = fitter.project(fitter.fit_box(portrait, BOX, multi=False))[None].repeat(12, axis=0)
    faces = FittedFaces(truth, np.ones(12), np.zeros((12, 3)), np.zeros((12, 2)), np.zeros((12, 34)))
    likelihood, view, error = first_pass_scores(fitter, faces, [portrait] * 12, seed=3)
    assert likelihood.shape == view.shape == error.shape == (24,)
    assert error[::2].mean() < error[1::2].mean()
    assert likelihood[::2].mean() > likelihood[1::2].mean()
    assert error.min() < 0.05


def test_box_start_fills_the_box(model: pdm.ShapeModel):
    fitter = Fitter(model, ())
    points = fitter.project(fitter.from_box((10.0, 20.0, 80.0, 90.0), (0.0, 0.0, 0.0)))
    size = points.max(axis=0) - points.min(axis=0)
    assert size.mean() == pytest.approx(85.0, rel=0.02)
    np.testing.assert_allclose((points.max(axis=0) + points.min(axis=0)) / 2, [50.0, 65.0], atol=1e-4)


def test_warp_of_the_destination_itself_is_the_identity(model: pdm.ShapeModel):
    warp = make_warp(model, 0.0)
    image = np.random.default_rng(3).integers(0, 255, (100, 100)).astype(np.uint8)
    shift = 29.5 + 20.0
    pixels = warp_face(warp, image, warp.destination.astype(np.float64) + shift)
    assert pixels is not None
    cols, rows = np.nonzero(warp.mask.T)
    inner = (cols > 2) & (cols < CROP - 3) & (rows > 2) & (rows < CROP - 3)
    np.testing.assert_allclose(pixels[inner], image[rows[inner] + 20, cols[inner] + 20], atol=8.0)


def test_mirrored_warp_sees_the_mirror_image(model: pdm.ShapeModel):
    warp = make_warp(model, 0.4)
    np.testing.assert_array_equal(mirrored_warp(warp).mask, warp.mask[:, ::-1])


def test_label_bias_is_found_and_undone():
    rng = np.random.default_rng(4)
    mediapipe = rng.normal(size=(400, 478, 3)) * 20 + 100
    size = rng.uniform(20, 90, 400)
    mediapipe[:, 33, :2] = rng.uniform(50, 60, (400, 2))
    mediapipe[:, 263] = mediapipe[:, 33] + np.stack([size, 0 * size, 0 * size], axis=1)
    truth = np.zeros((400, 68, 2))
    shift = np.array([0.5, 1.0]) + size[:, None] * np.array([0.02, 0.01])
    for ours, theirs in labels.ANCHORS:
        truth[:, ours] = mediapipe[:, theirs, :2] + shift + rng.normal(size=(400, 2)) * 0.3
    bias = labels.estimate_bias(truth, mediapipe)
    np.testing.assert_allclose(bias.shift(np.array([40.0])), [[1.3, 1.4]], atol=0.08)


def test_bins_up_to_four_mean_success():
    pytest.importorskip("torch")
    from weights.landmarks.validator import bin_of

    assert bin_of(np.array([0.0, 0.099, 0.101, 5.0])).tolist() == [0, 4, 5, 19]


def test_drawn_faces_are_those_of_training_people(tmp_path):
    rng = np.random.default_rng(0)
    for number, name in enumerate(prepare.DRAWN):
        folder = tmp_path / name
        folder.mkdir()
        for index in range(3):
            cv2.imwrite(str(folder / f"{index:05d}.jpg"), np.full((8, 8, 3), 80 * index, np.uint8))
        part = np.array(["train", "test", "train"])
        np.savez(folder / "truth.npz", part=part, points=rng.normal(number, 0.1, (3, 68, 2)))
    images, points = prepare.drawn_faces(tmp_path)
    assert len(images) == len(points) == 2 * len(prepare.DRAWN)
    assert sorted({int(image.mean().round()) for image in images}) == [0, 160]
    assert points[-1].mean() == pytest.approx(len(prepare.DRAWN) - 1, abs=0.1)


def test_missing_drawn_picture_is_named(tmp_path):
    for name in prepare.DRAWN:
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "truth.npz", part=np.array(["train"]), points=np.zeros((1, 68, 2)))
    with pytest.raises(FileNotFoundError, match=r"00000\.jpg.*--stages draw"):
        prepare.drawn_faces(tmp_path)
