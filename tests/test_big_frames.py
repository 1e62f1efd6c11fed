"""Frames that are made where somebody looks give the numbers of whole frames, in small and large videos."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from media_kinds import X264, ffmpeg_program

from pyclnf import picture as lazy
from pyclnf.image import Picture
from pyfaceau import FullPythonAUPipeline
from pyfaceau.demo import DEMO_CLIP
from pyfaceau.video import VideoFile

FRAMES = 40
GROUPS = ("gaze", "eye_landmarks", "pose", "landmarks", "landmarks_3d", "pdm", "aus")


@pytest.fixture(scope="module", params=["small", "large"])
def video(request, tmp_path_factory):
    """The first frames of the demo, and the same at 1588 x 1800 px with the face in a part of it."""
    if request.param == "small":
        return DEMO_CLIP
    program = ffmpeg_program()
    if program is None:
        pytest.skip("needs an FFmpeg program, or `pip install imageio-ffmpeg`")
    import subprocess

    path = tmp_path_factory.mktemp("large") / "large.mp4"
    line = [program, "-v", "error", "-i", str(DEMO_CLIP), "-frames:v", str(FRAMES)]
    subprocess.run([*line, "-vf", "scale=-2:1400,pad=2400:1800:900:200", *X264, str(path)], check=True)
    return path


def columns(table):
    return table.drop(columns=["timestamp"]).to_numpy(dtype=float)


@pytest.mark.parametrize("max_faces", [1, 2])
def test_table_is_that_of_whole_frames_read_by_opencv(video, max_faces):
    pipeline = FullPythonAUPipeline(models="open", include=GROUPS, max_faces=max_faces)
    reader = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG)
    images = [reader.read()[1] for _ in range(FRAMES)]
    assert isinstance(next(iter(VideoFile(video))).picture, Picture)
    found = pipeline.process_video(video, max_frames=FRAMES, progress=False)
    expected = pipeline.process_frames(images, fps=25)
    assert found["success"].all()
    np.testing.assert_array_equal(columns(found), columns(expected))


def test_nothing_is_read_outside_of_what_was_converted(video, monkeypatch):
    """The buffer holds garbage before each frame, another one each time, and no number changes."""
    pipeline = FullPythonAUPipeline(models="open", include=GROUPS)
    expected = pipeline.process_video(video, max_frames=FRAMES, progress=False)
    rng = np.random.default_rng(3)
    begin = lazy.GreyFrame.of

    def poisoned(self, frame):
        grey = begin(self, frame)
        grey._own[:] = rng.integers(0, 256, grey._own.shape, dtype=np.uint8)
        return grey

    monkeypatch.setattr(lazy.GreyFrame, "of", poisoned)
    found = pipeline.process_video(video, max_frames=FRAMES, progress=False)
    np.testing.assert_array_equal(columns(found), columns(expected))
