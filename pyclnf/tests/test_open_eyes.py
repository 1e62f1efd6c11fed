"""The eye network of the open pack: windows, products, directions and files."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pyclnf import open_eyes
from pyclnf.core.geometry import euler_to_matrix
from pyclnf.core.pose import Camera
from pyclnf.errors import ModelFileError
from pyclnf.open_eyes import MIRROR, OUTPUTS, OpenEyes, eye_frames, joint_directions, sample_windows


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """A small random network."""
    rng = np.random.default_rng(0)
    a, b, c, d, hidden = 3, 4, 5, 6, 7
    shapes = {
        "conv1": (a, 25), "bias1": (a,), "conv2": (b, 9 * a), "bias2": (b,), "conv3": (c, 9 * b), "bias3": (c,),
        "conv4": (d, 9 * c), "bias4": (d,), "dense1": (12 * d + 2, hidden), "offset1": (hidden,),
        "dense2": (hidden, OUTPUTS), "offset2": (OUTPUTS,), "centre": (2,), "share": (),
    }  # fmt: skip
    return {name: np.asarray(rng.normal(0, 0.2, shape), np.float32) for name, shape in shapes.items()}


@pytest.fixture
def face() -> np.ndarray:
    """68 points of which only the corners of the eyes matter."""
    points = np.zeros((68, 2))
    points[[36, 39, 42, 45]] = [[60, 80], [85, 80], [115, 80], [140, 80]]
    return points


def _slow_convolution(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, size: int, step: int
) -> np.ndarray:
    n, c, h, w = x.shape
    kernels = weight.reshape(-1, c, size, size)
    rows, cols = (h - size) // step + 1, (w - size) // step + 1
    out = np.zeros((n, len(kernels), rows, cols))
    for i in range(rows):
        for j in range(cols):
            part = x[:, :, i * step : i * step + size, j * step : j * step + size]
            out[:, :, i, j] = np.tensordot(part, kernels, ((1, 2, 3), (1, 2, 3))) + bias
    return np.maximum(out, 0)


def test_network_is_four_convolutions_and_two_dense_layers(arrays):
    rng = np.random.default_rng(1)
    windows = rng.uniform(0, 255, (2, 32, 48)).astype(np.float32)
    heads = rng.normal(0, 0.3, (2, 2)).astype(np.float32)
    x = windows.astype(np.float64)
    x = (x - x.mean(axis=(1, 2), keepdims=True)) / x.std(axis=(1, 2), keepdims=True)
    x = x[:, None]
    for k, (size, step) in enumerate(((5, 2), (3, 2), (3, 1), (3, 1)), start=1):
        x = _slow_convolution(x, arrays[f"conv{k}"], arrays[f"bias{k}"], size, step)
    flat = np.concatenate([x.reshape(2, -1), heads], axis=1)
    hidden = np.maximum(flat @ arrays["dense1"] + arrays["offset1"], 0)
    expected = hidden @ arrays["dense2"] + arrays["offset2"]
    np.testing.assert_allclose(OpenEyes(arrays).outputs(windows, heads), expected, rtol=1e-4, atol=1e-4)


def test_windows_are_bilinear_samples_along_the_heads_roll(face):
    rng = np.random.default_rng(2)
    image = cv2.GaussianBlur(rng.integers(0, 255, (160, 200)).astype(np.uint8), (0, 0), 2)
    frames = eye_frames(face, 1.0, euler_to_matrix(np.array([0.0, 0.0, 0.2])))
    windows = sample_windows(image, frames)
    x, y = np.meshgrid(np.arange(48) - 23.5, np.arange(32) - 15.5)
    for side in (0, 1):
        at = np.einsum("ij,jrc->rci", frames.axes[side], np.stack([x, y])) + frames.centres[side]
        expected = cv2.remap(
            image.astype(np.float32),
            at[..., 0].astype(np.float32),
            at[..., 1].astype(np.float32),
            cv2.INTER_LINEAR,
        )
        np.testing.assert_allclose(windows[side], expected, atol=1.5)  # grey levels and 1/32 px are whole


@pytest.mark.parametrize("offset", [(-45.0, 0.0), (55.0, -70.0), (0.0, 75.0)])
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_border_of_the_picture_is_repeated(face, offset, scale):
    rng = np.random.default_rng(8)
    image = cv2.GaussianBlur(rng.integers(0, 255, (160, 200)).astype(np.uint8), (0, 0), 2)
    inside = np.pad(image, 200, mode="edge")
    points = face + np.array(offset)
    here, there = (
        eye_frames(p, scale, euler_to_matrix(np.array([0, 0, 0.1]))) for p in (points, points + 200)
    )
    np.testing.assert_array_equal(sample_windows(image, here), sample_windows(inside, there))


def test_window_of_a_senseless_size_takes_little_memory(face):
    image = np.full((160, 200), 90, np.uint8)
    tracemalloc.start()
    try:
        windows = sample_windows(image, eye_frames(face, 1e7, np.eye(3)))
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()
    assert windows.shape == (2, 32, 48)


def test_colour_is_seen_as_grey(face):
    rng = np.random.default_rng(3)
    colour = rng.integers(0, 255, (160, 200, 3)).astype(np.uint8)
    frames = eye_frames(face, 1.0, np.eye(3))
    grey = cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY)
    np.testing.assert_allclose(sample_windows(colour, frames), sample_windows(grey, frames), atol=1.0)


def test_fine_pictures_are_averaged(face):
    image = np.zeros((640, 800), np.uint8)
    image[:, ::2] = 200  # finer than the window can show
    frames = eye_frames(face * 4, 4.0, np.eye(3))
    assert abs(sample_windows(image, frames) - 100).mean() < 40


@pytest.mark.parametrize("offset", [(-500.0, 0.0), (500.0, 500.0), (0.0, -90.0)])
def test_eyes_outside_the_picture_give_numbers(arrays, face, offset):
    image = np.full((120, 160, 3), 90, np.uint8)
    found = OpenEyes(arrays)(image, face + np.array(offset), np.array([1.0, 0, 0, 0, 80, 60]))
    assert np.isfinite(found.directions).all()
    assert np.isfinite(found.landmarks).all()
    np.testing.assert_allclose(np.linalg.norm(found.directions, axis=1), 1.0)


def test_mirrored_face_looks_the_other_way(arrays, face):
    rng = np.random.default_rng(4)
    image = cv2.GaussianBlur(rng.integers(0, 255, (160, 200)).astype(np.uint8), (0, 0), 2)
    eyes = OpenEyes(arrays)
    here = eyes(image, face, np.array([1.0, 0.1, 0.3, 0.05, 100, 80]))
    flipped = face.copy()
    flipped[[36, 39, 42, 45]] = face[[45, 42, 39, 36]]
    flipped[:, 0] = 199 - flipped[:, 0]
    there = eyes(image[:, ::-1].copy(), flipped, np.array([1.0, 0.1, -0.3, -0.05, 99, 80]))
    # grey levels and 1/32 px, to which windows are rounded, are not mirrored exactly
    np.testing.assert_allclose(there.directions[::-1] * [-1, 1, 1], here.directions, atol=3e-3)
    np.testing.assert_allclose(there.opening[::-1], here.opening, atol=0.03)
    points = there.landmarks[::-1][:, MIRROR].astype(np.float64)
    points[..., 0] = 199 - points[..., 0]
    np.testing.assert_allclose(points, here.landmarks, atol=0.05)


def test_mirroring_points_twice_is_the_identity():
    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(28))


def test_eye_without_confidence_takes_over_the_others_direction():
    gaze = np.array([[0.4, 0.0], [0.2, -0.1]])
    sure = joint_directions(gaze, np.array([0.0, 1.0]), 0.5)
    np.testing.assert_allclose(sure[0], sure[1], atol=0.01)
    np.testing.assert_allclose(sure[1, :2], [0.2, -0.1], atol=0.01)


def test_surer_eye_counts_for_more_than_its_share_of_confidence():
    gaze = np.array([[0.0, 0.0], [0.2, 0.0]])
    mixed = joint_directions(gaze, np.array([0.5, 0.9]), 0.0)
    np.testing.assert_allclose(mixed[:, 0], 0.18, atol=0.002)  # odds of 1 and 9


def test_file_is_read_back(arrays, tmp_path):
    path = tmp_path / "eyes.npz"
    np.savez(path, **arrays)
    windows, heads = (
        np.random.default_rng(5).uniform(0, 255, (2, 32, 48)).astype(np.float32),
        np.zeros((2, 2), np.float32),
    )
    np.testing.assert_array_equal(
        OpenEyes.from_file(path).outputs(windows, heads), OpenEyes(arrays).outputs(windows, heads)
    )


def _without_a_layer(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: value for name, value in arrays.items() if name != "conv2"}


def _of_another_shape(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return arrays | {"dense2": arrays["dense2"][:, :-1]}


def _not_finite(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return arrays | {"bias1": np.full_like(arrays["bias1"], np.nan)}


def _objects(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return arrays | {"bias1": np.array([None, 1], dtype=object)}


@pytest.mark.parametrize("spoil", [_without_a_layer, _of_another_shape, _not_finite, _objects])
def test_spoilt_network_is_refused(
    arrays, tmp_path: Path, spoil: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
):
    path = tmp_path / "eyes.npz"
    np.savez(path, **spoil(arrays))
    with pytest.raises(ModelFileError, match="not an eye network"):
        OpenEyes.from_file(path)


def test_file_that_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "eyes.npz"
    path.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ModelFileError, match="not an eye network"):
        OpenEyes.from_file(path)


def test_window_of_one_value_is_not_stretched():
    flat = open_eyes.standardised(np.full((1, 32, 48), 77.0, np.float32))
    assert not flat.any()


def test_gaze_straight_at_the_camera_points_along_the_ray_to_the_face(arrays, face, monkeypatch):
    eyes = OpenEyes(arrays)
    image = np.full((480, 640, 3), 90, np.uint8)
    camera = Camera.for_size(640, 480)
    found = open_eyes.EyesFound(
        np.array([[0.0, 0.0, -1.0]] * 2), np.full((2, 28, 2), 100.0, np.float32), np.ones(2), np.ones(2)
    )
    monkeypatch.setattr(OpenEyes, "__call__", lambda *_: found)
    gaze = open_eyes.open_gaze(eyes, image, face + np.array([350.0, 200.0]), [1.0, 0, 0, 0, 0, 0], camera)
    assert gaze is not None
    middle = np.array([100.0 + 350, 80.0 + 200])
    ray = np.array([(middle[0] - camera.cx) / camera.fx, (middle[1] - camera.cy) / camera.fy, 1.0])
    np.testing.assert_allclose(gaze.directions, [-ray / np.linalg.norm(ray)] * 2, atol=1e-12)


def test_points_in_space_project_to_the_points_of_the_picture(arrays, face):
    rng = np.random.default_rng(6)
    image = rng.integers(0, 255, (160, 200, 3)).astype(np.uint8)
    camera = Camera.for_size(200, 160)
    gaze = open_eyes.open_gaze(OpenEyes(arrays), image, face, [1.0, 0.1, 0.2, 0, 100, 80], camera)
    assert gaze is not None
    x, y, z = gaze.landmarks_3d.T
    projected = np.column_stack([camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy])
    np.testing.assert_allclose(projected, gaze.landmarks, atol=1e-3)


def test_fit_without_a_size_has_no_gaze(arrays, face):
    camera = Camera.for_size(200, 160)
    image = np.zeros((160, 200), np.uint8)
    assert open_eyes.open_gaze(OpenEyes(arrays), image, face, np.full(6, np.nan), camera) is None
    assert open_eyes.open_gaze(OpenEyes(arrays), image, face, np.zeros(6), camera) is None


def test_network_beside_a_model_is_read_again_when_it_changes(arrays, tmp_path):
    main = tmp_path / "main.txt"
    assert open_eyes.eyes_beside(main) is None
    path = tmp_path / open_eyes.EYES_FILE
    np.savez(path, **arrays)
    first = open_eyes.eyes_beside(main)
    assert open_eyes.eyes_beside(main) is first
    np.savez(path, **(arrays | {"share": np.array([0.5], np.float64).reshape(())}))
    assert open_eyes.eyes_beside(main) is not first
