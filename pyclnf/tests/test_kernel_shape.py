"""Shape model, mean shift and alignment: the compiled kernels against their NumPy form."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic_face as synthetic

from pyclnf import PDM, _core, oracle
from pyclnf.core.mean_shift import MeanShift, Responses, kernel_table
from pyclnf.core.patch_experts import new_maps
from pyclnf.geometry import align_similarity, euler_to_matrix, matrix_to_euler


def model(seed: int = 0, n_points: int = synthetic.N_POINTS, n_modes: int = synthetic.N_MODES) -> PDM:
    return PDM.from_data(synthetic.pdm(seed, n_points, n_modes))


def plain(pdm: PDM) -> oracle.ShapeModel:
    return oracle.ShapeModel(pdm.mean, pdm.basis, pdm.eigenvalues)


SIZES = [(3, 1), (12, 4), (28, 10), (68, 34), (512, 122)]


@pytest.mark.parametrize(("n_points", "n_modes"), SIZES)
def test_shapes_projections_and_jacobians_equal_the_oracle(
    instruction_set: str, n_points: int, n_modes: int
) -> None:
    pdm = model(1, n_points, n_modes)
    for seed in range(5):
        g, p = synthetic.pose(seed, n_modes)
        scale = float(np.abs(oracle.project(plain(pdm), g, p)).max())
        np.testing.assert_allclose(pdm.shape_3d(p), oracle.shape_3d(plain(pdm), p).T, atol=2e-4)
        np.testing.assert_allclose(pdm.project(g, p), oracle.project(plain(pdm), g, p).T, atol=2e-6 * scale)
        for rigid in (False, True):
            expected = oracle.jacobian(plain(pdm), g, p, rigid)
            np.testing.assert_allclose(pdm.jacobian(g, p, rigid), expected, atol=3e-6 * scale)


def test_the_jacobian_is_the_derivative_of_an_updated_shape() -> None:
    pdm, (g, p) = model(), synthetic.pose(3)
    jacobian = oracle.jacobian(plain(pdm), g, p)
    for k in range(jacobian.shape[1]):
        step = np.zeros(jacobian.shape[1])
        step[k] = 1e-6
        ahead = oracle.project(plain(pdm), *oracle.apply_update(g, p, step)).reshape(-1)
        behind = oracle.project(plain(pdm), *oracle.apply_update(g, p, -step)).reshape(-1)
        np.testing.assert_allclose((ahead - behind) / 2e-6, jacobian[:, k], atol=1e-4)


@pytest.mark.parametrize("size", [1e-9, 1e-3, 0.3, 2.0])
def test_updates_equal_the_oracle(instruction_set: str, size: float) -> None:
    pdm = model()
    for seed in range(10):
        g, p = synthetic.pose(seed)
        step = synthetic.random(seed).normal(size=10).astype(np.float32) * np.float32(size)
        for d in (step, step[:6]):
            for found, expected in zip(pdm.updated(g, p, d), oracle.apply_update(g, p, d), strict=True):
                np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_an_update_beyond_the_euler_angles_resets_the_rotation() -> None:
    g = np.array([1, np.pi, 0, 0, 0, 0], np.float32)
    step = np.full(10, np.nan, np.float32)
    found, _ = model().updated(g, np.zeros(4, np.float32), step)
    np.testing.assert_array_equal(found[1:4], 0)


@pytest.mark.parametrize(("n_points", "n_modes"), SIZES[:4])
def test_parameters_are_found_from_landmarks_as_by_the_oracle(
    instruction_set: str, n_points: int, n_modes: int
) -> None:
    pdm = model(2, n_points, n_modes)
    for seed in range(4):
        g, p = synthetic.pose(seed, n_modes)
        noise = synthetic.random(seed).normal(size=(n_points, 2)) * 0.5
        landmarks = (pdm.project(g, p) + noise).astype(np.float32)
        found_g, found_p = pdm.fit_landmarks(landmarks)
        expected_g, expected_p = oracle.fit_landmarks(plain(pdm), landmarks.T)
        found, expected = pdm.project(found_g, found_p), oracle.project(plain(pdm), expected_g, expected_p).T
        assert np.abs(found - expected).max() < 2e-3


def test_points_with_x_exactly_zero_are_ignored(instruction_set: str) -> None:
    pdm, (g, p) = model(), synthetic.pose(5)
    landmarks = pdm.project(g, p)
    hidden = landmarks.copy()
    hidden[[2, 7], 0] = 0
    hidden[[2, 7], 1] = 1e6
    found_g, found_p = pdm.fit_landmarks(hidden)
    expected_g, expected_p = oracle.fit_landmarks(plain(pdm), hidden.T)
    np.testing.assert_allclose(found_g, expected_g, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found_p, expected_p, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, 0.0])
def test_fits_to_impossible_landmarks_end(instruction_set: str, value: float) -> None:
    pdm = model(n_points=68, n_modes=34)
    landmarks = pdm.project(*synthetic.pose(6, 34))
    for bad in (slice(0, 1), slice(None)):
        broken = landmarks.copy()
        broken[bad] = value
        with np.errstate(all="ignore"):
            g, p = pdm.fit_landmarks(broken)
        assert g.shape == (6,)
        assert p.shape == (34,)


def test_a_box_is_filled_whatever_the_rotation() -> None:
    pdm = model()
    for rotation in [(0, 0, 0), (0.2, -0.5, 0.3)]:
        g = pdm.params_from_box((30, 40, 120, 120), None, rotation)
        x, y, w, h = pdm.bounding_box(g, np.zeros(4))
        assert (w + h) / 2 == pytest.approx(120, rel=0.15)
        np.testing.assert_allclose([x + w / 2, y + h / 2], [90, 100], atol=1e-3)


@pytest.mark.parametrize(
    ("mean", "basis", "eigenvalues"),
    [((9,), (9, 2), (3,)), ((10,), (10, 2), (2,)), ((9,), (6, 2), (2,)), ((9,), (9, 123), (123,))],
)
def test_shape_models_that_do_not_fit_together_are_refused(
    mean: tuple[int], basis: tuple[int, int], eigenvalues: tuple[int]
) -> None:
    with pytest.raises(ValueError, match=r"PDM needs|at most"):
        PDM(np.ones(mean), np.ones(basis), np.ones(eigenvalues))


def test_rotations_go_to_angles_and_back() -> None:
    for seed in range(20):
        angles = synthetic.random(seed).uniform(-1.2, 1.2, 3)
        matrix = euler_to_matrix(angles)
        np.testing.assert_allclose(matrix, oracle.euler_to_matrix(angles), atol=1e-12)
        np.testing.assert_allclose(matrix_to_euler(matrix), angles, atol=1e-12)
        np.testing.assert_allclose(oracle.matrix_to_euler(matrix), angles, atol=1e-12)


def test_alignment_equals_the_oracle_and_takes_no_reflection() -> None:
    rng = synthetic.random(0)
    for _ in range(20):
        source = rng.normal(size=(9, 2)).astype(np.float32)
        target = (source @ rng.normal(size=(2, 2)) + rng.normal(size=2)).astype(np.float32)
        found = align_similarity(source, target)
        np.testing.assert_allclose(found, oracle.align_similarity(source, target), atol=3e-6)
        assert np.linalg.det(found) > 0


def test_alignment_has_the_oracles_roundings_to_the_last_bit() -> None:
    rng = synthetic.random(1)
    for _ in range(50):
        source = (rng.normal(size=(68, 2)) * 40 + 300).astype(np.float32)
        turn = oracle.euler_to_matrix((0, 0, rng.uniform(-3, 3)))[:2, :2] * rng.uniform(0.2, 5)
        target = (source @ turn + rng.normal(size=source.shape)).astype(np.float32)
        np.testing.assert_array_equal(
            align_similarity(source, target), oracle.align_similarity_rounded(source, target)
        )


@pytest.mark.parametrize("scale", [0.25, 1.0])
def test_reference_frames_equal_the_oracle(instruction_set: str, scale: float) -> None:
    pdm = model(3, 68, 34)
    for seed in range(5):
        g, p = synthetic.pose(seed, 34)
        upright = oracle.project(plain(pdm), (scale, 0, 0, 0, 0, 0), p).T
        expected = oracle.align_similarity(oracle.project(plain(pdm), g, p).T, upright)
        to_reference, to_image = pdm.reference_frame(pdm.project_planar(g, p), p, scale)
        np.testing.assert_allclose(to_reference, expected, atol=2e-5 * scale)
        np.testing.assert_allclose(to_image, np.linalg.inv(expected), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 7.0])
def test_reference_frames_of_shapes_without_extent_do_not_crash(value: float) -> None:
    pdm = model()
    to_reference, to_image = pdm.reference_frame(
        np.full(24, value, np.float32), np.zeros(4, np.float32), 0.25
    )
    assert to_reference.shape == to_image.shape == (2, 2)


def rlms_arguments(seed: int, window: int, pdm: PDM) -> dict[str, object]:
    """A face near the middle of peaked maps, some landmarks hidden, maps turned against the image."""
    rng = synthetic.random(seed)
    n = pdm.n_points
    g, p = synthetic.pose(seed, pdm.n_modes)
    p *= np.float32(0.2)
    maps = new_maps(n, window)
    y, x = np.indices((window, window))
    centres = rng.uniform(0.2, 0.8, (n, 2)) * (window - 1)
    for i, (cx, cy) in enumerate(centres):
        maps[i, :, :window] = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 6) + 0.05 * rng.uniform(
            size=(window, window)
        )
    angle, scale = float(rng.uniform(-0.5, 0.5)), 0.4
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    to_reference = np.array([[c, -s], [s, c]], np.float32)
    visible = np.ones(n, np.uint8)
    visible[[1, n - 1]] = 0
    return {
        "responses": maps, "visible": visible, "base": pdm.project_planar(g, p),
        "to_reference": to_reference, "to_image": np.linalg.inv(to_reference).astype(np.float32),
        "params_global": g, "params_local": p,
    }  # fmt: skip


def mean_shift_fit(
    pdm: PDM,
    a: dict[str, object],
    *,
    weights: np.ndarray | None = None,
    rigid: bool = False,
    likelihoods: np.ndarray | None = None,
    iterations: int = 5,
    regularisation: float = 5.0,
    sigma: float = 1.5,
) -> float:
    algorithm = MeanShift(pdm, sigma=sigma, regularisation=regularisation, iterations=iterations)
    responses = Responses(a["responses"], a["visible"], weights, a["base"], a["to_reference"], a["to_image"])
    return algorithm(responses, a["params_global"], a["params_local"], rigid=rigid, likelihoods=likelihoods)


@pytest.mark.parametrize("window", [3, 5, 7, 9, 11, 13, 15])
@pytest.mark.parametrize("rigid", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("iterations", [1, 5])
def test_mean_shift_fits_equal_the_oracle(
    instruction_set: str, window: int, rigid: bool, weighted: bool, iterations: int
) -> None:
    pdm = model()
    for seed in range(3):
        a = rlms_arguments(seed, window, pdm)
        weights = (
            synthetic.random(seed).uniform(0.1, 2, pdm.n_points).astype(np.float32) if weighted else None
        )
        settings = {"rigid": rigid, "iterations": iterations, "regularisation": 5.0, "sigma": 1.5}
        expected_g, expected_p, expected_l, expected = oracle.nu_rlms(
            plain(pdm),
            a["responses"][:, :, :window],
            a["visible"].astype(bool),
            np.ones(pdm.n_points) if weights is None else weights,
            a["base"].reshape(2, -1),
            a["to_reference"],
            a["params_global"],
            a["params_local"],
            **settings,
        )
        likelihoods = np.empty(pdm.n_points, np.float32)
        found = mean_shift_fit(pdm, a, weights=weights, likelihoods=likelihoods, **settings)
        # A landmark within rounding of a node's border may take the other node: 0.1 px of the kernel, far less of
        # the shape.
        landmarks = pdm.project(a["params_global"], a["params_local"])
        assert np.abs(landmarks - oracle.project(plain(pdm), expected_g, expected_p).T).max() < (
            1e-3 if iterations == 1 else 0.05
        )
        np.testing.assert_allclose(likelihoods, expected_l, rtol=2e-2, atol=1e-6)
        assert found == pytest.approx(expected, abs=2e-2)


def test_the_shape_never_leaves_three_standard_deviations(instruction_set: str) -> None:
    pdm = model()
    a = rlms_arguments(0, 11, pdm)
    a["params_local"][:] = 1e4
    mean_shift_fit(pdm, a, rigid=True, iterations=1)
    np.testing.assert_allclose(a["params_local"], 3 * np.sqrt(pdm.eigenvalues), rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize(
    "what", ["params_global", "params_local", "base", "responses", "to_reference", "to_image"]
)
def test_mean_shift_of_impossible_input_does_not_crash(instruction_set: str, what: str, value: float) -> None:
    pdm = model()
    for where in (slice(None), slice(0, 1), slice(-1, None)):
        a = rlms_arguments(0, 15, pdm)
        a[what].reshape(-1)[where] = value
        mean_shift_fit(pdm, a, likelihoods=np.empty(pdm.n_points, np.float32))


def test_a_blank_response_map_moves_nothing(instruction_set: str) -> None:
    pdm = model()
    a = rlms_arguments(1, 9, pdm)
    a["responses"][:] = 0
    a["params_local"][:] = 0
    before = a["params_global"].copy()
    mean_shift_fit(pdm, a)
    np.testing.assert_allclose(a["params_global"], before, atol=1e-5)


def test_a_fit_of_no_iterations_rates_the_shape_where_it_is(instruction_set: str) -> None:
    pdm = model()
    a = rlms_arguments(2, 9, pdm)
    likelihoods = np.empty(pdm.n_points, np.float32)
    mean_shift_fit(pdm, a, iterations=0, likelihoods=likelihoods)
    expected = [oracle.landmark_likelihood(m[:, :9], 4.0, 4.0, 1.5) for m in a["responses"]]
    np.testing.assert_allclose(likelihoods[2:-1], expected[2:-1], rtol=1e-5)


def test_parameters_that_would_be_copied_are_refused() -> None:
    pdm = model()
    for what, wrong in [("params_global", np.ones(6)), ("params_local", np.ones(8, np.float32)[::2])]:
        a = rlms_arguments(0, 9, pdm)
        a[what] = wrong
        with pytest.raises(TypeError):
            mean_shift_fit(pdm, a, rigid=True, iterations=1, regularisation=1.0)


def test_one_mean_shift_climbs_to_a_single_peak() -> None:
    response = np.zeros((9, 9))
    response[6, 2] = 1.0
    assert oracle.mean_shift(response, 4.0, 4.0, 1.5) == pytest.approx((-2.0, 2.0))
    assert oracle.mean_shift(response, 99.0, -5.0, 1.5) == pytest.approx((2 - 8.9, 6.0), abs=1e-6)


def test_the_kernel_table_is_one_axis_of_the_kernel() -> None:
    table = kernel_table(7, 1.3)
    from pyclnf.oracle.mean_shift import kernel

    for x, y in [(0, 0), (33, 12), (69, 69)]:
        expected = kernel(7, 1.3, 0.1 * x, 0.1 * y)
        np.testing.assert_allclose(np.outer(table[y, :7], table[x, :7]), expected, rtol=1e-5)


@pytest.mark.parametrize("seed", range(10))
def test_head_poses_equal_the_oracle_and_the_truth(seed: int) -> None:
    rng = synthetic.random(seed)
    points = rng.uniform(-80, 80, (30, 3))
    camera = (500.0, 510.0, 320.0, 240.0)
    rotation = oracle.pose.rodrigues(rng.uniform(-0.6, 0.6, 3))
    translation = np.array([*rng.uniform(-50, 50, 2), 700.0])
    noise = rng.normal(size=60) * (seed % 2)
    pixels = (
        oracle.pose.residuals(points, np.zeros((30, 2)), camera, rotation, translation) + noise
    ).reshape(30, 2)
    start = ((0.0, 0.0, 0.0), (0.0, 0.0, 500.0))
    found = _core.solve_pnp(points, pixels, camera, *start)
    expected = oracle.solve_pnp(points, pixels, camera, *start)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-6)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-6, atol=1e-4)
    if seed % 2 == 0:
        np.testing.assert_allclose(found[0], rotation, atol=1e-8)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 1e300])
def test_poses_of_impossible_points_end(value: float) -> None:
    rotation, translation = _core.solve_pnp(
        np.full((6, 3), value), np.full((6, 2), value), (500.0,) * 4, (0.0,) * 3, (0.0, 0.0, 1.0)
    )
    assert rotation.shape == (3, 3)
    assert translation.shape == (3,)


@pytest.mark.parametrize(("yaw", "nearest"), [(0.05, 0), (0.3, 1), (-0.6, 2), (0.14, 0)])
def test_a_look_at_a_shape_says_what_its_parts_say_one_by_one(yaw: float, nearest: int) -> None:
    pdm = model(3, 68, 34)
    g = np.array([1.7, 0.1, yaw, -0.05, 210.0, 150.0], np.float32)
    p = np.linspace(-1.0, 1.0, pdm.n_modes, dtype=np.float32)
    centres = np.array([[0, 0, 0], [0, 0.3, 0], [0, -0.5, 0]], np.float32)
    seen = pdm.look(g, p, 0.5, centres)
    to_reference, to_image = pdm.reference_frame(seen.base, p, 0.5)
    x, y = pdm.project(g, p).T
    assert seen.base.tolist() == [*x.tolist(), *y.tolist()]
    assert seen.to_reference.tolist() == to_reference.tolist()
    assert seen.to_image.tolist() == to_image.tolist()
    assert seen.view == nearest
    assert seen.box == (x.min(), y.min(), x.max(), y.max())
