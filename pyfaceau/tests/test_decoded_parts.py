"""Parts of decoded frames: the same pixels as the whole, whatever the format, the size and the way up."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pyclnf.image import Picture, whole
from pyfaceau.containers import DecodedPicture
from pyfaceau.turned import Turned, turned
from pyfaceau.video import VideoFile

RNG = np.random.default_rng(7)
FORMATS = ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv420p10le", "gray", "bgr24", "nv12"]


def scene(width: int, height: int) -> np.ndarray:
    """Smooth colours with some noise, so that every conversion has something to round."""
    coarse = RNG.integers(0, 256, (9, 16, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.add(smooth, RNG.integers(0, 12, smooth.shape, dtype=np.uint8))


def decoded(width: int, height: int, format: str) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(scene(width, height), format="bgr24").reformat(format=format)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("size", [(640, 480), (642, 358), (333, 251), (1920, 1080)])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_every_part_has_the_pixels_of_the_whole(format, size, degrees):
    frame = decoded(*size, format)
    expected = turned(whole(DecodedPicture(frame)), degrees)
    rows, cols = expected.shape[:2]
    for _ in range(6):
        x0, y0 = int(RNG.integers(0, cols)), int(RNG.integers(0, rows))
        x1, y1 = min(cols, x0 + int(RNG.integers(1, 250))), min(rows, y0 + int(RNG.integers(1, 250)))
        picture = DecodedPicture(frame, degrees=degrees)
        assert picture.shape == expected.shape
        np.testing.assert_array_equal(picture.part(x0, y0, x1, y1), expected[y0:y1, x0:x1])
        np.testing.assert_array_equal(whole(picture), expected)


def test_a_small_part_of_a_large_frame_is_not_made_from_the_whole():
    picture = DecodedPicture(decoded(1920, 1080, "yuv420p"))
    part = picture.part(900, 400, 1000, 500)
    assert part.base is not None
    assert picture._made is not None
    (x0, y0, x1, y1), _ = picture._made
    assert (x1 - x0) * (y1 - y0) < 0.05 * 1920 * 1080


def test_what_a_file_says_about_colours_does_not_change_the_pixels():
    """OpenCV up to 4.12, and so OpenFace, converts with the constants of BT.601 in any case."""
    frame = decoded(640, 480, "yuv420p")
    plain = whole(DecodedPicture(frame)).copy()
    marked = decoded(640, 480, "yuv420p")
    for source, target in zip(frame.planes, marked.planes, strict=True):
        target.update(bytes(source))
    marked.colorspace, marked.color_range = 1, 1  # BT.709, limited
    np.testing.assert_array_equal(whole(DecodedPicture(marked)), plain)


def test_frames_of_another_size_are_scaled():
    picture = DecodedPicture(decoded(320, 240, "yuv420p"), size=(640, 480))
    assert picture.shape == (480, 640, 3)
    assert whole(picture).shape == (480, 640, 3)


def test_pixels_are_those_of_opencv(shared):
    videos = sorted(path for path in (shared / "media").iterdir() if path.suffix in (".avi", ".wmv"))
    assert videos
    for path in videos:
        reader = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        for frame in VideoFile(path):
            read, image = reader.read()
            assert read
            if frame.number % 25 == 1:
                np.testing.assert_array_equal(frame.image, image)
                np.testing.assert_array_equal(frame.picture.part(99, 50, 330, 301), image[50:301, 99:330])
        assert not reader.read()[0]


def test_turned_videos_are_made_in_parts_too(shared):
    path: Path = shared / "media/default.wmv"
    frame = next(iter(Turned(VideoFile(path), 90)))
    assert isinstance(frame.picture, Picture)
    expected = turned(next(iter(VideoFile(path))).image, 90)
    np.testing.assert_array_equal(frame.picture.part(20, 100, 140, 260), expected[100:260, 20:140])
    np.testing.assert_array_equal(frame.image, expected)
