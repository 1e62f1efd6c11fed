"""Labels by the names of the mesh's points, the London people and the figures against hand-placed points."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from weights.landmarks import labels, london
from weights.landmarks.data import MIRROR_68, centred
from weights.landmarks.prepare import LONDON_SPLIT, london_people


@pytest.fixture
def mesh() -> np.ndarray:
    """Random mesh whose eyes and mouth lie where a face has them."""
    rng = np.random.default_rng(0)
    out = rng.normal(0, 30, (1, 478, 3)) + 100
    for point, place in (
        (33, (60, 80)),
        (133, (85, 80)),
        (362, (115, 80)),
        (263, (140, 80)),
        (61, (80, 150)),
        (291, (120, 150)),
    ):
        out[0, point] = [*place, 0]
    return out


def test_named_points_are_the_meshs_with_a_constant_that_turns_and_grows_with_the_face(mesh):
    plain = labels.named_points(mesh) - mesh[:, labels._MESH_POINTS, :2]
    turn = np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 1]])
    moved = 2 * mesh @ turn.T
    np.testing.assert_allclose(
        labels.named_points(moved) - moved[:, labels._MESH_POINTS, :2], 2 * plain @ turn[:2, :2].T, atol=1e-9
    )
    assert np.abs(plain).max() > 0.1


def test_constants_are_mirror_images_of_each_other():
    offsets = labels._MESH_OFFSETS
    partner = MIRROR_68[labels.NAMED] - 31
    np.testing.assert_allclose(offsets[partner] * [-1, 1], offsets)
    assert len(set(labels._MESH_POINTS.tolist())) == 37


def test_fused_label_of_a_named_point_is_the_meshs_alone():
    rng = np.random.default_rng(1)
    automatic, mapped = rng.normal(size=(3, 68, 2)), rng.normal(size=(3, 68, 2))
    fused, _ = labels.fuse(automatic, mapped, np.ones(3), 0.5, 0.75)
    np.testing.assert_allclose(fused[:, 31:], mapped[:, 31:])
    np.testing.assert_allclose(fused[:, 20], 0.25 * automatic[:, 20] + 0.75 * mapped[:, 20])


def test_stored_mesh_is_moved_to_pixel_centres_at_integers():
    np.testing.assert_array_equal(centred(np.zeros((2, 3))), [[0.5, 0.5, 0.0]] * 2)


def test_people_for_judging_are_in_no_training():
    judged, trained = london_people("judge"), london_people("train")
    assert len(judged) == 15
    assert not set(judged) & set(trained)
    assert set(json.loads(LONDON_SPLIT.read_text())) == {"train", "judge"}


def _hand() -> np.ndarray:
    """Hand-placed points of a face of 100 px between the outer eye corners."""
    rng = np.random.default_rng(2)
    out = rng.uniform(0, 300, (189, 2))
    out[18:23] = [[100, 100], [107, 94], [115, 92], [123, 94], [130, 100]]
    out[28:31] = [[108, 104], [115, 106], [122, 104]]
    out[23:28] = [[170, 100], [177, 94], [185, 92], [193, 94], [200, 100]]
    out[31:34] = [[178, 104], [185, 106], [192, 104]]
    out[87:94] = [[125, 170], [132, 165], [140, 163], [150, 164], [160, 163], [168, 165], [175, 170]]
    out[94:99] = out[99:104] = [[135, 170], [142, 170], [150, 170], [158, 170], [165, 170]]
    out[104:109] = [[135, 176], [142, 179], [150, 180], [158, 179], [165, 176]]
    return out


def test_points_on_curves_are_judged_across_the_curve_only():
    hand = _hand()
    guess = np.full((68, 2), 500.0)
    guess[37] = [112, 90.0]
    target = london.hand_targets(hand, guess)
    assert np.linalg.norm(target[37] - guess[37]) < 3.0
    assert np.isnan(target[0]).all()
    np.testing.assert_array_equal(target[36], hand[18])


def test_figures_of_perfect_points_are_zero():
    hand = np.array([_hand(), _hand() * 1.3])
    points = np.zeros((2, 68, 2))
    for k in range(2):
        for on_curve, ours in london.CURVES.values():
            curve = london.polyline(hand[k][list(on_curve)])
            for number, point in enumerate(ours, start=1):
                points[k, point] = curve[len(curve) * number // (len(ours) + 1)]
        for point, theirs in london.SAME.items():
            points[k, point] = hand[k, theirs]
    figures = london.hand_figures(points, hand)
    assert figures.same == pytest.approx(0.0)
    assert figures.lids == pytest.approx(0.0)
    assert figures.lips == pytest.approx(0.0)
    assert figures.gap == pytest.approx(0.0)


def test_resized_picture_keeps_points_on_their_spots():
    image = np.zeros((200, 200, 3), np.uint8)
    image[80:120, 40:80] = 255  # its middle is (59.5, 99.5)
    small, points = london.resized(image, np.array([[59.5, 99.5]]), 100.0, 37.0)
    y, x = np.nonzero(small[..., 0] > 127)
    np.testing.assert_allclose(points[0], [x.mean(), y.mean()], atol=0.3)


def test_missing_london_picture_is_named(tmp_path: Path):
    np.savez(tmp_path / "points.npz", names=np.array(["001_neutral"]), points=np.zeros((1, 189, 2)))
    people = london.load_london(tmp_path)
    with pytest.raises(FileNotFoundError, match="001_smiling"):
        people.image("001", smiling=True)


def test_lightness_is_that_of_the_cheeks(tmp_path: Path):
    (tmp_path / "images").mkdir()
    hand = _hand()
    np.savez(
        tmp_path / "points.npz", names=np.array(["001_neutral", "002_neutral"]), points=np.stack([hand, hand])
    )
    for name, level in (("001", 60), ("002", 200)):
        cv2.imwrite(str(tmp_path / f"images/{name}_neutral.jpg"), np.full((300, 300, 3), level, np.uint8))
    people = london.load_london(tmp_path)
    assert people.lightness(0) < 35 < 70 < people.lightness(1)
