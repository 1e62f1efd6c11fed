"""Overlays show the values of the table, beside the faces, in a video that plays."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest
from made_up_results import INTENSITIES, PRESENCES, SIZE, made_up_image, made_up_result
from typer.testing import CliRunner

from pyfaceau.cli.app import app
from pyfaceau.errors import OutputError
from pyfaceau.output import ResultTable, encoding
from pyfaceau.output.encoding import VideoEncoder
from pyfaceau.output.panel import FACE_COLOURS, FacePanel, Margin
from pyfaceau.overlay import OVERLAY_GROUPS, FaceShapes, write_overlay
from pyfaceau.video import FrameIterator

FRAMES = 6
UNITS = sorted({name[:4] for name in PRESENCES})


def results(faces: int = 1) -> list:
    return [made_up_result(n, face_id=face) for n in range(1, FRAMES + 1) for face in range(faces)]


def table_of(rows, include=OVERLAY_GROUPS, value: float = 0.0) -> pd.DataFrame:
    """A table whose final intensities are all `value`, whatever was predicted."""
    table = ResultTable(include, INTENSITIES, PRESENCES)
    for row in rows:
        table.append(row)
    n = len(table)
    return table.to_dataframe(np.full((n, len(INTENSITIES)), value), np.zeros((n, len(PRESENCES))))


def source(fps: float = 12.5) -> FrameIterator:
    return FrameIterator([made_up_image(n) for n in range(1, FRAMES + 1)], fps, "clip.mp4")


def frames_of(path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames


def blue_bars(frame: np.ndarray) -> int:
    """Px of the margin that have the colour of a bar."""
    blue, green, red = (frame[..., channel].astype(int) for channel in range(3))
    return int(((blue > 180) & (red < 110) & (green > 120) & (green < 210)).sum())


def test_bars_show_the_table_and_not_what_was_predicted_live(tmp_path):
    rows = results()
    assert all(max(row.au_intensities.values()) > 1 for row in rows)
    lengths = []
    for value in (0.0, 2.5, 5.0):
        write_overlay(source(), table_of(rows, value=value), tmp_path / "o.mp4")
        lengths.append(blue_bars(frames_of(tmp_path / "o.mp4")[2][:, -430:]))
    assert lengths[2] > 15_000
    assert np.array(lengths) / lengths[2] == pytest.approx([0, 0.5, 1], abs=0.05)


def test_overlay_has_the_frames_and_the_rate_of_its_source(tmp_path):
    done = write_overlay(source(), table_of(results()), tmp_path / "new" / "o.mp4")
    capture = cv2.VideoCapture(str(done.path))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(12.5)
    assert len(frames_of(done.path)) == done.frames == FRAMES
    assert [path.name for path in done.path.parent.iterdir()] == ["o.mp4"]


def test_frames_after_the_last_row_are_left_out_and_frames_without_a_row_stay(tmp_path):
    rows = [row for row in results() if row.frame in (1, 2, 4)]
    assert write_overlay(source(), table_of(rows), tmp_path / "o.mp4").frames == 4


def test_turned_and_thinned_videos_are_drawn_as_they_were_analysed(tmp_path):
    table = table_of([row for row in results() if row.frame % 2])
    table.attrs |= {"options": {"every": 2}, "rotated": 90}
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(1, FRAMES + 1):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((SIZE[1], SIZE[0], 3), 20 * number, np.uint8))
    write_overlay(folder, table, tmp_path / "o.mp4")
    capture = cv2.VideoCapture(str(tmp_path / "o.mp4"))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(15)  # folders have 30
    frames = frames_of(tmp_path / "o.mp4")
    assert [round(frame[10:60, 300:700].mean() / 20) for frame in frames] == [1, 3, 5]
    assert frames[0][700, 900].max() > 15  # the picture is upright: 640 x 480 px


def test_picture_is_beside_the_margin_and_only_landmarks_are_over_the_face(tmp_path):
    table = table_of(results(), include=("landmarks", "aus"), value=5.0)
    write_overlay(source(), table, tmp_path / "o.mp4")
    frame = frames_of(tmp_path / "o.mp4")[0]
    width = round(SIZE[1] * 720 / SIZE[0])  # enlarged to 720 px
    picture = frame[:, :width]
    face = picture[round(0.33 * 720) : round(0.67 * 720), round(0.36 * width) : round(0.64 * width)]
    grey = np.abs(face.astype(int) - 21).max(axis=2) < 30
    assert 0.75 < grey.mean() < 0.99
    assert blue_bars(picture) == 0
    assert blue_bars(frame[:, width:]) > 1000


@pytest.mark.slow
def test_shapes_of_the_analysis_are_drawn_where_the_table_has_none(tmp_path):
    rows, shapes = results(), FaceShapes()
    for row in rows:
        shapes.write(row, made_up_image())
    bare = table_of(rows, include=("aus",))
    write_overlay(source(), bare, tmp_path / "with.mp4", shapes=shapes)
    write_overlay(source(), table_of(rows), tmp_path / "table.mp4")
    write_overlay(source(), bare, tmp_path / "without.mp4")
    drawn = {path.stem: frames_of(path) for path in tmp_path.iterdir()}
    for one, other in zip(drawn["with"], drawn["table"], strict=True):
        assert np.abs(one.astype(int) - other).mean() < 0.5
    lit = {name: int((frames[3][:, :900].max(axis=2) > 120).sum()) for name, frames in drawn.items()}
    assert lit["with"] > lit["without"] + 3000


def test_shapes_know_the_videos_of_one_run_apart_and_refuse_other_tables(tmp_path):
    shapes = FaceShapes()
    for row in [*results(), *results()[:3]]:
        shapes.write(row, made_up_image())
    assert [len(shapes.part(number)) for number in (0, 1)] == [FRAMES, 3]
    with pytest.raises(ValueError, match="another analysis"):
        write_overlay(source(), table_of(results()), tmp_path / "o.mp4", shapes=shapes, part=1)
    assert not (tmp_path / "o.mp4").exists()


def test_each_face_of_a_frame_has_a_panel_and_a_number(tmp_path):
    table = table_of(results(faces=3), value=5.0)
    write_overlay(source(), table, tmp_path / "o.mp4")
    frame = frames_of(tmp_path / "o.mp4")[1]
    assert frame.shape[0] >= 1080  # small letters are readable
    for colour in FACE_COLOURS[:3]:
        near = np.abs(frame[:, 1450:].astype(int) - colour).max(axis=2) < 60
        assert near.sum() > 20


def test_box_around_a_near_head_is_whole(tmp_path):
    rows = results()
    for row in rows:
        row.pose[:] = (0, 0, 190, 0, 0, 0)  # its cube would be 1111 px wide in a frame of 640
    write_overlay(source(), table_of(rows, include=("pose", "landmarks")), tmp_path / "o.mp4")
    frame = frames_of(tmp_path / "o.mp4")[0].astype(int)
    box = (frame[..., 0] > 150) & (frame[..., 2] < 110)
    top, bottom = np.flatnonzero(box.sum(axis=1) > 250)[[0, -1]]
    assert top > 0
    assert bottom < len(frame) - 1


def test_units_that_are_hints_are_grey():
    face = {0: FacePanel(0, True, 0.9, {"AU04_r": 5.0}, {"AU04_c": 1.0})}
    plain, hint = (Margin(720, 1, ["AU04"], hints).draw(["a"], face) for hints in ((), ("AU04",)))
    assert blue_bars(plain) > 500
    assert blue_bars(hint) == 0
    assert (np.ptp(hint[80:200], axis=2) > 60).sum() < (np.ptp(plain[80:200], axis=2) > 60).sum()


def test_margin_says_when_there_is_no_face():
    lost = Margin(720, 1, UNITS).draw(["a"], {0: FacePanel(0, False, 0.0, {"AU12_r": 4.0}, {})})
    assert blue_bars(lost) == 0


def test_without_an_encoder_for_h264_the_video_is_written_and_the_advice_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(encoding, "h264_encoder", lambda: "")
    done = write_overlay(source(), table_of(results()), tmp_path / "o.mp4")
    assert done.codec == "MPEG-4 Part 2"
    assert "pip install --force-reinstall" in done.advice
    assert len(frames_of(done.path)) == FRAMES


def test_h264_is_written_that_browsers_play(tmp_path):
    encoder = VideoEncoder(tmp_path / "o.mp4", 25.0, (64, 48))
    for level in range(5):
        encoder.write(np.full((48, 64, 3), 40 * level, np.uint8))
    encoder.close()
    assert encoder.codec == "H.264"
    data = (tmp_path / "o.mp4").read_bytes()
    assert b"avc1" in data
    assert data.index(b"moov") < data.index(b"mdat")  # a browser can begin at once
    levels = [frame.mean() for frame in frames_of(tmp_path / "o.mp4")]
    assert levels == pytest.approx([0, 40, 80, 120, 160], abs=4)


def times_of(path) -> list[float]:
    with av.open(str(path)) as video:
        return [frame.time for frame in video.decode(video=0)]


def test_frames_are_shown_at_the_times_that_they_come_with(tmp_path):
    times = [0.0, 0.04, 0.5, 0.5, 1.25]
    encoder = VideoEncoder(tmp_path / "o.mp4", 25.0, (64, 48))
    for time in times:
        encoder.write(np.zeros((48, 64, 3), np.uint8), time)
    encoder.close()
    assert times_of(tmp_path / "o.mp4") == pytest.approx(
        times, abs=1e-4
    )  # a time that does not rise is moved on


@pytest.mark.parametrize("size", [(1 << 15, 2), (2, 1 << 15)])
def test_a_size_that_the_encoder_refuses_is_an_error_and_leaves_nothing(tmp_path, size):
    with pytest.raises(OutputError, match=r"o\.mp4: cannot be written"):
        VideoEncoder(tmp_path / "o.mp4", 25.0, size)
    assert list(tmp_path.iterdir()) == []


def test_overlay_is_an_mp4_or_an_error(tmp_path):
    with pytest.raises(OutputError, match=r"written as \.mp4"):
        write_overlay(source(), table_of(results()), tmp_path / "o.avi")
    with pytest.raises(ValueError, match="no column 'frame'"):
        write_overlay(source(), pd.DataFrame({"a": [1]}), tmp_path / "o.mp4")


TONE = 0.6  # s; where a tone begins
RATE = 44100


def _with_sound(path: Path, codec: str, start: float) -> Path:
    """A video of `FRAMES` frames at 5 frames/s whose first frame is shown at `start`, with a tone from `TONE` s on."""
    with av.open(f"file:{path}", "w", format="matroska") as video:
        pictures = video.add_stream("mpeg4", 5, width=SIZE[1], height=SIZE[0], pix_fmt="yuv420p")
        sound = video.add_stream(codec, RATE, layout="mono")
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(made_up_image(number + 1), format="bgr24")
            frame.time_base, frame.pts = Fraction(1, 1000), round(1000 * (start + number / 5))
            video.mux(pictures.encode(frame))
        video.mux(pictures.encode(None))
        clock = np.arange(round(RATE * (start + FRAMES / 5 + 1))) / RATE - start
        tone = np.where(clock >= TONE, 20000 * np.sin(2 * np.pi * 440 * clock), 0).astype(np.int16)
        heard = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
        heard.sample_rate, heard.pts, heard.time_base = RATE, 0, Fraction(1, RATE)
        video.mux(sound.encode(heard))
        video.mux(sound.encode(None))
    return path


def sound_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Times and loudness of the sound of a file."""
    with av.open(str(path)) as video:
        assert video.streams.audio[0].codec_context.name == "aac"
        frames = list(video.decode(audio=0))
    loudness = [np.abs(frame.to_ndarray()[0].astype(float)) for frame in frames]
    times = [frame.time + np.arange(frame.samples) / frame.sample_rate for frame in frames]
    return np.concatenate(times), np.concatenate(loudness)


@pytest.mark.parametrize("start", [0.0, 2.0])
@pytest.mark.parametrize(("codec", "said"), [("aac", "copied"), ("pcm_s16le", "encoded as AAC")])
def test_the_command_keeps_the_sound_in_step(tmp_path, codec, said, start):
    video = _with_sound(tmp_path / "-odd: name.mkv", codec, start)
    table_of(results()).to_parquet(tmp_path / "r.parquet")
    arguments = [
        "overlay",
        "-o",
        str(tmp_path / "o.mp4"),
        "-q",
        "--",
        str(video),
        str(tmp_path / "r.parquet"),
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert f"sound {said}" in done.stdout
    assert times_of(tmp_path / "o.mp4") == pytest.approx(np.arange(FRAMES) / 5, abs=1e-3)
    times, loudness = sound_of(tmp_path / "o.mp4")
    assert times[np.argmax(loudness > 0.2 * loudness.max())] == pytest.approx(TONE, abs=0.03)
    assert times[-1] < FRAMES / 5 + 0.1  # it ends with the picture
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 2
    assert "--force" in again.output


def test_a_video_without_sound_has_none_in_its_overlay(tmp_path):
    encoder = VideoEncoder(tmp_path / "v.mp4", 5, SIZE[::-1])
    for number in range(1, FRAMES + 1):
        encoder.write(made_up_image(number))
    encoder.close()
    done = write_overlay(tmp_path / "v.mp4", table_of(results()), tmp_path / "o.mp4")
    assert done.sound == ""


def test_sound_that_cannot_be_read_is_left_out(tmp_path):
    (tmp_path / "noise.mkv").write_bytes(bytes(range(256)) * 40)
    encoder = VideoEncoder(tmp_path / "o.mp4", 5, SIZE[::-1], tmp_path / "noise.mkv")
    encoder.write(made_up_image(1))
    encoder.close()
    assert encoder.sound == "left out"
    assert len(times_of(tmp_path / "o.mp4")) == 1


def test_damaged_sound_is_silence_from_there_on_and_every_frame_is_there(tmp_path):
    video = _with_sound(tmp_path / "damaged.mkv", "flac", 0.0)
    data = bytearray(video.read_bytes())
    with av.open(str(video)) as opened:
        sound = [packet.pos for packet in opened.demux(audio=0) if packet.pos]
    for place in sound[len(sound) // 2 :]:
        data[place + 20 : place + 400] = bytes(380)
    video.write_bytes(data)
    encoder = VideoEncoder(tmp_path / "o.mp4", 5, SIZE[::-1], video)
    for number in range(FRAMES):
        encoder.write(made_up_image(number + 1))
    encoder.close()
    assert len(times_of(tmp_path / "o.mp4")) == FRAMES


def test_frames_of_another_size_are_refused(tmp_path):
    encoder = VideoEncoder(tmp_path / "o.mp4", 5, (64, 48))
    with pytest.raises(ValueError, match=r"frames are \(64, 48\), got \(48, 64\)"):
        encoder.write(np.zeros((64, 48, 3), np.uint8))
    encoder.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error_that_names_the_file_and_leaves_nothing(tmp_path):
    resource = pytest.importorskip("resource", reason="needs a system that limits the size of files")
    noise = np.random.default_rng(0).integers(0, 256, (10, 480, 640, 3), np.uint8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    encoder = VideoEncoder(tmp_path / "o.mp4", 25, (640, 480))
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"o\.mp4: cannot be written \(.+\)"):
            _write_all(encoder, noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def _write_all(encoder: VideoEncoder, frames: np.ndarray) -> None:
    for frame in frames:
        encoder.write(frame)
    encoder.close()
