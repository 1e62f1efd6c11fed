"""Reading frames: files, folders, odd images, and what is said when it cannot be done."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from pyfaceau.errors import VideoError
from pyfaceau.video import ImageFolder, ReadAhead, VideoFile, as_bgr, open_video, read_image

SIZE = (64, 48)


def frame(level: int) -> np.ndarray:
    return np.full((SIZE[1], SIZE[0], 3), level, np.uint8)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Twelve grey frames at 25 frames a second, each 20 levels brighter than the one before."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, SIZE)
    for index in range(12):
        writer.write(frame(20 * index))
    writer.release()
    return path


def test_frames_come_in_order_with_number_time_and_pixels(clip):
    with open_video(clip, depth=2) as video:
        assert (video.fps, video.n_frames) == (25.0, 12)
        frames = list(video)
    assert [each.number for each in frames] == list(range(1, 13))
    np.testing.assert_allclose([each.timestamp for each in frames], np.arange(12) / 25)
    assert all(each.image.shape == (SIZE[1], SIZE[0], 3) for each in frames)
    np.testing.assert_allclose([each.image.mean() for each in frames], 20 * np.arange(12), atol=2)
    assert all(each.image.dtype == np.uint8 and each.image.flags.c_contiguous for each in frames)


def test_reading_ahead_gives_the_frames_of_the_plain_reader(clip):
    plain = [each.image for each in VideoFile(clip)]
    with open_video(clip) as video:
        ahead = [each.image for each in video]
    np.testing.assert_array_equal(ahead, plain)


def test_closing_early_ends_the_decoding_thread(clip):
    video = open_video(clip, depth=1)
    next(iter(video))
    video.close()
    assert list(video) == []
    assert not any(thread.name == "pyfaceau-decode" for thread in threading.enumerate())


def test_error_in_the_decoding_thread_reaches_the_consumer(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), frame(0))
    (tmp_path / "2.png").write_text("not an image")
    with open_video(tmp_path) as video:
        frames = iter(video)
        assert next(frames).number == 1
        with pytest.raises(VideoError, match=r"2\.png: not an image"):
            next(frames)


def test_raw_stream_without_clock_counts_its_time_stamps(clip, tmp_path):
    """Pictures one after the other, without container."""
    images = [frame.image for frame in VideoFile(clip)][:5]
    path = tmp_path / "raw.mjpeg"
    path.write_bytes(b"".join(cv2.imencode(".jpg", image)[1].tobytes() for image in images))
    video = VideoFile(path)
    times = [each.timestamp for each in video]
    np.testing.assert_allclose(times, np.arange(5) / video.fps)


def test_path_of_1500_characters_is_read_and_one_that_is_too_long_is_named(clip, tmp_path):
    folder = tmp_path
    while len(str(folder)) < 1500:
        folder = folder / ("x" * 200)
    try:
        folder.mkdir(parents=True)
    except OSError:
        pytest.skip("this system allows no such paths")
    shutil.copy(clip, folder / "clip.avi")
    assert sum(1 for _ in VideoFile(folder / "clip.avi")) == 12
    with pytest.raises(VideoError, match="cannot be read"):
        VideoFile(tmp_path / ("x" * 300 + ".avi"))


def test_read_only_folder_is_enough_to_read_from(clip):
    clip.chmod(0o444)
    clip.parent.chmod(0o555)
    try:
        assert sum(1 for _ in VideoFile(clip)) == 12
    finally:
        clip.parent.chmod(0o755)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(2, 2), (7680, 4320)])
def test_smallest_and_largest_frames_are_decoded(tmp_path, size):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, size)
    writer.write(np.full((size[1], size[0], 3), 90, np.uint8))
    writer.release()
    (only,) = VideoFile(path)
    assert only.size == size
    np.testing.assert_allclose(only.image, 90, atol=2)
    np.testing.assert_array_equal(only.picture.part(0, 0, 2, 2), only.image[:2, :2])


@pytest.mark.slow
@pytest.mark.parametrize("forgotten", ["", "; del frames, video"])
def test_video_that_is_never_closed_does_not_keep_the_program_alive(clip, tmp_path, forgotten):
    program = (
        "import sys; from pyfaceau.video import open_video; video = open_video(sys.argv[1], 1); "
        f"frames = iter(video); next(frames){forgotten}"
    )
    subprocess.run([sys.executable, "-c", program, str(clip)], check=True, cwd=tmp_path, timeout=60)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(VideoError, match=r"nowhere\.mp4: no such file"):
        open_video(tmp_path / "nowhere.mp4")


def test_text_file_named_mp4_is_no_video(tmp_path):
    path = tmp_path / "notes.mp4"
    path.write_text("This is a text.\n" * 100)
    with pytest.raises(VideoError, match=r"notes\.mp4: not a video"):
        open_video(path)


def test_empty_file_is_no_video(tmp_path):
    path = tmp_path / "empty.mp4"
    path.touch()
    with pytest.raises(VideoError, match=r"empty\.mp4: not a video"):
        open_video(path)


def test_video_of_zero_frames_is_refused(tmp_path):
    path = tmp_path / "none.avi"
    cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, SIZE).release()
    with pytest.raises(VideoError, match=r"none\.avi: (the video holds no frames|not a video)"):
        open_video(path)


def test_folder_of_images_is_sorted_and_read_as_8_bit_colour(tmp_path):
    cv2.imwrite(str(tmp_path / "b.png"), np.full((4, 4), 2560, np.uint16))
    cv2.imwrite(str(tmp_path / "a.bmp"), frame(7))
    cv2.imwrite(str(tmp_path / "c.PNG"), frame(9)[..., 0])
    (tmp_path / "notes.txt").write_text("not an image")
    folder = ImageFolder(tmp_path)
    images = list(folder)
    assert [int(each.image[0, 0, 0]) for each in images] == [7, 10, 9]
    assert all(each.image.shape[2] == 3 and each.image.dtype == np.uint8 for each in images)
    assert [each.timestamp for each in images] == [0, 0, 0]
    assert [each.number for each in images] == [1, 2, 3]


def test_folder_without_images_is_refused(tmp_path):
    with pytest.raises(VideoError, match="holds no images"):
        open_video(tmp_path)


def test_image_that_is_missing_or_empty_is_named(tmp_path):
    with pytest.raises(VideoError, match=r"gone\.png: cannot be read"):
        read_image(tmp_path / "gone.png")
    (tmp_path / "empty.png").touch()
    with pytest.raises(VideoError, match=r"empty\.png: not an image"):
        read_image(tmp_path / "empty.png")


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1)])
def test_grey_image_becomes_three_equal_channels(shape):
    grey = np.arange(20, dtype=np.uint8).reshape(shape)
    bgr = as_bgr(grey)
    assert bgr.shape == (4, 5, 3)
    assert all((bgr[..., channel] == grey.reshape(4, 5)).all() for channel in range(3))


def test_16_bit_image_is_divided_by_256_and_rounded_half_to_even():
    values = np.array([[0, 127, 128, 129, 384, 385, 65407, 65408, 65535]], np.uint16)
    assert as_bgr(values)[0, :, 0].tolist() == [0, 0, 0, 1, 2, 2, 255, 255, 255]
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(as_bgr(every)[..., 0], cv2.convertScaleAbs(every, alpha=1 / 256))


def test_alpha_is_dropped_and_bgr_is_not_copied():
    bgra = np.dstack([frame(1), np.full(SIZE[::-1], 99, np.uint8)])
    np.testing.assert_array_equal(as_bgr(bgra), frame(1))
    image = frame(3)
    assert as_bgr(image) is image


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.zeros((4, 4, 3)), TypeError, "float64 array"),
        ([[1, 2]], TypeError, "got list"),
        (np.zeros((4, 4, 2), np.uint8), ValueError, r"\(4, 4, 2\)"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, r"\(0, 4, 3\)"),
        (np.zeros(4, np.uint8), ValueError, r"\(4,\)"),
    ],
)
def test_what_is_no_image_is_refused_with_its_kind(image, error, message):
    with pytest.raises(error, match=message):
        as_bgr(image)


def test_depth_must_not_be_negative(clip):
    with pytest.raises(ValueError, match="not be negative"):
        ReadAhead(VideoFile(clip), -1)


def test_without_depth_frames_are_the_same_and_there_is_no_thread(clip):
    with open_video(clip) as ahead:
        expected = [(f.number, f.timestamp, f.image.tobytes()) for f in ahead]
    before = threading.active_count()
    with open_video(clip, depth=0) as source:
        found = [(f.number, f.timestamp, f.image.tobytes(), threading.active_count()) for f in source]
    assert [f[:3] for f in found] == expected
    assert {f[3] for f in found} == {before}


def test_sequences_of_the_reference_material_have_the_reference_number_of_frames(shared):
    expected = {
        path.parent.name: len(np.load(path)) for path in (shared / "gold/video/clnf").glob("*/pose.npy")
    }
    videos = {path.stem: path for path in (shared / "media").iterdir() if path.suffix in (".avi", ".wmv")}
    compared = [name for name in expected if name in videos]
    assert compared
    for name in compared:
        with open_video(videos[name]) as video:
            assert sum(1 for _ in video) == expected[name]
