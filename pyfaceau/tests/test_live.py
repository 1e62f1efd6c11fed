"""Live sources: what is dropped, how late frames are, and what happens when cameras fail."""

from __future__ import annotations

import gc
import queue
import subprocess
import sys
import threading
import tracemalloc
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_up_results import made_up_result
from typer.testing import CliRunner

from pyfaceau.cli.app import app
from pyfaceau.cli.live import format_action_units
from pyfaceau.errors import VideoError
from pyfaceau.live import LiveSource, PacedFrames, open_as_camera, open_camera
from pyfaceau.video import VideoFile

SIZE = (48, 64)
PERIOD = 0.04  # s, of a camera at 25 frames per second
PATIENCE = 120  # s after which a test gives up


def image(level: int) -> np.ndarray:
    return np.full((*SIZE, 3), level, np.uint8)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.time = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


class HandCamera:
    """Delivers a frame when the test says so; `deliver` returns when the source has taken it."""

    def __init__(self) -> None:
        self._frames: queue.Queue[tuple[bool, np.ndarray | None] | Exception] = queue.Queue()
        self._waiting = threading.Semaphore(0)
        self.released = 0
        self.delivered = 0

    def read(self) -> tuple[bool, np.ndarray | None]:
        self._waiting.release()
        item = self._frames.get(timeout=PATIENCE)
        if isinstance(item, Exception):
            raise item
        return item

    def get(self, prop: int) -> float:
        return 25.0 if prop == cv2.CAP_PROP_FPS else 0.0

    def release(self) -> None:
        self.released += 1

    def deliver(self, frame: np.ndarray | None = None) -> None:
        self.delivered += 1
        self._frames.put((True, image(self.delivered % 256) if frame is None else frame))
        # Once for the read that takes this frame, and once for the next, which comes when this one is stored.
        if self.delivered == 1:
            self._waiting.acquire(timeout=PATIENCE)
        self._waiting.acquire(timeout=PATIENCE)

    def end(self, error: Exception | None = None) -> None:
        self._frames.put((False, None) if error is None else error)


def start(source: LiveSource, camera: HandCamera):
    """Iterate, with the first frame fetched."""
    frames = iter(source)
    first = threading.Thread(target=camera.deliver)
    first.start()
    assert next(frames).number == 1
    first.join()
    return frames


@pytest.fixture
def camera():
    camera = HandCamera()
    yield camera
    camera.end()  # lets a thread go that still waits


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    gc.collect()
    for thread in threading.enumerate():
        if thread.name == "pyfaceau-live":
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_frames_carry_number_pixels_and_the_time_of_their_arrival(camera):
    clock = Clock()
    source = LiveSource(camera, clock=clock)
    frames = start(source, camera)
    clock.sleep(0.05)
    camera.deliver(np.full(SIZE, 7, np.uint8))
    second = next(frames)
    assert (second.number, second.timestamp) == (2, pytest.approx(0.05))
    np.testing.assert_array_equal(second.image, image(7))
    clock.sleep(0.02)
    assert source.now == pytest.approx(0.07)


@pytest.mark.parametrize("periods", [0, 1, 2, 5, 40])
def test_frame_is_the_newest_when_work_on_it_begins_however_long_the_work_takes(camera, periods):
    clock = Clock()
    source = LiveSource(camera, clock=clock)
    frames = start(source, camera)
    for _ in range(10):
        for _ in range(periods):  # the camera runs while the consumer works
            clock.sleep(PERIOD)
            camera.deliver()
        if periods == 0:
            camera.deliver()
        frame = next(frames)
        assert frame.number == source.captured == camera.delivered
        assert source.now - frame.timestamp <= PERIOD
    assert source.dropped == 10 * max(periods - 1, 0)


def test_no_frame_is_handed_out_twice(camera):
    source = LiveSource(camera)
    frames = start(source, camera)
    later = threading.Timer(0.05, camera.deliver)
    later.start()
    assert next(frames).number == 2
    later.join()


def test_memory_does_not_grow_while_nobody_fetches(camera):
    source = LiveSource(camera)
    start(source, camera)
    tracemalloc.start()
    try:
        for _ in range(200):
            camera.deliver()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert source.dropped == 199
    assert held < 10 * image(0).nbytes


def test_frame_is_not_overwritten_by_a_camera_that_reuses_its_memory(camera):
    source = LiveSource(camera)
    frames = start(source, camera)
    memory = image(50)
    camera.deliver(memory)
    frame = next(frames)
    memory[:] = 60
    assert (frame.image == 50).all()


def test_last_frame_is_handed_out_before_the_end(camera):
    source = LiveSource(camera)
    frames = start(source, camera)
    camera.deliver()
    camera.end()
    assert [frame.number for frame in frames] == [2]
    assert list(source) == []
    assert camera.released == 1


def test_error_of_the_camera_comes_after_the_frames_before_it(camera):
    source = LiveSource(camera)
    frames = start(source, camera)
    camera.deliver()
    camera.end(OSError("cable pulled"))
    assert next(frames).number == 2
    with pytest.raises(OSError, match="cable pulled"):
        next(frames)
    assert list(source) == []
    source.close()
    assert camera.released == 1


def test_what_is_no_image_is_an_error(camera):
    frames = start(LiveSource(camera), camera)
    threading.Thread(target=camera.deliver, args=(np.zeros(SIZE),), daemon=True).start()
    with pytest.raises(TypeError, match="float64"):
        next(frames)
    camera._waiting.release()


def test_camera_without_a_single_frame_is_named(camera):
    camera.end()
    with pytest.raises(VideoError, match="cam7: delivers no frames"):
        next(iter(LiveSource(camera, name="cam7")))


def test_closing_ends_iteration_and_releases_the_camera(camera):
    source = LiveSource(camera)
    frames = start(source, camera)
    camera.deliver()
    camera.end()
    source.close()
    assert list(frames) == []
    assert camera.released == 1
    source.close()
    assert camera.released == 1


def test_source_that_was_never_read_releases_the_camera(camera):
    with LiveSource(camera) as source:
        pass
    assert camera.released == 1
    assert list(source) == []


def test_camera_that_hangs_does_not_hang_the_program(camera, monkeypatch, caplog):
    monkeypatch.setattr("pyfaceau.live._PATIENCE", 0.01)
    source = LiveSource(camera, name="cam7")
    start(source, camera)
    source.close()
    assert "cam7: does not answer" in caplog.text
    assert camera.released == 0


@pytest.mark.slow
def test_forgotten_source_lets_the_program_end(tmp_path):
    program = (
        "import itertools, time, numpy as np; from pyfaceau.live import LiveSource, PacedFrames; "
        "frames = itertools.repeat(np.zeros((4, 4, 3), np.uint8)); "
        "next(iter(LiveSource(PacedFrames(frames, 50))))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path, timeout=60)


def test_rate_is_the_one_given_or_the_cameras_or_30(camera):
    assert LiveSource(camera).fps == 25
    assert LiveSource(camera, fps=12.5).fps == 12.5
    assert LiveSource([image(1)]).fps == 30
    with pytest.raises(ValueError, match="fps must be positive"):
        LiveSource(camera, fps=0)


def test_iterable_of_frames_is_a_source():
    go_on = threading.Event()

    def frames():
        for level in range(3):
            yield image(level)
            assert go_on.wait(PATIENCE)
            go_on.clear()

    seen = []
    for frame in LiveSource(frames()):
        seen.append((frame.number, int(frame.image[0, 0, 0])))
        go_on.set()
    assert seen == [(1, 0), (2, 1), (3, 2)]


def test_paced_frames_come_when_they_are_due():
    clock = Clock()
    paced = PacedFrames([image(level) for level in range(3)], 25, clock, clock.sleep)
    times = []
    while True:
        read, frame = paced.read()
        if not read:
            break
        times.append((int(frame[0, 0, 0]), clock.time - 100))
    assert [level for level, _ in times] == [0, 1, 2]
    np.testing.assert_allclose([time for _, time in times], [0, 0.04, 0.08], atol=1e-9)
    assert frame is None


def test_paced_frames_that_nobody_read_in_time_are_gone():
    clock = Clock()
    paced = PacedFrames((image(level) for level in range(20)), 25, clock, clock.sleep)
    assert paced.read()[1][0, 0, 0] == 0
    clock.sleep(5.5 * PERIOD)
    assert paced.read()[1][0, 0, 0] == 5
    assert paced.read()[1][0, 0, 0] == 6
    assert clock.time - 100 == pytest.approx(6 * PERIOD)
    clock.sleep(1)
    assert paced.read() == (False, None)


def test_paced_frames_end_when_released_and_know_their_rate():
    paced = PacedFrames([image(1)], 25)
    assert (paced.get(cv2.CAP_PROP_FPS), paced.get(cv2.CAP_PROP_GAIN)) == (25, 0)
    paced.release()
    assert paced.read() == (False, None)
    with pytest.raises(ValueError, match="fps must be positive"):
        PacedFrames([], -1)


def test_video_file_plays_as_a_camera_at_its_own_rate(tmp_path):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 100.0, SIZE[::-1])
    for index in range(6):
        writer.write(image(40 * index))
    writer.release()
    with open_as_camera(path) as source:
        assert (source.fps, source.name, source.n_frames) == (100, str(path), None)
        frames = list(source)
    assert frames
    levels = [40 * (number - 1) for number in range(1, 7)]
    assert all(any(abs(float(frame.image.mean()) - level) < 3 for level in levels) for frame in frames)
    assert all(a.number < b.number for a, b in pairwise(frames))


def test_camera_that_is_not_there_is_named():
    with pytest.raises(VideoError, match="camera 99: cannot be opened"):
        open_camera(99)


def test_action_units_are_written_on_one_line_with_stars_for_presence():
    result = made_up_result()
    result.au_intensities.clear()
    result.au_intensities.update({"AU12": 2.345, "AU01": 0.0})
    result.au_presences.clear()
    result.au_presences.update({"AU12": 1, "AU01": 0, "AU28": 1})
    assert format_action_units(result) == "AU01 0.00 AU12 2.35* AU28*"
    assert format_action_units(made_up_result(success=False)) == "no face"


def test_missing_source_and_wrong_options_are_refused(tmp_path):
    assert CliRunner().invoke(app, ["live", "--max-frames", "0"]).exit_code == 2
    assert CliRunner().invoke(app, ["live", "--camera", "-1"]).exit_code == 2


@pytest.fixture(scope="module")
def pipeline(shared: Path):
    from pyfaceau import FullPythonAUPipeline

    return FullPythonAUPipeline(models=shared / "openface", landmarks="clnf")


class Deliverer:
    """A source over a hand camera that delivers so many frames whenever the pipeline is ready for one."""

    n_frames = None

    def __init__(self, path: Path, periods: int, count: int) -> None:
        self._camera = HandCamera()
        self.live = LiveSource(self._camera)
        self.name, self.fps = self.live.name, self.live.fps
        self._images = [frame.image for frame, _ in zip(VideoFile(path), range(count), strict=False)]
        self._periods = periods

    def __iter__(self):
        frames = iter(self.live)
        for position in range(0, len(self._images), self._periods):
            # The source's thread starts with the first request, so frames are delivered from another.
            batch = self._images[position : position + self._periods]
            sender = threading.Thread(
                target=lambda batch=batch: [self._camera.deliver(each) for each in batch]
            )
            sender.start()
            if position:
                sender.join()
            frame = next(frames)
            sender.join()
            yield frame

    def close(self) -> None:
        self._camera.end()
        self.live.close()


def test_results_are_at_most_two_frames_behind_a_camera_that_the_pipeline_keeps_up_with(pipeline, shared):
    source = Deliverer(shared / "media/default.wmv", periods=1, count=12)
    behind = [source.live.captured - result.frame for result in pipeline.stream(source)]
    assert len(behind) == 12
    assert max(behind) <= 2
    assert source.live.dropped == 0


def test_slow_pipeline_analyses_fewer_frames_and_stays_as_near(pipeline, shared):
    source = Deliverer(shared / "media/default.wmv", periods=3, count=36)
    frames, behind = [], []
    for result in pipeline.stream(source):
        frames.append(result.frame)
        behind.append(source.live.captured - result.frame)
    assert len(frames) <= 13
    assert max(behind) <= 2 * 3  # two of its own frames
    assert source.live.captured == 36


def test_live_command_prints_action_units_and_what_was_dropped(shared):
    arguments = ["live", "--source", str(shared / "media/default.wmv"), "--models", str(shared / "openface")]
    result = CliRunner().invoke(app, [*arguments, "--landmarks", "clnf", "--max-frames", "20", "--no-window"])
    assert result.exit_code == 0, result.output
    *lines, summary = result.output.splitlines()
    assert lines
    assert all(" ms late " in line for line in lines)
    assert any("AU12 " in line and "AU45" in line for line in lines)
    assert "frames came" in summary
    assert not any(thread.name == "pyfaceau-live" for thread in threading.enumerate())
