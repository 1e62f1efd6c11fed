"""Bad input, end to end: what is wrong, with which file, and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from faceless import FACELESS_FRAMES

from pyclnf.errors import MissingModelError
from pyfaceau import FullPythonAUPipeline
from pyfaceau.cli.errors import FORESEEN
from pyfaceau.errors import VideoError

MODEL = "lib/local/LandmarkDetector/model"


def command(*arguments: object, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from pyfaceau.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, **environment},
    )


def linked_installation(shared: Path, folder: Path) -> Path:
    """An installation whose files are links to the reference's, so that single ones can be replaced."""
    originals = shared / "openface/2.2.0/originals"
    for path in originals.rglob("*"):
        if path.is_file():
            link = folder / path.relative_to(originals)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    return folder


@pytest.mark.parametrize(
    "name",
    [
        f"{MODEL}/main_clnf_general.txt",
        f"{MODEL}/clnf_general.txt",
        f"{MODEL}/pdms/In-the-wild_aligned_PDM_68.txt",
        f"{MODEL}/patch_experts/ccnf_patches_0.35_general.txt",
        f"{MODEL}/model_eye/patch_experts/ccnf_patches_1.00_synth_lid_.txt",
        f"{MODEL}/detection_validation/validator_cnn.txt",
        f"{MODEL}/mtcnn_detector/RNet.dat",
        "lib/local/FaceAnalyser/AU_predictors/svr_combined/AU_12_static_intensity_comb.dat",
        "lib/local/FaceAnalyser/AU_predictors/tris_68_full.txt",
    ],
)
def test_truncated_model_file_is_named(shared, tmp_path, name):
    damaged = linked_installation(shared, tmp_path) / name
    content = damaged.read_bytes()
    damaged.unlink()
    damaged.write_bytes(content[: len(content) // 3])
    with pytest.raises(FORESEEN, match=damaged.name):
        FullPythonAUPipeline(models=tmp_path, landmarks="clnf")


def test_missing_models_name_the_one_command_to_run(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENFACE_MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(MissingModelError, match="`pyfaceau models install`"):
        FullPythonAUPipeline(models="openface")


def test_missing_cen_files_are_named_and_clnf_is_suggested(shared, monkeypatch):
    monkeypatch.setenv("OPENFACE_MODELS_DIR", str(shared / "openface"))
    with pytest.raises(MissingModelError) as caught:
        FullPythonAUPipeline(models="openface", landmarks="ceclm")
    for part in ("4 model files are missing", "cen_patches_0.25_of.dat", '"clnf" is installed'):
        assert part in str(caught.value)


def test_wrong_hash_is_found_by_verify(shared, tmp_path):
    name = f"{MODEL}/pdms/In-the-wild_aligned_PDM_68.txt"
    path = linked_installation(shared, tmp_path / "2.2.0/originals") / name
    content = path.read_text()
    path.unlink()
    path.write_text(content.replace("1", "2", 1))
    result = command("models", "verify", folder=tmp_path, OPENFACE_MODELS_DIR=str(tmp_path))
    assert result.returncode == 1
    assert name in result.stderr


def test_text_file_named_mp4_is_one_line_and_status_1(tmp_path, choice):
    (tmp_path / "notes.mp4").write_text("This is a text.\n" * 100)
    options = ("--models", choice["models"], "--landmarks", choice["landmarks"])
    result = command("extract", "notes.mp4", "-o", "out", *options, folder=tmp_path)
    assert result.returncode == 1
    assert [line for line in result.stderr.splitlines() if not line.startswith(("pyclnf", "pyfaceau."))] == [
        "pyfaceau: error: notes.mp4: not a video that can be decoded (is it damaged, or not a video?)"
    ]
    assert list((tmp_path / "out").iterdir()) == []


def test_good_videos_are_written_although_another_one_fails(tmp_path, choice, faceless_video):
    (tmp_path / "notes.mp4").write_text("This is a text.\n" * 100)
    options = ("--models", choice["models"], "--landmarks", choice["landmarks"], "--quiet")
    videos = ("notes.mp4", faceless_video, "gone.mp4")
    result = command("extract", *videos, "-o", "out", *options, folder=tmp_path)
    assert result.returncode == 1
    assert "gone.mp4: no such file" in result.stderr
    assert len(pd.read_csv(tmp_path / "out" / "faceless.csv")) == FACELESS_FRAMES


def test_wrong_models_argument_is_wrong_usage(tmp_path, faceless_video):
    result = command("extract", faceless_video, "-o", "out", "--models", "opnface", folder=tmp_path)
    assert result.returncode == 2
    assert "opnface" in result.stderr


def test_video_without_a_face_gives_a_row_a_frame_and_no_success(pipeline, faceless_video):
    table = pipeline.process_video(faceless_video, progress=False)
    assert table["frame"].tolist() == list(range(1, FACELESS_FRAMES + 1))
    assert table["success"].tolist() == [0] * FACELESS_FRAMES
    assert (table["confidence"] == 0).all()
    assert table.filter(regex=r"^(AU\d\d_[rc]|pose_.*)$").isna().all(axis=None)


def test_video_of_zero_frames_is_refused(pipeline, tmp_path):
    path = tmp_path / "none.avi"
    cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48)).release()
    with pytest.raises(VideoError, match=r"none\.avi"):
        pipeline.process_video(path, progress=False)


def result_of(pipeline: FullPythonAUPipeline, image: np.ndarray):
    pipeline.reset()
    return pipeline.process_frame(image)


def test_16_bit_image_gives_the_result_of_its_8_bit_twin(pipeline, shared):
    deep = cv2.imread(str(shared / "media/sample3_16bit_rgb.png"), cv2.IMREAD_UNCHANGED)
    assert deep.dtype == np.uint16
    shallow = np.minimum(np.rint(deep / 256), 255).astype(np.uint8)
    results = [result_of(pipeline, image) for image in (deep, shallow)]
    assert results[0].tracked
    np.testing.assert_array_equal(results[0].landmarks, results[1].landmarks)
    assert results[0].au_intensities == results[1].au_intensities


def test_grey_image_gives_the_result_of_its_three_channel_twin(pipeline, shared):
    grey = cv2.imread(str(shared / "media/sample3.jpg"), cv2.IMREAD_GRAYSCALE)
    results = [result_of(pipeline, image) for image in (grey, cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))]
    assert results[0].tracked
    np.testing.assert_array_equal(results[0].landmarks, results[1].landmarks)


def test_image_of_floats_is_refused_with_what_to_pass(pipeline):
    with pytest.raises(TypeError, match="uint8 or uint16"):
        pipeline.process_frame(np.zeros((48, 64, 3)))
