"""Response maps and matrix products: the compiled kernels against their NumPy form."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import synthetic_face as synthetic

from pyclnf import _core, io, oracle
from pyclnf.core.patch_experts import CCNFExperts, CENExperts, PatchExperts, SVRExperts, new_maps
from pyclnf.core.patch_experts.ccnf import sigma_matrices

WINDOWS = [3, 5, 7, 9, 11, 13, 15]
UNTOUCHED = -99.0


def similarity(scale: float, angle: float) -> np.ndarray:
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return np.array([[c, -s], [s, c]], np.float32)


def shape(seed: int) -> np.ndarray:
    """Landmarks of which some lie on and beyond the borders of the image."""
    points = synthetic.random(seed).uniform(-15, 225, (2, synthetic.N_POINTS))
    return np.ascontiguousarray(points.astype(np.float32).reshape(-1))


def maps(
    experts: PatchExperts,
    grey: np.ndarray,
    landmarks: np.ndarray,
    to_image: np.ndarray,
    window: int,
    view: int,
    threads: int = 1,
) -> np.ndarray:
    out = new_maps(synthetic.N_POINTS, window)
    out[:] = UNTOUCHED
    experts.responses(grey, landmarks, to_image, window, view, out, threads)
    seen = out[:, 0, 0] != UNTOUCHED
    assert (out[seen][:, :, window:] == 0).all(), "later stages read whole rows"
    np.testing.assert_array_equal(seen, experts.visibility[view])
    return out[:, :, :window]


def areas(grey: np.ndarray, landmarks: np.ndarray, to_image: np.ndarray, window: int) -> list[np.ndarray]:
    a, b = to_image[0, 0], to_image[1, 0]
    return [oracle.sample_area(grey, x, y, a, b, window + 10) for x, y in landmarks.reshape(2, -1).T]


def assert_maps_equal(found: np.ndarray, expected: np.ndarray, tolerance: float = 2e-5) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * max(float(np.ptp(expected)), 1e-3))


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("view", [0, 1, 2])
def test_ccnf_maps_equal_the_oracle(instruction_set: str, window: int, view: int) -> None:
    grey, landmarks, to_image = synthetic.image(1), shape(view), similarity(2.2, 0.3)
    data = synthetic.ccnf(5)
    found = maps(CCNFExperts(data), grey, landmarks, to_image, window, view)
    components = data.sigma_components.get(window)
    for i, area in enumerate(areas(grey, landmarks, to_image, window)):
        expert = data.experts[view][i]
        if expert is not None:
            # Correlating before centring costs digits where a patch is nearly flat beside a dark border.
            assert_maps_equal(found[i], oracle.ccnf_response(area, expert, components), 1e-4)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("betas", [1, 3])
def test_ccnf_covariances_equal_the_oracle(instruction_set: str, window: int, betas: int) -> None:
    experts = [synthetic.ccnf_expert(i, betas=betas, negative=True) for i in range(4)]
    components = synthetic.sigma_components(3, window, 3)  # with one beta, the others have no weight
    for threads in (1, 2):
        found = sigma_matrices(experts, components, window, threads)
        expected = np.array([oracle.covariance(e, components, window) for e in experts])
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())


def test_covariances_of_matrices_that_do_not_fit_are_refused() -> None:
    alphas, betas = np.ones(2), np.ones((2, 1))
    for wrong in (
        np.zeros((2, 9, 9), np.float32),
        np.zeros((1, 9, 8), np.float32),
        np.zeros((1, 289, 289), np.float32),
    ):
        with pytest.raises(ValueError, match=r"components|15"):
            _core.ccnf_covariances(alphas, betas, wrong, 1)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("view", [0, 1, 2])
def test_cen_maps_equal_the_oracle_mirrored_experts_included(
    instruction_set: str, window: int, view: int
) -> None:
    grey, landmarks, to_image = synthetic.image(2), shape(10 + view), similarity(1.7, -0.4)
    data = synthetic.cen(6)
    found = maps(CENExperts(data), grey, landmarks, to_image, window, view)
    for i, area in enumerate(areas(grey, landmarks, to_image, window)):
        if not synthetic.VISIBILITY[view, i]:
            continue
        own, twin = data.experts[view][i], data.experts[data.mirror_views[view]][data.mirror_landmarks[i]]
        expected = (
            oracle.cen_response(area, own) if own.layers else oracle.cen_response(area, twin, mirrored=True)
        )
        assert_maps_equal(found[i], expected)


def test_of_a_pair_with_two_experts_the_later_one_serves_both(instruction_set: str) -> None:
    grey, landmarks, to_image = synthetic.image(8), shape(80), similarity(1.3, 0.2)
    data = synthetic.cen(3)
    row = tuple(e if e.layers else synthetic.cen_expert(500 + i) for i, e in enumerate(data.experts[0]))
    found = maps(CENExperts(replace(data, experts=(row, *data.experts[1:]))), grey, landmarks, to_image, 9, 0)
    for i, area in enumerate(areas(grey, landmarks, to_image, 9)):
        later = max(i, int(synthetic.MIRROR[i]))
        assert_maps_equal(found[i], oracle.cen_response(area, row[later], mirrored=later != i))


@pytest.mark.parametrize("activation", [0, 1, 2])
@pytest.mark.parametrize("widths", [(), (1,), (17,), (300, 100, 50)])
def test_networks_of_any_depth_and_activation_equal_the_oracle(
    instruction_set: str, widths: tuple[int, ...], activation: int
) -> None:
    grey, landmarks, to_image = synthetic.image(3), shape(20), similarity(1.1, 0.1)
    data = synthetic.cen(7)
    expert = synthetic.cen_expert(9, widths, activation)
    row = (expert, *data.experts[0][1:])
    found = maps(
        CENExperts(replace(data, experts=(row, *data.experts[1:]))), grey, landmarks, to_image, 11, 0
    )
    area = areas(grey, landmarks, to_image, 11)[0]
    assert_maps_equal(found[0], oracle.cen_response(area, expert))


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("kinds", [(0,), (1,), (0, 1), ()])
def test_svr_maps_equal_the_oracle(instruction_set: str, window: int, kinds: tuple[int, ...]) -> None:
    grey, landmarks, to_image = synthetic.image(4), shape(30), similarity(1.5, 0.9)
    experts = tuple(synthetic.svr_expert(i, kinds) for i in range(synthetic.N_POINTS))
    data = io.SVRFile(0.25, synthetic.CENTRES[:1], synthetic.VISIBILITY[:1], (experts,))
    found = maps(SVRExperts(data), grey, landmarks, to_image, window, 0)
    for i, area in enumerate(areas(grey, landmarks, to_image, window)):
        assert_maps_equal(found[i], oracle.svr_response(area, experts[i]))


def all_kinds() -> list[PatchExperts]:
    svr = tuple(tuple(synthetic.svr_expert(i) for i in range(synthetic.N_POINTS)) for _ in range(3))
    return [
        CCNFExperts(synthetic.ccnf(8)),
        CENExperts(synthetic.cen(8)),
        SVRExperts(io.SVRFile(0.25, synthetic.CENTRES, synthetic.VISIBILITY, svr)),
    ]


@pytest.mark.parametrize("experts", all_kinds(), ids=["ccnf", "cen", "svr"])
def test_maps_do_not_depend_on_the_number_of_threads(instruction_set: str, experts: PatchExperts) -> None:
    grey, landmarks, to_image = synthetic.image(5), shape(40), similarity(2.0, 0.2)
    for view in (0, 1, 2):
        one = maps(experts, grey, landmarks, to_image, 11, view, threads=1)
        for threads in (2, 3, 1000):
            many = maps(experts, grey, landmarks, to_image, 11, view, threads)
            np.testing.assert_array_equal(many, one)


@pytest.mark.parametrize("experts", all_kinds(), ids=["ccnf", "cen", "svr"])
def test_maps_of_strided_frames_equal_those_of_copies(instruction_set: str, experts: PatchExperts) -> None:
    view = synthetic.image(6, (260, 300))[30:230, 40:260]
    found = maps(experts, view, shape(50), similarity(2.0, 0.0), 9, 0)
    np.testing.assert_array_equal(found, maps(experts, view.copy(), shape(50), similarity(2.0, 0.0), 9, 0))


@pytest.mark.parametrize("experts", all_kinds(), ids=["ccnf", "cen", "svr"])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_images_give_finite_constant_maps_inside(
    instruction_set: str, experts: PatchExperts, level: int
) -> None:
    grey = np.full((200, 220), level, np.uint8)
    centre = np.full(2 * synthetic.N_POINTS, 100, np.float32)
    found = maps(experts, grey, centre, similarity(1.0, 0.0), 9, 0)
    assert np.isfinite(found).all()
    if not isinstance(experts, CCNFExperts):  # a CCNF's field couples positions
        np.testing.assert_allclose(found, found[:, :1, :1] + np.zeros((1, 9, 9)), atol=1e-6)


@pytest.mark.parametrize("experts", all_kinds(), ids=["ccnf", "cen", "svr"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e9, -1e9, 3e38])
def test_impossible_landmarks_and_similarities_do_not_crash(
    instruction_set: str, experts: PatchExperts, value: float
) -> None:
    grey = synthetic.image(7)
    for window in (3, 15):
        landmarks = shape(60)
        landmarks[[0, 4, synthetic.N_POINTS]] = value
        assert np.isfinite(maps(experts, grey, landmarks, similarity(2.0, 0.2), window, 0)).all()
        broken = np.full((2, 2), value, np.float32)
        assert np.isfinite(maps(experts, grey, shape(60), broken, window, 1)).all()


@pytest.mark.parametrize("experts", all_kinds(), ids=["ccnf", "cen", "svr"])
def test_one_pixel_images_have_maps(instruction_set: str, experts: PatchExperts) -> None:
    grey = np.array([[77]], np.uint8)
    assert np.isfinite(maps(experts, grey, shape(70), similarity(1.0, 0.0), 11, 0)).all()


@pytest.mark.parametrize("experts", all_kinds(), ids=["ccnf", "cen", "svr"])
@pytest.mark.parametrize("window", [-1, 0, 1, 4, 17, 100])
def test_windows_other_than_odd_3_to_15_are_refused(experts: PatchExperts, window: int) -> None:
    out = new_maps(synthetic.N_POINTS, max(window, 0))
    with pytest.raises(ValueError, match="window"):
        experts.responses(synthetic.image(), shape(0), similarity(1, 0), window, 0, out)


@pytest.mark.parametrize("experts", all_kinds(), ids=["ccnf", "cen", "svr"])
def test_maps_and_shapes_of_another_size_are_refused(experts: PatchExperts) -> None:
    grey, to_image = synthetic.image(), similarity(1, 0)
    for out in (
        new_maps(synthetic.N_POINTS - 1, 9),
        new_maps(synthetic.N_POINTS, 11),
        np.zeros((3, 3), np.float32),
    ):
        with pytest.raises(ValueError, match="response maps"):
            experts.responses(grey, shape(0), to_image, 9, 0, out)
    with pytest.raises(ValueError, match="shape"):
        experts.responses(grey, shape(0)[:-2], to_image, 9, 0, new_maps(synthetic.N_POINTS, 9))


@pytest.mark.parametrize("experts", all_kinds(), ids=["ccnf", "cen", "svr"])
def test_maps_that_would_have_to_be_copied_are_refused(experts: PatchExperts) -> None:
    for out in (
        np.zeros((synthetic.N_POINTS, 9, 32), np.float32)[:, :, ::2],
        np.zeros((synthetic.N_POINTS, 9, 16), np.int16),
    ):
        with pytest.raises(TypeError):
            experts.responses(synthetic.image(), shape(0), similarity(1, 0), 9, 0, out)


def test_the_checkerboard_of_a_cen_is_filled_from_its_neighbours() -> None:
    response = np.arange(9.0).reshape(3, 3)
    expected = [[2.0, 1.0, 3.0], [3.0, 4.0, 5.0], [5.0, 7.0, 6.0]]
    np.testing.assert_allclose(oracle.fill_in(response), expected)


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 25])
@pytest.mark.parametrize("n", [1, 3, 4, 7, 8, 9, 16, 17, 31, 33, 48, 64, 65, 80, 81, 97, 161])
def test_products_of_every_tile_shape_equal_numpys(instruction_set: str, m: int, n: int) -> None:
    rng = synthetic.random(1000 * m + n)
    for k in (1, 2, 19):
        a, b = rng.normal(size=(m, k)).astype(np.float32), rng.normal(size=(k, n)).astype(np.float32)
        np.testing.assert_allclose(_core.sgemm(a, b), a @ b, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(
    ("layers", "targets"),
    [
        ([], [(0, False)]),
        ([(np.zeros((1, 121), np.float32), np.zeros(1, np.float32), 0)], [(0, False)]),
        ([(np.zeros((2, 122), np.float32), np.zeros(2, np.float32), 0)], [(0, False)]),
        ([(np.zeros((1, 122), np.float32), np.zeros(2, np.float32), 0)], [(0, False)]),
        ([(np.zeros((5000, 122), np.float32), np.zeros(5000, np.float32), 0)], [(0, False)]),
        ([(np.zeros((1, 122), np.float32), np.zeros(1, np.float32), 0)], [(12, False)]),
        ([(np.zeros((1, 122), np.float32), np.zeros(1, np.float32), 0)], [(-1, False)]),
        ([(np.zeros((1, 122), np.float32), np.zeros(1, np.float32), 0)], [(0, False)] * 3),
    ],
)
def test_networks_that_do_not_fit_are_refused(layers: list[object], targets: list[tuple[int, bool]]) -> None:
    bank = _core.CenBank(12)
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own message
        bank.add(layers, targets)
