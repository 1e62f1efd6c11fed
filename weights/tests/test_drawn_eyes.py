"""Drawn eyes: what is labelled is what is drawn."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from weights.eyes import dataset, mesh, render, scenes
from weights.render.fit import euler_matrix

SHARED = Path(os.environ.get("PYFACEAU_SHARED", Path(__file__).resolve().parents[3] / "shared"))
PARTS = SHARED / "data" / "unityeyes2"


@pytest.fixture(scope="module")
def renderer() -> render.EyeRenderer:
    """Renderer with the real parts."""
    if not PARTS.is_dir():
        pytest.skip("no eye parts at hand")
    return render.EyeRenderer(mesh.load_parts(PARTS, 128))


@pytest.fixture
def scene(renderer: render.EyeRenderer) -> render.EyeScene:
    """A plain eye that looks into the lens."""
    any_scene = render.random_scene(renderer._parts, ["m01"], np.random.default_rng(0))
    return replace(
        any_scene, shape=np.zeros(16), gaze=np.array([0.0, 0, -1]), head=(0.0, 0.0, 0.0), closing=0.0, iris_size=1.0,
        pupil_size=1.0, glasses=False, glints=0, lashes=0.0, iris="eyeball_brown", sclera=1.0, brightness=0.9,
        follow=0.75, squint=0.0,
    )  # fmt: skip


def _drawn(renderer: render.EyeRenderer, scene: render.EyeScene) -> render.DrawnEye:
    return renderer.draw(scene, np.random.default_rng(1))


def test_pupil_is_dark_where_its_points_are(renderer, scene):
    for side in (-0.3, 0.0, 0.3):
        gaze = np.array([np.sin(side), 0.0, -np.cos(side)])
        eye = _drawn(renderer, replace(scene, gaze=gaze))
        x, y = np.round(eye.points[20:].mean(axis=0)).astype(int)
        assert eye.picture[y - 2 : y + 3, x - 2 : x + 3].mean() < 0.3 * np.median(eye.picture)


def test_iris_points_move_with_the_gaze(renderer, scene):
    here = _drawn(renderer, scene).points[:8].mean(axis=0)
    right = _drawn(renderer, replace(scene, gaze=np.array([0.4, 0, -np.sqrt(0.84)]))).points[:8].mean(axis=0)
    down = _drawn(renderer, replace(scene, gaze=np.array([0, 0.3, -np.sqrt(0.91)]))).points[:8].mean(axis=0)
    lever = np.sqrt(12.05**2 - render.IRIS_RADIUS**2) * render.DENSITY
    np.testing.assert_allclose(right - here, [0.4 * lever, 0], atol=0.5)
    np.testing.assert_allclose(down - here, [0, 0.3 * lever], atol=0.5)


def test_points_come_in_openfaces_order(renderer, scene):
    points = _drawn(renderer, scene).points
    left, top, right, bottom = points[0], points[2], points[4], points[6]
    assert left[0] < top[0] < right[0]
    assert top[1] < left[1] < bottom[1]
    assert points[8, 0] == points[8:20, 0].min()
    assert points[14, 0] == points[8:20, 0].max()
    assert points[11, 1] < points[17, 1]
    assert points[20, 0] < points[22, 0]
    assert points[21, 1] == pytest.approx(points[20:, 1].max())


def test_opening_falls_as_the_eye_closes(renderer, scene):
    openings = [_drawn(renderer, replace(scene, closing=c)).opening for c in (-0.2, 0.0, 0.4, 0.8, 1.0)]
    assert (np.diff(openings) < 0).all()
    assert openings[1] > 6.0
    assert openings[-1] < 1.0


def test_lids_move_without_the_iris(renderer, scene):
    plain, raised, squint = (
        _drawn(renderer, replace(scene, **change)) for change in ({}, {"closing": -0.5}, {"squint": 0.4})
    )
    for moved in (raised, squint):
        np.testing.assert_allclose(moved.points[:8], plain.points[:8], atol=1e-9)
    assert raised.opening > 1.2 * plain.opening
    assert squint.opening < 0.85 * plain.opening
    lower = slice(15, 19)
    np.testing.assert_allclose(raised.points[lower], plain.points[lower], atol=1e-9)
    assert (squint.points[lower, 1] < plain.points[lower, 1]).all()


def test_turned_head_turns_corners_but_not_the_gaze(renderer, scene):
    turned = _drawn(renderer, replace(scene, head=(0.0, -0.4, 0.0)))
    straight = _drawn(renderer, scene)
    width = [np.linalg.norm(np.diff(eye.corners, axis=0)) for eye in (turned, straight)]
    assert abs(width[0] / width[1] - 1) > 0.1
    iris = [np.ptp(eye.points[:8, 0]) for eye in (turned, straight)]
    assert iris[0] == pytest.approx(iris[1], rel=0.02)


def test_window_targets_lie_on_the_drawn_points(renderer, scene):
    eye = _drawn(renderer, scene)
    centre = eye.corners.mean(axis=0)
    picture = np.clip(eye.picture, 0, 255).astype(np.uint8)
    window, at, axes = dataset.window_of(picture, centre, render.DENSITY * dataset.DRAWN_MM, 0.1, False)
    target = dataset.target_of(eye.points, at, axes, None, 8.0, 1.0)[2:-2].reshape(-1, 2) * dataset.POINT_UNIT
    middle = np.array([23.5, 15.5])
    x, y = np.round(target[20:].mean(axis=0) + middle).astype(int)
    assert window[y, x] < 0.3 * np.median(window)


def test_drawing_and_cutting_are_the_same_for_the_same_seed(renderer):
    one, two = (scenes.drawn_scenes(renderer._parts, 3, 5, ["m01", "f01"]) for _ in range(2))
    np.testing.assert_array_equal(one.pictures, two.pictures)
    here, there = (scenes.fresh_windows(s, np.random.default_rng(2)) for s in (one, two))
    np.testing.assert_array_equal(here.windows, there.windows)
    np.testing.assert_array_equal(here.targets, there.targets)
    assert here.windows.shape == (3, 32, 48)


def test_skins_are_mixed(renderer, scene):
    first, other, between = (
        _drawn(renderer, replace(scene, **change)).picture
        for change in (
            {"skin": "m01"},
            {"skin": "f01"},
            {"skin": "m01", "other_skin": "f01", "other_share": 0.5},
        )
    )
    np.testing.assert_allclose(between, (first + other) / 2, atol=0.01)


def test_every_cut_of_a_scene_is_labelled_where_its_pupil_is(renderer, scene):
    eye = _drawn(renderer, scene)
    picture = np.clip(eye.picture, 0, 255).astype(np.uint8)
    one = scenes.Scenes(
        picture[None], eye.points[None], eye.corners[None], np.array([eye.opening]),
        scene.gaze[None], np.eye(3)[None], np.array([dataset.FINEST]), np.array([True]), np.array([False]),
        np.array(["m01"]),
    )  # fmt: skip
    found = []
    for seed in range(30):
        cut = scenes.fresh_windows(one, np.random.default_rng(seed))
        if cut.targets[0, -1] > 0:
            points = cut.targets[0, 2:-2].reshape(-1, 2) * dataset.POINT_UNIT + np.array([23.5, 15.5])
            x, y = np.round(points[20:].mean(axis=0)).astype(int)
            found.append(float(cut.windows[0, y, x]) / np.median(cut.windows))
    assert len(found) > 20
    assert np.mean(found) < 0.6


def test_gaze_is_guessed_from_points(renderer):
    drawn = scenes.drawn_scenes(renderer._parts, 300, 6, ["m01", "f01"])
    parts = np.arange(300) % 3 > 0
    seen = drawn.part(~parts)
    unknown = replace(
        seen, gaze=np.full_like(seen.gaze, np.nan), sure=np.arange(len(seen)) < 0, real=~seen.real
    )
    lens = replace(seen.part(np.arange(len(seen)) < 1), gaze=np.array([[0.0, 0, -1]], np.float32))
    guessed, _ = scenes.guessed_gaze(drawn.part(parts), scenes.Scenes.joined([unknown, lens]))
    open_eyes = seen.openings > scenes.HALF_OPEN_MM
    cosine = (guessed.gaze[: len(seen)] * seen.gaze).sum(axis=1)[open_eyes]
    shift = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    assert np.isnan(guessed.gaze[: len(seen)][~open_eyes]).all()
    # the one person who looks into the lens does not, which moves all by as much; the spread is what counts
    assert shift.std() < 8


def test_even_gaze_is_not_drawn_towards_the_lens(renderer):
    rng = np.random.default_rng(3)
    gaze = np.array([render.random_scene(renderer._parts, ["m01"], rng).gaze for _ in range(2000)])
    near = np.degrees(np.arccos(-gaze[:, 2])) < 5
    assert near.mean() < 0.06


def test_eye_turned_by_a_gaze_looks_along_it():
    rng = np.random.default_rng(4)
    for _ in range(20):
        gaze = euler_matrix(rng.uniform(-0.5, 0.5), rng.uniform(-0.6, 0.6), 0) @ np.array([0.0, 0, -1])
        np.testing.assert_allclose(render._turned(np.array([[0.0, 0, -1]]), gaze)[0], gaze, atol=1e-12)


def test_both_real_eyes_become_right_ones_with_their_points():
    image = np.full((120, 160), 180, np.uint8)
    irises = {0: (52, 61), 1: (112, 59)}
    face = np.zeros((68, 2))
    face[[36, 39, 42, 45]] = [[40, 60], [66, 60], [94, 60], [120, 60]]
    seen = np.zeros((2, 28, 2))
    for side, (x, y) in irises.items():
        image[y - 3 : y + 4, x - 3 : x + 4] = 20
        angles = np.pi - np.arange(8) * np.pi / 4
        seen[side, :8] = np.array([x, y]) + 3 * np.column_stack([np.cos(angles), -np.sin(angles)])
        seen[side, 11], seen[side, 17] = (x, y - 4), (x, y + 4)
    turn = euler_matrix(0.0, 0.3, 0.0)
    both = scenes.real_scenes([dataset.RealFace(image, face, 1.0, turn, seen, True, "someone")])
    for picture, points in zip(both.pictures, both.points, strict=True):
        x, y = np.round(points[:8].mean(axis=0)).astype(int)
        assert picture[y - 5 : y + 6, x - 5 : x + 6].max() < 40
        assert points[0, 0] < points[4, 0]
    np.testing.assert_allclose(both.corners[0], both.corners[1], atol=1e-4)
    assert (both.corners[:, 0, 0] < both.corners[:, 1, 0]).all()
    np.testing.assert_allclose(both.heads[0][0, 2], -both.heads[1][0, 2], atol=1e-6)
    np.testing.assert_allclose(both.openings, 8 * dataset.DRAWN_MM, rtol=1e-6)
    np.testing.assert_allclose(both.gaze, [[0, 0, -1]] * 2)
