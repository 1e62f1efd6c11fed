"""What a new user meets first: photographs, gaps, short clips, time stamps, side outputs that fail."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from pyclnf.models import OPEN_FOLDER
from pyfaceau import (
    FullPythonAUPipeline,
    InputWarning,
    MissingColumnsWarning,
    ShortSequenceWarning,
    SideOutputWarning,
    TimestampWarning,
    TrackedVideoSink,
    VideoError,
)
from pyfaceau.cli.app import app
from pyfaceau.demo import DEMO_CLIP
from pyfaceau.video import VideoFrame, open_video

N = 30


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(DEMO_CLIP))
    images = [cv2.resize(capture.read()[1], None, fx=0.75, fy=0.75) for _ in range(N)]
    capture.release()
    return images


@pytest.fixture(scope="module")
def clip(frames, tmp_path_factory) -> Path:
    """A face, then nobody for eight frames, then the face again."""
    path = tmp_path_factory.mktemp("clip") / "gap.avi"
    size = (frames[0].shape[1], frames[0].shape[0])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, size)
    for number, image in enumerate(frames):
        writer.write(np.full_like(image, 90) if 12 <= number < 20 else image)
    writer.release()
    return path


@pytest.fixture(scope="module")
def album(frames, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("album")
    cv2.imwrite(str(folder / "anna.png"), frames[0])
    cv2.imwrite(str(folder / "pair.png"), np.hstack([frames[0], frames[20]]))
    cv2.imwrite(str(folder / "wall.png"), np.full((200, 200, 3), 90, np.uint8))
    return folder


def extract(choice, *arguments: object):
    options = ("--models", choice["models"], "--landmarks", choice["landmarks"])
    return CliRunner().invoke(app, ["extract", *map(str, arguments), *options])


def units(table: pd.DataFrame, suffix: str = "r") -> list[str]:
    return [name for name in table if name.startswith("AU") and name.endswith(f"_{suffix}")]


def test_photographs_are_one_table_with_the_files_names_and_static_values(pipeline, album, frames):
    table = pipeline.process_images(album, progress=False)
    assert table["input"].tolist() == ["anna.png", "pair.png", "pair.png"]
    assert table["face_id"].tolist() == [0, 0, 1]
    assert list(table.columns[:4]) == ["input", "face_id", "confidence", "success"]
    (alone,) = pipeline.process_image(frames[0])
    assert table.loc[0, units(table)].tolist() == [alone.au_intensities[name[:4]] for name in units(table)]
    assert table[units(table)].max(axis=None) > 0.3
    assert table.attrs["without_face"] == ["wall.png"]
    assert table.attrs["au_models"] == "static"
    json.dumps(table.attrs)


def test_photographs_on_the_command_line_get_static_models(pipeline, choice, album, tmp_path):
    result = extract(choice, album, "-o", tmp_path / "photos.csv")
    assert result.exit_code == 0, result.output
    assert "3 photographs, 3 faces; no face in wall.png" in result.output
    assert "are taken for single photographs" in result.output
    written = pd.read_csv(tmp_path / "photos.csv")
    expected = pipeline.process_images(album, progress=False)
    np.testing.assert_allclose(written[units(written)], expected[units(expected)], rtol=1e-6)
    single = extract(choice, album / "anna.png", "-o", tmp_path, "-q")
    assert single.exit_code == 0, single.output
    assert pd.read_csv(tmp_path / "anna.csv")["input"].tolist() == ["anna.png"]


def test_photograph_that_cannot_be_read_is_named_and_the_others_go_on(pipeline, album, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_text("not an image")
    with pytest.warns(InputWarning, match=r"broken\.png: not an image that can be decoded; passed over"):
        table = pipeline.process_images([broken, album / "anna.png"], progress=False)
    assert len(table) == 1
    assert [*table.attrs["failed"].values()] == ["not an image that can be decoded"]
    with pytest.warns(InputWarning), pytest.raises(VideoError, match="no other photograph"):
        pipeline.process_images([broken], progress=False)
    with pytest.raises(VideoError, match="there is no photograph"):
        pipeline.process_images([], progress=False)


def test_a_single_image_is_not_taken_for_a_video(pipeline, album):
    with pytest.raises(VideoError, match="use process_images"):
        pipeline.process_video(album / "anna.png", progress=False)


def test_short_dynamic_sequence_warns_and_says_so_in_the_record(pipeline, choice, frames):
    with pytest.warns(ShortSequenceWarning, match="seen in 5 frames"):
        table = pipeline.process_frames(frames[:5], fps=25.0)
    assert table.attrs["short_sequence"] == {"0": 5}


@pytest.mark.filterwarnings("error::pyfaceau.errors.ShortSequenceWarning")
def test_static_models_baselines_and_tables_without_units_do_not_warn(pipeline, choice, frames):
    static = FullPythonAUPipeline(**choice, au_models="static")
    assert "short_sequence" not in static.process_frames(frames[:5], fps=25.0).attrs
    pipeline.process_frames(frames[:5], fps=25.0, include=("pose",))
    with pipeline.run(baseline=(1, 3)) as run:
        for frame in frames[:5]:
            run.process(frame)
        assert "short_sequence" not in run.finish().attrs


def test_gaps_are_empty_and_nothing_leaks_into_them(pipeline, clip, tmp_path):
    table = pipeline.process_video(
        clip, tmp_path / "gap.csv", progress=False, include=("pose", "landmarks", "aus")
    )
    gone = table["success"] == 0
    assert 6 <= gone.sum() <= 8
    assert table.loc[gone, table.columns[5:]].isna().all(axis=None)
    assert table.loc[~gone, "pose_Tx":"y_67"].notna().all(axis=None)
    assert {str(table[name].dtype) for name in units(table, "c")} == {"Int64"}
    lines = (tmp_path / "gap.csv").read_text().splitlines()
    assert lines[15].endswith("," * (len(table.columns) - 5))
    read = pd.read_csv(tmp_path / "gap.csv")
    np.testing.assert_allclose(read["AU12_r"].mean(), table["AU12_r"].mean(), rtol=1e-6)


def test_openfaces_format_keeps_openfaces_values_in_gaps(pipeline, clip):
    ours = pipeline.process_video(clip, progress=False)
    theirs = pipeline.process_video(clip, progress=False, include="openface")
    gone = (ours["success"] == 0).to_numpy()
    assert (theirs.loc[gone, units(theirs)].iloc[2:-2] == 0).all(axis=None)
    assert theirs.loc[gone, units(theirs)].notna().all(axis=None)
    assert (theirs.loc[gone, "gaze_0_x"] == 0).all()
    assert (theirs[units(theirs)].dtypes == np.float64).all()
    np.testing.assert_array_equal(theirs.loc[~gone, "pose_Tx"], ours.loc[~gone, "pose_Tx"])
    seen = ours["AU12_r"].notna().to_numpy()
    np.testing.assert_array_equal(theirs.loc[seen, "AU12_r"], ours.loc[seen, "AU12_r"])


def test_gaze_that_models_cannot_give_is_absent_with_one_warning(frames, tmp_path):
    shutil.copytree(OPEN_FOLDER, tmp_path / "eyeless", ignore=shutil.ignore_patterns("eyes*"))
    landmarks = tmp_path / "eyeless/main_ceclm_general.txt"
    pipeline = FullPythonAUPipeline(models="open", landmarks=landmarks, include=("gaze", "pose"))
    with pytest.warns(
        MissingColumnsWarning, match="no eye models; the table has no columns of gaze"
    ) as caught:
        table = pipeline.process_frames(frames[:2], fps=25.0)
    assert len(caught) == 1
    assert not [name for name in table if name.startswith("gaze")]
    assert table.attrs["left_out"] == ["gaze"]


class Irregular:
    """A source whose container shows its frames at odd times."""

    name, fps, n_frames, has_clock = "odd.mp4", 25.0, None, True

    def __init__(self, images) -> None:
        self.images = images

    def __iter__(self):
        for number, image in enumerate(self.images, start=1):
            yield VideoFrame(number, (number - 1) / 25 + (number > 4), image)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("timestamps", ["container", "frames"])
def test_irregular_time_stamps_are_kept_and_warned_of(choice, frames, timestamps):
    pipeline = FullPythonAUPipeline(**choice, include=("pose",), timestamps=timestamps)
    with pipeline.run() as run:
        with pytest.warns(TimestampWarning, match="by up to 1.000 s"):
            run.analyse(Irregular(frames[:6]))
        table = run.finish()
    late = 1.0 if timestamps == "container" else 0.0
    np.testing.assert_allclose(table["timestamp"], [0, 0.04, 0.08, 0.12, 0.16 + late, 0.2 + late])
    assert table.attrs["timestamps"] == {"from": timestamps, "differ_from_frame_rate_s": 1.0}


def test_every_third_frame_keeps_its_number_and_time(choice, pipeline, frames, clip):
    third = FullPythonAUPipeline(**choice, every=3)
    table = third.process_video(clip, progress=False, max_frames=11)
    assert table["frame"].tolist() == [1, 4, 7, 10]
    np.testing.assert_allclose(table["timestamp"], [0, 0.12, 0.24, 0.36])
    assert table.attrs["options"]["every"] == 3
    with open_video(clip) as source:
        images = [frame.image for frame in source][:11:3]
    expected = pipeline.process_frames(images, fps=25 / 3)
    np.testing.assert_array_equal(table[units(table)], expected[units(expected)])


@pytest.mark.parametrize("codec", ["avc1", "H264"])
def test_tracked_video_that_cannot_be_written_does_not_end_the_run(shared, frames, tmp_path, codec):
    for number, image in enumerate(frames[:5]):
        (tmp_path / "clip").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / f"clip/{number:03d}.png"), image)
    command = [
        "openface",
        "-fdir",
        str(tmp_path / "clip"),
        "-out_dir",
        str(tmp_path / "out"),
        "-tracked",
        "-pose",
    ]
    with pytest.warns(SideOutputWarning, match=f"cannot write {codec}"):
        result = CliRunner().invoke(
            app,
            [*command, "-oc", codec, "--models", str(shared / "openface"), "-mloc", "main_clnf_general.txt"],
        )
    assert result.exit_code == 0, result.output
    assert len(pd.read_csv(tmp_path / "out/clip.csv")) == 5
    record = json.loads((tmp_path / "out/clip.csv.json").read_text())
    assert "clip.avi" in record["side_outputs_failed"]


def test_side_output_that_fails_half_way_is_given_up_alone(pipeline, frames, tmp_path):
    class Full:
        path = tmp_path / "full.bin"

        def __init__(self) -> None:
            self.written, self.discarded = 0, 0

        def write(self, result, image) -> None:
            self.written += 1
            if self.written == 3:
                raise OSError(28, "No space left on device")

        def close(self) -> None:
            raise AssertionError("it was given up")

        def discard(self) -> None:
            self.discarded += 1

    full, video = Full(), TrackedVideoSink(tmp_path / "good.avi", 25.0)
    with pytest.warns(SideOutputWarning, match="No space left on device; the analysis goes on"):
        table = pipeline.process_frames(frames[:6], fps=25.0, sinks=[full, video])
    assert len(table) == 6
    assert (full.written, full.discarded) == (3, 1)
    assert list(table.attrs["side_outputs_failed"]) == ["full.bin"]
    assert cv2.VideoCapture(str(tmp_path / "good.avi")).get(cv2.CAP_PROP_FRAME_COUNT) == 6


def test_baseline_camera_and_wild_reach_the_analysis(choice, pipeline, clip, tmp_path):
    arguments = ("--baseline", "1:10", "--fx", 400, "--fy", 400, "--cx", 100, "--cy", 120, "--every", 2)
    result = extract(choice, clip, "-o", tmp_path / "out.csv", *arguments, "--wild", "--max-frames", 12, "-q")
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "out.csv.json").read_text())
    assert record["baseline"]["frames"] == [1, 10]
    assert record["camera"] == {"fx": 400.0, "fy": 400.0, "cx": 100.0, "cy": 120.0, "guessed": []}
    assert record["options"]["wild"] is True
    again = extract(choice, clip, "-o", tmp_path / "out.csv")
    assert again.exit_code == 2
    assert "--force" in again.output


def test_folder_of_videos_is_analysed_into_the_same_tree(choice, clip, tmp_path):
    for name in ("s1/rest.avi", "s2/rest.avi"):
        (tmp_path / "in" / name).parent.mkdir(parents=True)
        (tmp_path / "in" / name).write_bytes(clip.read_bytes())
    result = extract(
        choice, tmp_path / "in", "-o", tmp_path / "out", "--max-frames", 2, "--include", "pose", "-q"
    )
    assert result.exit_code == 0, result.output
    assert (
        len(pd.read_csv(tmp_path / "out/s1/rest.csv")) == len(pd.read_csv(tmp_path / "out/s2/rest.csv")) == 2
    )


def test_verbose_shows_models_and_decoder(choice, clip, tmp_path, caplog):
    options = ("--models", choice["models"], "--landmarks", choice["landmarks"], "--max-frames", "2")
    with caplog.at_level("DEBUG", logger="pyfaceau"):
        result = CliRunner().invoke(app, ["-v", "extract", str(clip), "-o", str(tmp_path), *options])
    assert result.exit_code == 0, result.output
    assert "landmarks: " in caplog.text
    assert "decoded by" in caplog.text
