"""Scripts written for earlier versions go on, with a warning, or meet a message that says what to write."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from made_up_results import made_up_result

import pyfaceau
from pyclnf import MissingModelError
from pyfaceau import FullPythonAUPipeline, OpenFaceProcessor, ensure_models, process_videos
from pyfaceau.demo import DEMO_CLIP
from pyfaceau.migration import old_progress

# The clips of these tests are short.
pytestmark = pytest.mark.filterwarnings("ignore::pyfaceau.errors.ShortSequenceWarning")
FRAMES = 3


@pytest.fixture(scope="module")
def pipeline() -> FullPythonAUPipeline:
    return FullPythonAUPipeline(models="open")


@pytest.fixture
def clip(tmp_path):
    """The first frames of the demo clip, as a folder of images."""
    import cv2

    folder = tmp_path / "clip"
    folder.mkdir()
    video = cv2.VideoCapture(str(DEMO_CLIP))
    for number in range(FRAMES):
        cv2.imwrite(str(folder / f"{number:03d}.png"), video.read()[1])
    video.release()
    return folder


def test_old_argument_names_of_process_video_work_with_a_warning(pipeline, clip):
    seen: list[tuple[int, int, float]] = []
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        table = pipeline.process_video(video_path=str(clip), progress_callback=lambda *at: seen.append(at))
    assert "'video_path' is now 'path'" in str(told[0].message)
    assert "'progress_callback' is now 'progress'" in str(told[1].message)
    assert len(table) == FRAMES
    assert [at[:2] for at in seen] == [(n, FRAMES) for n in range(1, FRAMES + 1)]
    assert all(rate > 0 for *_, rate in seen)


def test_unknown_arguments_are_still_refused(pipeline, clip):
    with pytest.raises(TypeError, match=r"process_video.*'vidio'"):
        pipeline.process_video(vidio=str(clip))
    with pytest.raises(TypeError, match="'modles'"):
        FullPythonAUPipeline(modles="open")


def test_old_constructor_arguments_are_translated():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        made = FullPythonAUPipeline(models="open", force_au_model_type="static", verbose=False)
    assert made.options.au_models == "static"
    assert [each.category for each in told] == [DeprecationWarning] * 2
    with pytest.raises(TypeError, match="pass the folder of OpenFace's models as models=FOLDER"):
        FullPythonAUPipeline(pdm_file="weights/pdm.txt")


def test_warnings_name_the_line_of_the_caller(pipeline, clip):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        pipeline.process_video(video_path=str(clip), progress=False)
        FullPythonAUPipeline(models="open", verbose=True)
        pipeline.process_frame(np.zeros((120, 160, 3), np.uint8), frame_num=7)
        made_up_result()["success"]
    told = [each for each in told if each.category is DeprecationWarning]
    assert len(told) == 4
    assert {os.path.basename(each.filename) for each in told} == {os.path.basename(__file__)}


def test_results_can_be_read_like_the_old_dictionaries():
    result = made_up_result(4)
    with pytest.warns(DeprecationWarning, match=r"result\['success'\] is now result\.tracked"):
        assert result["success"] is True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert result["au_intensities"]["AU12"] == result["AU12_r"] == result.au_intensities["AU12"]
        assert result["landmarks_2d"].shape == (68, 2)
        assert result["frame"] == 4
        with pytest.raises(KeyError, match="a FrameResult has attributes"):
            result["aligned"]
    with pytest.raises(TypeError, match="not iterable"):
        list(result)


def test_process_frame_takes_the_old_frame_number(pipeline):
    pipeline.reset()
    with pytest.warns(DeprecationWarning, match="'frame_num' of pyfaceau 1.x is ignored"):
        result = pipeline.process_frame(np.zeros((120, 160, 3), np.uint8), frame_num=7)
    assert result.frame == 1


def test_processor_writes_a_table_and_counts_frames_with_a_face(clip, tmp_path):
    processor = OpenFaceProcessor(models="open", verbose=False, num_threads=6)
    told: list[int] = []
    count = processor.process_video(clip, tmp_path / "o.csv", lambda done, total, rate: told.append(done))
    table = pd.read_csv(tmp_path / "o.csv")
    assert count == (table["success"] == 1).sum() == FRAMES
    assert told == [1, 2, 3]
    processor.clear_cache()


@pytest.mark.slow
def test_process_videos_takes_every_video_of_a_folder_and_names_bad_ones(tmp_path):
    os.link(DEMO_CLIP, tmp_path / "good.mp4") if os.stat(DEMO_CLIP).st_dev == os.stat(tmp_path).st_dev else (
        tmp_path / "good.mp4"
    ).write_bytes(DEMO_CLIP.read_bytes())
    (tmp_path / "bad.mp4").write_bytes(b"not a video")
    (tmp_path / "notes.txt").write_text("")
    with pytest.warns(UserWarning, match=r"bad\.mp4.*the other videos go on"):
        assert process_videos(tmp_path, models="open") == 1
    assert [path.name for path in sorted((tmp_path / "pyfaceau").glob("*.csv"))] == ["good.csv"]
    with pytest.raises(NotADirectoryError):
        process_videos(tmp_path / "none")


def test_a_fit_that_is_taken_for_a_pair_says_what_it_is():
    with pytest.raises(TypeError, match=r"one FaceFit, not \(landmarks, info\); use fit\.landmarks"):
        _landmarks, _info = made_up_result().fit


def test_names_that_are_gone_say_what_to_use():
    with pytest.raises(AttributeError, match="use FullPythonAUPipeline"):
        pyfaceau.ParallelAUPipeline  # noqa: B018
    with pytest.raises(AttributeError, match="pyfaceau models install"):
        pyfaceau.download_weights  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute 'never_was'"):
        pyfaceau.never_was  # noqa: B018


def test_ensure_models_asks_for_the_licence_where_models_are_missing(tmp_path, monkeypatch):
    for variable in ("OPENFACE_MODELS_DIR", "HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path))
    with pytest.raises(MissingModelError, match="accept_license=True"):
        ensure_models()


def test_old_progress_reports_a_rate():
    told: list[tuple[int, int, float]] = []
    report = old_progress(lambda *values: told.append(values))
    report(5, None)
    assert told[0][:2] == (5, 0)
    assert told[0][2] > 0


def run(*arguments: str, folder) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pyfaceau", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.slow
def test_a_video_without_a_command_is_extracted_and_quiet_means_quiet(clip, tmp_path):
    done = run(str(clip), "-o", "out", "--models", "open", "-q", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "clip.csv").is_file()
    done = run("clip", "--models", "open", "-q", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "clip.csv").is_file()
    wrong = run("no-such-file.mp4", folder=tmp_path)
    assert wrong.returncode == 2
    assert "no-such-file.mp4" in wrong.stderr
