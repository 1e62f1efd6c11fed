"""Parts of the AU training: drawing, labels, regression and the files that come out."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("numba", reason="the training environment has numba and scikit-learn")
pytest.importorskip("sklearn")

from sklearn.linear_model import Ridge

from pyclnf.io import read_triangulation
from pyclnf.models import OPEN_FOLDER as PACK
from pyfaceau.models import OPEN_AU_FOLDER
from pyfaceau.prediction.files import read_au_models
from weights.au.labels import PRESENCES, evened, from_blendshapes, subject_means
from weights.au.mask import face_triangles, write_triangles
from weights.au.predictors import Predictor, write_models
from weights.au.regions import ELSEWHERE, REGIONS
from weights.au.regression import Normal, relative, solve
from weights.au.relit import relit
from weights.au.transfer import Drivers
from weights.demo.make_clip import bump
from weights.render.fit import Camera, _bounded_ridge
from weights.render.raster import rasterize, vertex_normals


def test_nearer_triangle_hides_the_farther():
    points = np.array([[0, 0, 5], [9, 0, 5], [0, 9, 5], [0, 0, 1], [9, 0, 1], [0, 9, 1]], float)
    triangles = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    values, owner = rasterize(points, triangles, points[:, :1].copy(), 10, 10)
    assert owner[2, 3] == 1
    assert owner[9, 9] == -1
    assert values[2, 3, 0] == pytest.approx(3)


def test_normals_of_a_flat_mesh_point_along_z():
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float)
    assert vertex_normals(points, np.array([[0, 1, 2]], np.int32)) == pytest.approx(
        np.tile([0, 0, 1.0], (3, 1))
    )


def test_camera_projects_without_rotation_as_scale_and_shift():
    camera = Camera(2.0, (0, 0, 0), 5.0, 7.0)
    assert camera.project(np.array([[1.0, 2.0, 3.0]])) == pytest.approx(np.array([[7, 11, 6]]))


def test_bounded_solution_respects_bounds_and_is_exact_where_they_do_not_matter():
    rng = np.random.default_rng(0)
    system, prior = rng.normal(size=(30, 4)), np.full(4, 1e-3)
    true = np.array([0.5, -2.0, 0.3, 0.9])
    wide, tight = np.full(4, 9.0), np.full(4, 1.0)
    assert _bounded_ridge(system, system @ true, prior, -wide, wide) == pytest.approx(true, abs=1e-4)
    inside = _bounded_ridge(system, system @ true, prior, -tight, tight)
    assert (np.abs(inside) <= 1).all()
    assert inside[1] == -1


def test_closed_form_equals_ridge_regression():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(40, 2, 6)).astype(np.float32)
    labels = rng.normal(size=(40, 3))
    weights = solve(Normal.of(features, labels), ridge=2.0)
    reference = Ridge(alpha=2.0, fit_intercept=False).fit(
        features.reshape(80, 6), np.repeat(labels, 2, axis=0)
    )
    np.testing.assert_allclose(weights.T, reference.coef_, atol=1e-4)


def test_relative_features_have_no_subject_mean():
    rng = np.random.default_rng(2)
    subjects = np.array(["a", "a", "a", "b", "b", "b"])
    out = relative(rng.normal(size=(6, 2, 5)).astype(np.float32), subjects)
    for side in (0, 1):
        assert subject_means(out[:, side], subjects) == pytest.approx(np.zeros((6, 5)), abs=1e-6)


def test_both_sides_of_a_blendshape_are_summed():
    names = ("mouthSmileLeft", "mouthSmileRight", "jawOpen")
    sums = from_blendshapes(np.array([[0.25, 0.5, 0.125]]), names)
    assert sums[0, PRESENCES.index("AU12")] == 0.75
    assert sums[0, PRESENCES.index("AU26")] == 0.125


def test_weighted_sums_equal_repeated_faces():
    rng = np.random.default_rng(5)
    features, labels = rng.normal(size=(3, 2, 4)).astype(np.float32), rng.normal(size=(3, 2))
    weighted = Normal.of(features, labels, np.array([1.0, 2.0, 1.0]))
    again = [0, 1, 1, 2]
    repeated = Normal.of(features[again], labels[again])
    np.testing.assert_allclose(weighted.gram, repeated.gram, atol=1e-5)
    np.testing.assert_allclose(weighted.cross, repeated.cross, atol=1e-5)


def test_every_unit_belongs_to_one_region():
    units = [unit for region in REGIONS for unit in region.units]
    assert sorted(units) == sorted(PRESENCES)


def test_brow_units_prefer_brow_cells_and_mouth_units_mouth_cells():
    of = {
        unit: region.weights(4702)[:4464].reshape(12, 12, 31) for region in REGIONS for unit in region.units
    }
    assert of["AU01"][1].min() == of["AU12"][9].min() == 1
    assert of["AU01"][9].max() == of["AU12"][1].max() == ELSEWHERE


def test_evened_labels_keep_their_sign_and_bring_subjects_together():
    subjects = np.repeat(["lively", "calm"], 50)
    rng = np.random.default_rng(6)
    labels = rng.normal(size=(100, 1)) * np.repeat([2.0, 0.5], 50)[:, None]
    out = evened(labels, subjects)
    assert (np.sign(out) == np.sign(labels)).all()
    before, after = (x[:50].std() / x[50:].std() for x in (labels, out))
    assert after == pytest.approx(np.sqrt(before), rel=0.05)


def test_drivers_move_the_shapes_that_the_face_moved():
    model = SimpleNamespace(names=("browInnerUp_L", "browInnerUp_R", "jawOpen", "mouthSmile_L", "mouthSmile_R",
                                   "cheekSquint_L", "cheekSquint_R", "eyeBlink_L", "eyeBlink_R"))  # fmt: skip
    names = ("browInnerUp", "jawOpen", "mouthSmileLeft", "mouthSmileRight", "cheekSquintLeft", "cheekSquintRight",
             "eyeBlinkLeft", "eyeBlinkRight")  # fmt: skip
    calm, open_mouth = np.zeros(8), np.eye(8)[1] * 0.4
    frames = [SimpleNamespace(subject="a", blendshapes=shapes) for shapes in (calm, calm, calm, open_mouth)]
    draw = Drivers(model, frames, names)
    drawn = np.array([draw(np.random.default_rng(seed)) for seed in range(60)])
    jaw, rest = drawn[:, 2], np.delete(drawn[:, :7], 2, axis=1)
    assert jaw.max() > 0.28
    assert (rest == 0).all()


def test_relighting_keeps_form_and_changes_the_light():
    image = np.full((60, 60, 3), 120, np.uint8)
    points = np.random.default_rng(0).uniform(15, 45, (68, 2))
    changed = [relit(image, points, np.random.default_rng(seed)) for seed in range(8)]
    assert all(picture.shape == image.shape and picture.dtype == np.uint8 for picture in changed)
    assert np.std([picture.mean() for picture in changed]) > 5


def test_bump_rests_outside_and_holds_its_plateau():
    assert bump(0.9, 1, 2) == 0
    assert bump(1.5, 1, 2) == 1
    assert 0 < bump(1.1, 1, 2) < 1


def test_written_models_read_back_through_the_pipelines_reader(tmp_path):
    rng = np.random.default_rng(3)
    predictors = [
        Predictor(f"AU{12 + intensity:02d}", bool(intensity), bool(dynamic), rng.normal(size=4702), 0.5, 0.25)
        for intensity in (0, 1)
        for dynamic in (0, 1)
    ]
    means = {False: rng.normal(size=4702), True: np.zeros(4702)}
    for name in ("pdm.txt", "tris.txt"):
        (tmp_path / name).touch()
    write_models(tmp_path, predictors, means, "pdm.txt", "tris.txt")
    for view, dynamic in (("dynamic", True), ("static", False)):
        models = {m.name: m for m in read_au_models(tmp_path / f"main_{view}_svms.txt").models}
        for predictor in predictors:
            if predictor.dynamic != dynamic:
                continue
            model = models[predictor.name]
            assert (model.weights == predictor.weights).all()
            assert (model.means == means[dynamic]).all()
            assert model.bias == 0.5
            assert (model.intensity, model.dynamic) == (predictor.intensity, dynamic)
            if predictor.intensity and dynamic:
                assert model.cutoff == 0.25
            if not predictor.intensity:
                assert (model.positive, model.negative) == (1.0, 0.0)


def test_mask_covers_every_landmark_and_no_triangle_twice(tmp_path):
    triangles = face_triangles(PACK / "pdm_68_open.txt")
    write_triangles(tmp_path / "tris.txt", triangles)
    assert (read_triangulation(tmp_path / "tris.txt") == triangles).all()
    assert set(triangles.ravel()) == set(range(68))
    assert len({tuple(row) for row in triangles.tolist()}) == len(triangles)


def test_action_unit_models_use_the_landmark_pack_s_shape_model():
    for view in ("dynamic", "static"):
        assert read_au_models(OPEN_AU_FOLDER / f"main_{view}_svms.txt").pdm == PACK / "pdm_68_open.txt"
