"""Landmarks, boxes, matrices and settings that no face has: defined results, no warnings, no crash."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import synthetic_face as synthetic
from test_tracker import BOX, FACE, NO_FACE, CountingDetector, assert_same, run

from pyclnf import (
    CLNF,
    PDM,
    Camera,
    FaceFit,
    FaceTracker,
    FitParameters,
    LandmarkModel,
    MultiFaceTracker,
    PartFit,
    estimate_gaze,
    head_pose,
    landmarks_3d,
)
from pyclnf.core.model import Part
from pyclnf.errors import ModelFileError
from pyclnf.geometry import align_similarity
from pyclnf.image import to_grey, warp_affine_u8
from pyclnf.io import write_pdm

SHAPE = PDM.from_data(synthetic.pdm())
CAMERA = Camera.for_size(640, 480)
N, M = SHAPE.n_points, SHAPE.n_modes
G, P = np.array([0.5, 0.1, 0.2, 0.0, 320, 240], np.float32), np.zeros(M, np.float32)
POINTS = SHAPE.project(G, P)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LandmarkModel:
    return LandmarkModel.load(synthetic.write_model(tmp_path_factory.mktemp("guards"), part=True))


def with_one(points: np.ndarray, value: float) -> np.ndarray:
    out = points.copy()
    out[3, 1] = value
    return out


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_parameters_of_landmarks_that_are_not_finite_are_nan_and_a_mean_shape(value: float) -> None:
    g, p = SHAPE.fit_landmarks(with_one(POINTS, value))
    assert np.isnan(g).all()
    np.testing.assert_array_equal(p, 0)


@pytest.mark.parametrize("points", [np.full((N, 2), 50.0), np.c_[np.linspace(1, 90, N), np.full(N, 40.0)]])
def test_parameters_of_landmarks_without_extent_are_finite(points: np.ndarray) -> None:
    g, p = SHAPE.fit_landmarks(points)
    assert np.isfinite(g).all()
    assert np.isfinite(p).all()


@pytest.mark.parametrize("box", [(0, 0, 0, 1), (0, 0, 1, -1), (np.nan, 0, 1, 1), (1, 2, 3)])
def test_a_shape_is_not_put_into_a_box_that_is_none(box: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="box must be"):
        SHAPE.params_from_box(box)


def test_a_shape_without_extent_fills_no_box() -> None:
    flat = PDM(np.zeros(6), np.ones((6, 1)), [1.0])
    assert flat.params_from_box((0, 0, 10, 10))[0] == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_pdm_of_impossible_numbers_is_refused(value: float) -> None:
    for arguments in (
        (np.array([value] * 6), np.ones((6, 1)), [1.0]),
        (np.zeros(6), np.full((6, 1), value), [1.0]),
        (np.zeros(6), np.ones((6, 1)), [value]),
    ):
        with pytest.raises(ValueError, match="finite"):
            PDM(*arguments)


@pytest.mark.parametrize("variance", [0.0, -1.0])
def test_a_pdm_file_with_a_variance_that_is_not_positive_is_refused(tmp_path, variance: float) -> None:
    data = synthetic.pdm()
    data.eigenvalues[1] = variance
    write_pdm(tmp_path / "pdm.txt", data)
    with pytest.raises(ModelFileError, match="not all positive"):
        PDM.from_file(tmp_path / "pdm.txt")


def test_a_pdm_file_with_more_modes_than_can_be_fitted_is_refused(tmp_path) -> None:
    write_pdm(tmp_path / "pdm.txt", synthetic.pdm(n_points=60, n_modes=123))
    with pytest.raises(ModelFileError, match="122 modes"):
        PDM.from_file(tmp_path / "pdm.txt")


def test_pose_and_3d_landmarks_of_a_fit_that_is_none_are_nan() -> None:
    for g, points in [
        (G * np.float32(np.nan), POINTS),
        (G * np.float32([0, 1, 1, 1, 1, 1]), POINTS),
        (G, with_one(POINTS, np.nan)),
        (np.float32([np.inf, 0, 0, 0, 1, 1]), POINTS),
    ]:
        assert np.isnan(head_pose(SHAPE, g, P, points, CAMERA)).all()
        assert np.isnan(landmarks_3d(SHAPE, g, P, points, CAMERA)).all()
    assert np.isnan(head_pose(SHAPE, G, P, np.full((N, 2), 7.0), CAMERA)).all()
    assert np.isfinite(head_pose(SHAPE, G, P, POINTS, CAMERA)).all()


def eyed_fit(scale: float = 0.5) -> tuple[LandmarkModel, FaceFit]:
    """A face of 68 points whose eyes are rings of 12."""
    face = PDM.from_data(synthetic.pdm(1, 68))
    g = np.float32([scale, 0, 0, 0, 320, 240])
    names = ("left_eye_28", "right_eye_28")
    eye = LandmarkModel(
        path="eye", pdm=SHAPE, scales=(), parts=(), validator=None, early_termination=None, files=()
    )
    parts = tuple(Part(n, eye, np.arange(2), np.arange(2), FitParameters()) for n in names)
    whole = LandmarkModel("face", face, (), parts, None, None, ())
    eyes = tuple(PartFit(n, POINTS, g, P) for n in names)
    p = np.zeros(face.n_modes, np.float32)
    likelihoods = np.zeros(68, np.float32)
    return whole, FaceFit(face.project(g, p), g, p, 1.0, True, True, 0, 0.0, likelihoods, eyes)


def test_gaze_of_a_pose_or_an_eye_that_is_none_is_nan() -> None:
    whole, fit = eyed_fit()
    pose = np.array([0, 0, 1000, 0.1, 0.2, 0.0])
    gaze = estimate_gaze(whole, fit, pose, CAMERA)
    assert np.isfinite(gaze.directions).all()
    gaze = estimate_gaze(whole, fit, pose * np.nan, CAMERA)
    assert np.isnan(gaze.directions).all()
    assert np.isnan(gaze.angles).all()
    gaze = estimate_gaze(*eyed_fit(0.0), pose, CAMERA)
    assert np.isnan(gaze.directions).all()
    assert np.isnan(gaze.landmarks_3d).all()


def test_similarities_of_points_without_extent_are_nan() -> None:
    assert np.isnan(align_similarity(np.ones((5, 2)), np.arange(10).reshape(5, 2))).all()
    assert np.isnan(align_similarity(np.full((5, 2), np.nan), np.arange(10).reshape(5, 2))).all()


@pytest.mark.parametrize(
    "matrix", [np.full((2, 3), np.nan), [[1, 0, np.inf], [0, 1, 0]], [[1e-160, 0, 0], [0, 1e-160, 0]]]
)
@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 3)])
def test_warps_that_are_not_finite_are_black(matrix: object, shape: tuple[int, ...]) -> None:
    with np.errstate(all="ignore"):
        out = warp_affine_u8(np.full(shape, 200, np.uint8), matrix, (4, 5))
    assert out.shape == (5, 4, *shape[2:])
    assert not out.any()


@pytest.mark.parametrize("size", [(0, 4), (4, -1), (8193, 4)])
def test_warps_to_impossible_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="from 1 to 8192 px"):
        warp_affine_u8(FACE, np.eye(2, 3), size)


def test_a_numpy_matrix_is_an_image_like_any_other(model: LandmarkModel) -> None:
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix(FACE)
    assert type(to_grey(matrix)) is np.ndarray
    assert_same(CLNF(model).fit(matrix, BOX), CLNF(model).fit(FACE, BOX))
    assert_same(
        FaceTracker(model, CountingDetector()).track(matrix),
        FaceTracker(model, CountingDetector()).track(FACE),
    )


BAD = [(np.nan, 0, 50, 50), (0, 0, 0, 50), (0, 0, 50, -1), (np.inf, 0, 50, 50)]


@pytest.mark.parametrize("bad", BAD)
def test_detections_without_a_box_are_passed_over(model: LandmarkModel, bad: tuple[float, ...]) -> None:
    expected = FaceTracker(model, CountingDetector()).track(FACE)
    assert_same(FaceTracker(model, CountingDetector([bad, BOX])).track(FACE), expected)
    alone = FaceTracker(model, CountingDetector([bad]))
    assert not any(fit.tracked for fit in run(alone, [FACE] * 3))
    several = MultiFaceTracker(model, CountingDetector([bad, BOX]))
    assert len(several.track(FACE)) == 1
    assert MultiFaceTracker(model, CountingDetector([bad])).track(FACE) == []


@pytest.mark.parametrize(
    "box", [(-5000, -5000, 100, 100), (1e6, 1e6, 50, 60), (-60, 90, 70, 70), (50, 50, 2, 2)]
)
def test_faces_outside_at_the_border_or_smaller_than_a_patch_have_finite_landmarks(
    model: LandmarkModel, box: tuple[float, ...]
) -> None:
    for multi_view in (False, True):
        assert np.isfinite(CLNF(model, multi_view=multi_view).fit(FACE, box).landmarks).all()
    tracker = FaceTracker(
        model, CountingDetector([box]), parameters=replace(FitParameters(), template_tracking=True)
    )
    for fit in run(tracker, [FACE, FACE, NO_FACE, FACE]):
        assert np.isfinite(fit.landmarks).all()
        assert np.isfinite(fit.likelihood)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sigma", 0.0), ("sigma", np.nan), ("regularisation", -1.0), ("regularisation", np.inf), ("iterations", -1),
        ("weight_factor", -0.5), ("template_scale", 0.0), ("reinitialise_every", -1),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        FitParameters(**{name: value})


def test_fewer_threads_than_one_are_refused(model: LandmarkModel) -> None:
    for make in (CLNF, lambda *a, **k: FaceTracker(*a, CountingDetector(), **k)):
        with pytest.raises(ValueError, match="threads"):
            make(model, threads=0)
