"""The video of a report: a copy where browsers do not play it, and plain words about what is missing."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from browsing import DESKTOP, PHONE, browsing
from made_up_recording import FRAMES, RATE, SIZE, SMILE, moving_face, write_film
from typer.testing import CliRunner

from pyfaceau.cli.app import app
from pyfaceau.demo import DEMO_CLIP, run_demo
from pyfaceau.errors import OutputError, VideoError
from pyfaceau.report import media, recording, write_report
from pyfaceau.report.media import copy_for_browsers, obstacle

WITHOUT_GEOMETRY = ["frame", "face_id", "timestamp", "confidence", "success", "AU12_r", "AU04_r"]


def old_film(path: Path, sound: bool = False) -> Path:
    """A video that browsers do not play: MPEG-4 Part 2, with or without AAC."""
    with av.open(str(path), "w") as video:
        pictures = video.add_stream("mpeg4", round(RATE), width=SIZE[0], height=SIZE[1], pix_fmt="yuv420p")
        heard = video.add_stream("aac", 44100, layout="mono") if sound else None
        for number in range(FRAMES):
            image = np.full((SIZE[1], SIZE[0], 3), 60 + number, np.uint8)
            video.mux(pictures.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        video.mux(pictures.encode(None))
        if heard is not None:
            silence = av.AudioFrame.from_ndarray(
                np.zeros((1, round(44100 * FRAMES / RATE)), np.int16), format="s16", layout="mono"
            )
            silence.sample_rate, silence.pts = 44100, 0
            video.mux([*heard.encode(silence), *heard.encode(None)])
    return path


def shown(path: Path) -> tuple[list[float], list[float]]:
    """Times and mean grey of the frames of a file."""
    with av.open(str(path)) as video:
        frames = [
            (frame.time, float(frame.to_ndarray(format="gray").mean())) for frame in video.decode(video=0)
        ]
    return [time for time, _ in frames], [grey for _, grey in frames]


def test_what_browsers_play_is_told_by_codec_container_and_colours(tmp_path):
    assert obstacle(write_film(tmp_path / "film.mp4", 3)) == ""
    (tmp_path / "film.mp4").rename(tmp_path / "film.data")
    assert obstacle(tmp_path / "film.data") == "H.264 in a file that does not end in .mp4 or .webm"
    assert obstacle(DEMO_CLIP) == "MPEG-4 part 2"
    with av.open(str(tmp_path / "deep.mp4"), "w") as video:
        stream = video.add_stream("libx264", 25, width=64, height=48, pix_fmt="yuv444p")
        video.mux([*stream.encode(av.VideoFrame(64, 48, "yuv444p")), *stream.encode(None)])
    assert obstacle(tmp_path / "deep.mp4") == "H.264 with colours stored as yuv444p"
    (tmp_path / "text.mp4").write_text("no video")
    assert obstacle(tmp_path / "text.mp4") == "no video that FFmpeg reads"
    assert obstacle(tmp_path) == "a folder of images"


def test_a_copy_has_the_frames_of_the_video_at_their_times(tmp_path):
    film = tmp_path / "odd.mkv"
    times = [0.0, 0.04, 0.08, 1.0, 1.04, 2.48]
    with av.open(str(film), "w") as video:
        stream = video.add_stream("ffv1", 25, width=63, height=47, pix_fmt="gray")
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((47, 63), 40 * number, np.uint8), format="gray")
            frame.time_base, frame.pts = Fraction(1, 25), round(25 * time)
            video.mux(stream.encode(frame))
        video.mux(stream.encode(None))
    copy_for_browsers(film, tmp_path / "copy.mp4")
    assert obstacle(tmp_path / "copy.mp4") == ""
    found, greys = shown(tmp_path / "copy.mp4")
    assert found == pytest.approx(times, abs=1e-3)
    assert greys == pytest.approx([40 * number for number in range(len(times))], abs=4)


def test_a_folder_of_images_is_copied_at_the_rate_that_it_is_analysed_with(tmp_path):
    (tmp_path / "images").mkdir()
    for number in range(3):
        side = 64 + 16 * number
        cv2.imwrite(str(tmp_path / f"images/{number}.png"), np.full((side, side, 3), 90, np.uint8))
    copy_for_browsers(tmp_path / "images", tmp_path / "copy.mp4")
    assert shown(tmp_path / "copy.mp4")[0] == pytest.approx([0, 1 / 30, 2 / 30], abs=1e-3)


def test_a_copy_never_replaces_the_video_and_leaves_nothing_half_done(tmp_path):
    film = old_film(tmp_path / "report_video.mp4")
    before = film.read_bytes()
    with pytest.raises(OutputError, match="is the video itself"):
        write_report(moving_face(), tmp_path / "report.html", video=film, copy=True)
    assert film.read_bytes() == before
    with pytest.raises(VideoError):
        copy_for_browsers(tmp_path / "none.avi", tmp_path / "copy.mp4")

    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_for_browsers(film, tmp_path / "copy.mp4", progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["report_video.mp4"]


def test_the_command_makes_a_page_that_plays_of_a_video_that_browsers_do_not(chromium, tmp_path):
    film = old_film(tmp_path / "old film.avi")
    moving_face().to_parquet(tmp_path / "r.parquet")
    arguments = [
        "report",
        str(tmp_path / "r.parquet"),
        "--video",
        str(film),
        "-o",
        str(tmp_path / "page.html"),
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert f"{tmp_path / 'page_video.mp4'}: copy of the video, which the page plays" in done.output
    with browsing(chromium, tmp_path / "page.html") as seen:
        seen.page.wait_for_selector("#video:not([hidden])")
        assert seen.page.evaluate("document.getElementById('video').error") is None
        assert "a copy, as browsers do not play old film.avi" in seen.text(".player")
        seen.page.focus("[role=slider]")
        seen.page.keyboard.press("PageDown")
        seen.page.wait_for_timeout(300)
        assert seen.frame() == SMILE[1] + 1
        at = seen.page.evaluate("document.getElementById('video').currentTime")
        assert at == pytest.approx((SMILE[1] + 0.5) / RATE)
        assert seen.errors == []
        assert seen.outside == []


@pytest.mark.parametrize("sound", [False, True])
def test_without_a_copy_the_page_says_why_nothing_plays_and_what_to_do(chromium, tmp_path, sound):
    film = old_film(tmp_path / "old.mp4", sound)
    done = write_report(moving_face(), tmp_path / "report.html", video=film)
    assert done.copy is None
    assert any("MPEG-4" in remark and "--copy" in remark for remark in done.remarks)
    with browsing(chromium, done.path) as seen:
        seen.page.wait_for_selector("#unplayable:not([hidden])")
        said = seen.text("#unplayable")
        assert "it is MPEG-4 part 2, which browsers do not play" in said
        assert "pyfaceau report RESULTS --video VIDEO" in said
        seen.page.click("#next")
        assert seen.frame() == SMILE[1] + 1
        assert seen.drawn() > 1000


def test_where_nothing_encodes_h264_there_is_no_copy_and_the_remark_says_what_to_install(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(recording, "h264_encoder", lambda: "")
    film = old_film(tmp_path / "old.mp4")
    done = write_report(moving_face(), tmp_path / "report.html", video=film, copy=True)
    assert done.copy is None
    assert any("pip install" in remark for remark in done.remarks)


def test_a_video_that_browsers_play_is_not_copied(tmp_path):
    film = write_film(tmp_path / "film.mp4")
    done = write_report(moving_face(), tmp_path / "report.html", video=film, copy=True)
    assert done.copy is None
    assert done.remarks == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "report.html"]


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_layers_that_the_table_lacks_are_named_with_the_command_that_brings_them(chromium, tmp_path, size):
    table = moving_face()[WITHOUT_GEOMETRY]
    table.attrs = moving_face().attrs
    film = write_film(tmp_path / "my film.mp4")
    done = write_report(table, tmp_path / "report.html", video=film)
    command = "pyfaceau extract 'my film.mp4' -o 'my film.parquet'"
    assert any(command in remark for remark in done.remarks)
    with browsing(chromium, done.path, size) as seen:
        assert seen.text("#lacking code") == command
        assert seen.text("#lacking").startswith("Not drawn: landmarks, head pose and gaze, because")
        assert seen.page.is_disabled("[data-show=landmarks]")
        assert seen.page.get_attribute("[data-show=landmarks]", "aria-describedby") == "lacking"
        assert seen.page.is_checked("[data-show=units]")
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.slow
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_the_page_of_the_demo_plays_with_everything_drawn(chromium, demo_page, size):
    with browsing(chromium, demo_page, size) as seen:
        page = seen.page
        page.wait_for_selector("#video:not([hidden])")
        page.click("#next")
        page.wait_for_timeout(300)
        assert seen.frame() > 1
        assert seen.errors == []  # before pixels are read back, of which Chromium warns
        whole = seen.drawn()
        for layer in ("landmarks", "box", "gaze", "units"):
            page.uncheck(f"[data-show={layer}]")
            less = seen.drawn()
            assert less < whole, layer
            whole = less
        assert page.query_selector("#lacking") is None
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert seen.outside == []


@pytest.fixture(scope="module")
def demo_page(tmp_path_factory) -> Path:
    report = run_demo(tmp_path_factory.mktemp("demo"), progress=False)
    assert media.obstacle(report.page.with_name("demo_report_video.mp4")) == ""
    return report.page
