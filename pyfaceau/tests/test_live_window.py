"""The live window: what it shows, how it closes, and what is said where there can be none."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from made_up_results import INTENSITIES, PRESENCES, made_up_result
from virtual_screen import MISSING, Screen, virtual_screen, wait_for

from pyfaceau.cli.live import _run_window, _status, _watch
from pyfaceau.cli.live_picture import live_picture
from pyfaceau.cli.window import Window
from pyfaceau.demo import DEMO_CLIP
from pyfaceau.live import LiveSource, PacedFrames
from pyfaceau.video import FrameIterator, VideoFile

ROOM = (1200, 700)
YELLOW = (60, 220, 255)  # of the landmarks
GREY = (40, 40, 40)  # beside the frame

on_a_screen = pytest.mark.skipif(
    bool(MISSING), reason=f"needs {' and '.join(MISSING)}, which are not installed"
)
without_a_display = pytest.mark.skipif(
    sys.platform != "linux" or "tkinter" in MISSING,
    reason="needs Linux, where displays can be taken away, and tkinter",
)


def with_action_units(value: float, present: int, **options):
    result = made_up_result(**options)
    return replace(
        result,
        au_intensities={name[:4]: value for name in INTENSITIES},
        au_presences={name[:4]: present for name in PRESENCES},
    )


def noise(size: tuple[int, int] = (480, 640)) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (*size, 3), np.uint8)


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == colour).all(axis=2).any())


@pytest.mark.parametrize("faces", [1, 3])
def test_bars_never_cover_the_frame(faces):
    image = noise()
    pictures = [
        live_picture(
            image, [with_action_units(value, present, face_id=i) for i in range(faces)], ROOM, panels=faces
        )
        for value, present in ((0.0, 0), (5.0, 1))
    ]
    columns = np.flatnonzero((pictures[0] != pictures[1]).any(axis=(0, 2)))
    assert len(columns) > 30 * faces
    frame_width = round(640 * pictures[0].shape[0] / 480)
    assert columns.min() >= frame_width
    # Some of the frame is visible wherever nothing is drawn into it.
    bare = live_picture(image, [], ROOM, panels=faces)
    assert (bare[:, :frame_width] == pictures[0][:, :frame_width]).mean() > 0.5


def test_longer_bars_and_green_names_are_higher_values_and_presence():
    low, high = (live_picture(noise(), [with_action_units(value, 0)], ROOM) for value in (1.0, 4.0))
    assert (high > low).sum() > 1000
    present = live_picture(noise(), [with_action_units(1.0, 1)], ROOM)
    assert has(present, (80, 220, 80))
    assert not has(low, (80, 220, 80))


@pytest.mark.parametrize("panels", [1, 2, 4, 40])
@pytest.mark.parametrize("room", [ROOM, (320, 200), (300, 900), (1920, 300)])
@pytest.mark.parametrize("size", [(480, 640), (1080, 1920), (90, 60)])
def test_picture_fits_into_its_room_and_does_not_move_when_faces_come_and_go(panels, room, size):
    image = np.zeros((*size, 3), np.uint8)
    results = [made_up_result(face_id=i) for i in range(min(panels, 5))]
    shapes = {live_picture(image, results[:n], room, panels).shape for n in range(len(results) + 1)}
    assert len(shapes) == 1
    height, width, _ = shapes.pop()
    assert height <= room[1]
    assert width <= room[0]


def test_frame_is_left_as_it_is_and_lost_faces_have_no_bars():
    image = noise()
    before = image.copy()
    lost = live_picture(image, [made_up_result(success=False)], ROOM)
    np.testing.assert_array_equal(image, before)
    panel = lost[:, round(640 * lost.shape[0] / 480) :]
    assert (panel == GREY).all()


def test_status_names_rate_latency_and_dropped_frames():
    assert " ".join(_status(None, [], 0).split()) == "- frames/s - ms after capture 0 dropped q closes"
    line = " ".join(_status(24.96, [0.0123, 0.9, 0.004], 7).split())
    assert line == "25.0 frames/s 12 ms after capture 7 dropped q closes"


@pytest.fixture(scope="module")
def pipelines():
    from pyfaceau import FullPythonAUPipeline

    return {n: FullPythonAUPipeline("open", max_faces=n) for n in (1, 2)}


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    with closing(VideoFile(DEMO_CLIP)) as video:
        return next(iter(video)).image


@pytest.mark.parametrize(("visible", "faces"), [(True, [0, 1]), (False, [])])
def test_every_frame_is_shown_once_with_all_its_faces(pipelines, face, visible, faces):
    image = np.concatenate([face, face], axis=1) * np.uint8(visible)
    shown: list[tuple[int, list[int]]] = []

    def show(frame, results):
        assert all(result.frame == frame.number for result in results)
        shown.append((frame.number, [result.face_id for result in results]))
        return len(shown) < 3

    _watch(pipelines[2], FrameIterator([image] * 4, 25), show)
    assert shown == [(1, faces), (2, faces), (3, faces)]  # and the fourth was not wanted any more


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Screen:
    return virtual_screen(tmp_path_factory.mktemp("screen"))


@pytest.fixture
def screen(server, monkeypatch) -> Screen:
    monkeypatch.setenv("DISPLAY", server.display)
    return server


@pytest.fixture
def window(screen):
    window = Window("a test")
    yield window
    window.close()


@on_a_screen
def test_window_shows_the_picture_pixel_for_pixel(screen: Screen, window: Window):
    picture = noise((300, 400))
    window.show(picture, "some text")
    wait_for(lambda: (window.update(), (screen.pixels()[:300, :400] == picture).all())[1])
    assert len(np.unique(screen.pixels()[302:320, :150].reshape(-1, 3), axis=0)) > 1  # there is text below
    window.show(255 - picture, "")
    wait_for(lambda: (window.update(), (screen.pixels()[:300, :400] == 255 - picture).all())[1])


@on_a_screen
def test_picture_takes_the_size_that_the_user_gives_the_window(screen: Screen, window: Window):
    image = noise()
    _, height = window.room(image)
    assert height == 480
    window.show(image, "")
    screen.xdotool("windowsize", screen.wait_for_window("a test"), "900", "800")
    wait_for(lambda: (window.update(), window.room(image)[0] == 900)[1])
    assert 750 < window.room(image)[1] < 800


@on_a_screen
@pytest.mark.parametrize("key", ["q", "shift+q", "Escape"])
def test_keys_close_the_window(screen: Screen, window: Window, key):
    window.show(noise((300, 400)), "")
    window.update()
    screen.xdotool("key", "a")
    window.update()
    assert not window.closed
    wait_for(lambda: (screen.xdotool("key", key), window.update(), window.closed)[2])
    window.close()
    assert not screen.xdotool("search", "--onlyvisible", "--name", "a test")


@on_a_screen
def test_close_button_closes_the_window(window: Window):
    window.show(noise((300, 400)), "")
    tcl = window._root.tk
    tcl.eval(tcl.call("wm", "protocol", ".", "WM_DELETE_WINDOW"))  # what Tk does when the button is pressed
    assert window.closed
    window.update()
    window.close()
    window.show(noise(), "nobody sees it")


@on_a_screen
def test_window_closes_while_the_camera_hangs(screen: Screen, window: Window, pipelines, face, monkeypatch):
    monkeypatch.setattr("pyfaceau.live._PATIENCE", 0.01)
    going_on = threading.Event()

    def frames():
        yield face
        going_on.wait()

    user = threading.Thread(
        target=lambda: (screen.wait_for_window("a test"), time.sleep(0.3), screen.xdotool("key", "q"))
    )
    user.start()
    try:
        summary = _run_window(window, pipelines[1], LiveSource(frames(), name="cam7"))
    finally:
        going_on.set()
        user.join()
    assert window.closed
    assert re.fullmatch(
        r"cam7: 1 frames came, 0 were dropped; half of them were shown within \d+ ms", summary
    )


@on_a_screen
def test_error_of_the_camera_reaches_the_caller(window: Window, pipelines, face):
    def frames():
        yield face
        raise OSError("cable pulled")

    with pytest.raises(OSError, match="cable pulled"):
        _run_window(window, pipelines[1], LiveSource(PacedFrames(frames(), 10)))


@on_a_screen
def test_window_ends_with_its_source_and_after_max_frames(window: Window, pipelines, face):
    def played(count):
        return LiveSource(PacedFrames(itertools.repeat(face, count), 20), name="cam7")

    assert _run_window(window, pipelines[1], played(5)).startswith("cam7: 5 frames came")
    source = played(10**6)
    assert _run_window(window, pipelines[1], source, max_frames=4).startswith("cam7: ")
    assert source.captured < 1000


def live_command(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pyfaceau", "live", "--models", "open", "--source", str(DEMO_CLIP)]
    taken = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return subprocess.Popen(
        [*command, *arguments],
        env={**taken, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@on_a_screen
def test_live_command_shows_face_bars_and_status_until_q_is_pressed(screen: Screen):
    with live_command(DISPLAY=screen.display) as process:
        screen.wait_for_window("pyfaceau live")
        wait_for(lambda: has(screen.pixels(), YELLOW) and has(screen.pixels(), (190, 190, 190)))
        pixels = screen.pixels()
        wait_for(lambda: (screen.xdotool("key", "q"), process.poll() is not None)[1])
        output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    landmarks, bars = (
        np.flatnonzero((pixels == colour).all(axis=2).any(axis=0)) for colour in (YELLOW, (190, 190, 190))
    )
    assert np.median(landmarks) < bars.max()
    found = re.search(r"(\d+) frames came, \d+ were dropped; half of them were shown within (\d+) ms", output)
    assert found
    assert int(found[1]) < 450  # the clip was not played to its end
    assert int(found[2]) < 500  # 11 to 21 on two cores of a server


@pytest.mark.slow
@on_a_screen
def test_interrupt_ends_the_window_and_still_reports(screen: Screen):
    with live_command(DISPLAY=screen.display) as process:
        screen.wait_for_window("pyfaceau live")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "frames came" in output


@without_a_display
def test_live_without_a_display_says_so_and_prints():
    with live_command("--max-frames", "2") as process:
        output, errors = process.communicate()
    assert process.returncode == 0
    assert "no window: there is no display" in errors
    assert "--no-window" in errors
    assert "AU12" in output


@without_a_display
def test_live_window_that_is_asked_for_and_impossible_is_an_error():
    with live_command("--window") as process:
        output, errors = process.communicate()
    assert (process.returncode, output) == (1, "")
    assert errors.count("\n") == 1
    assert errors.startswith("pyfaceau: error: no window: there is no display")
    assert "--no-window" in errors


@pytest.mark.slow
def test_no_window_says_nothing():
    with live_command("--no-window", "--max-frames", "2") as process:
        output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert "AU12" in output


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no interrupt to one process")
def test_interrupt_ends_printing_and_still_reports():
    with live_command("--no-window") as process:
        assert "AU12" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "frames came" in output


def test_python_without_tkinter_is_told_what_to_install(monkeypatch):
    from pyfaceau.cli.window import WindowError

    monkeypatch.setitem(sys.modules, "tkinter", None)
    with pytest.raises(WindowError, match=r"no tkinter: .*apt install python3-tk"):
        Window("a test")
