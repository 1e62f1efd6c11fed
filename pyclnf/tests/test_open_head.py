"""Head pose of the open pack: known poses, people who differ from the mean head, and files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pyclnf import Camera, LandmarkModel, head_pose
from pyclnf.errors import ModelFileError
from pyclnf.geometry import euler_to_matrix
from pyclnf.models import open_model_path
from pyclnf.open_arrays import HEAD_FILE
from pyclnf.open_head import HeadAnatomy, anatomy_beside

CAMERA = Camera(600.0, 610.0, 320.0, 240.0)
FRONTAL = np.eye(3), np.array([0.0, 0.0, 800.0])


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    """The pack's file."""
    with np.load(open_model_path().with_name(HEAD_FILE), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


@pytest.fixture(scope="module")
def anatomy(arrays: dict[str, np.ndarray]) -> HeadAnatomy:
    """The pack's anatomy."""
    return HeadAnatomy(arrays)


def _picture(shape: np.ndarray, pose: np.ndarray) -> np.ndarray:
    seen = shape.astype(np.float64) @ euler_to_matrix(pose[3:]).T + pose[:3]
    return seen[:, :2] / seen[:, 2:] * [CAMERA.fx, CAMERA.fy] + [CAMERA.cx, CAMERA.cy]


@pytest.mark.parametrize("seed", range(8))
def test_known_pose_of_the_mean_head_is_found_from_a_frontal_start(anatomy, arrays, seed):
    rng = np.random.default_rng(seed)
    pose = np.concatenate([rng.normal(0, 80, 2), [rng.uniform(400, 1500)], rng.uniform(-0.6, 0.6, 3)])
    found = anatomy.pose(_picture(arrays["points"], pose), CAMERA, *FRONTAL)
    np.testing.assert_allclose(found[3:], pose[3:], atol=1e-3)
    np.testing.assert_allclose(found[:3], pose[:3], atol=0.5)


def test_result_hardly_depends_on_the_start(anatomy, arrays):
    rng = np.random.default_rng(1)
    points = _picture(arrays["points"], np.array([10, 20, 700, 0.1, 0.3, 0.1])) + rng.normal(0, 2, (68, 2))
    near = anatomy.pose(points, CAMERA, euler_to_matrix([0.1, 0.3, 0.1]), [10, 20, 700])
    far = anatomy.pose(points, CAMERA, euler_to_matrix([-0.3, 0.0, 0.1]), [100, -90, 1500])
    np.testing.assert_allclose(near[3:], far[3:], atol=1e-3)


def test_turning_the_picture_turns_the_pose(anatomy, arrays):
    camera = Camera(600.0, 600.0, 0.0, 0.0)
    rng = np.random.default_rng(2)
    upright = _picture(arrays["points"], np.array([0, 0, 700, 0.15, 0.2, 0.0])) - [320, 240]
    upright += rng.normal(0, 2, (68, 2))
    cos, sin = np.cos(0.7), np.sin(0.7)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])
    one = anatomy.pose(upright, camera, *FRONTAL)
    two = anatomy.pose(upright @ turn[:2, :2].T, camera, turn, FRONTAL[1])
    np.testing.assert_allclose(euler_to_matrix(two[3:]), turn @ euler_to_matrix(one[3:]), atol=2e-3)


def test_what_heads_differ_by_moves_the_pose_less_than_what_they_share(anatomy, arrays):
    values, vectors = np.linalg.eigh(arrays["precision"].astype(np.float64))
    plain = HeadAnatomy({"points": arrays["points"], "precision": np.eye(136)})
    usual = np.zeros(3)
    for k in range(12):  # the directions in which heads differ most
        moved = np.concatenate([vectors[:, k].reshape(68, 2) / np.sqrt(values[k]), np.zeros((68, 1))], axis=1)
        points = _picture(arrays["points"] + moved, np.array([0, 0, 900.0, 0, 0, 0]))
        errors = [np.degrees(a.pose(points, CAMERA, *FRONTAL)[3:]) for a in (anatomy, plain)]
        usual += [np.abs(errors[0]).max(), np.abs(errors[1]).max(), 1]
    assert usual[0] < usual[1]


def test_pack_poses_heads_by_anatomy_and_a_bare_shape_model_does_not():
    model = LandmarkModel.load(open_model_path())
    assert anatomy_beside(model.path) is not None
    assert open_model_path().with_name(HEAD_FILE) in model.files
    rng = np.random.default_rng(3)
    local = rng.normal(0, 0.3, model.pdm.n_modes) * np.sqrt(np.asarray(model.pdm.eigenvalues).ravel())
    pose = np.array([1.1, 0.2, 0.1, 0, 300, 220])
    landmarks = model.pdm.project(pose, local)
    whole, bare = (head_pose(m, pose, local, landmarks, CAMERA) for m in (model, model.pdm))
    assert np.isfinite(whole).all()
    assert np.abs(whole - bare)[3:].max() > 1e-3


@pytest.mark.parametrize("points", [np.full((68, 2), 1e308), np.zeros((68, 2))])
def test_points_that_are_no_head_give_nan_or_a_finite_pose(anatomy, points):
    found = anatomy.pose(points, CAMERA, *FRONTAL)
    assert found.shape == (6,)
    assert np.isfinite(found).all() or np.isnan(found).all()


def _without_weights(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"points": arrays["points"]}


def _of_another_size(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return arrays | {"precision": arrays["precision"][:-2, :-2]}


def _not_finite(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return arrays | {"points": np.full_like(arrays["points"], np.inf)}


def _not_definite(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return arrays | {"precision": -arrays["precision"]}


def _integers(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return arrays | {"points": arrays["points"].astype(np.int32)}


@pytest.mark.parametrize("spoil", [_without_weights, _of_another_size, _not_finite, _not_definite, _integers])
def test_spoilt_anatomy_is_refused(
    arrays, tmp_path: Path, spoil: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
):
    path = tmp_path / HEAD_FILE
    np.savez(path, **spoil(arrays))
    with pytest.raises(ModelFileError, match="not the anatomy of heads"):
        HeadAnatomy.from_file(path)


def test_anatomy_that_is_no_archive_is_refused(tmp_path):
    path = tmp_path / HEAD_FILE
    path.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ModelFileError, match="not the anatomy of heads"):
        HeadAnatomy.from_file(path)
