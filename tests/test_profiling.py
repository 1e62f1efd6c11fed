"""Where the time of an analysis goes: `Profile`, and `pyfaceau extract --profile`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from pyfaceau import FullPythonAUPipeline
from pyfaceau.cli.app import app
from pyfaceau.demo import DEMO_CLIP
from pyfaceau.profiling import Profile

FRAMES = 6


@pytest.fixture(scope="module")
def profiled() -> tuple[Profile, pd.DataFrame]:
    pipeline = FullPythonAUPipeline("open", threads=1)
    profile = Profile(pipeline)
    return profile, pipeline.process_video(DEMO_CLIP, max_frames=FRAMES, progress=False)


def test_each_stage_is_called_once_a_frame_and_the_detector_once(profiled):
    calls = {stage.name.strip(): stage.calls for stage in profiled[0].stages()}
    assert calls["face detection"] == 1
    assert calls["landmarks"] == FRAMES
    assert calls["pose, gaze, action units"] == FRAMES
    assert calls["HOG"] == FRAMES


def test_a_stage_takes_no_longer_than_what_it_is_part_of(profiled):
    total = {stage.name.strip(): stage.total for stage in profiled[0].stages()}
    assert 0 < total["patch responses"] < total["landmarks"]
    assert 0 < total["alignment and mask"] < total["action units"] < total["pose, gaze, action units"]


def test_the_numbers_are_those_of_an_unprofiled_analysis(profiled):
    plain = FullPythonAUPipeline("open", threads=1).process_video(
        DEMO_CLIP, max_frames=FRAMES, progress=False
    )
    pd.testing.assert_frame_equal(profiled[1], plain)


def test_what_was_measured_can_be_forgotten_and_several_faces_are_timed(tmp_path: Path):
    pipeline = FullPythonAUPipeline("open", threads=1, max_faces=2)
    profile = Profile(pipeline)
    pipeline.process_video(DEMO_CLIP, max_frames=2, progress=False)
    assert {stage.name for stage in profile.stages()} >= {"landmarks", "    HOG"}
    profile.clear()
    assert profile.stages() == []


@pytest.mark.filterwarnings("default")
def test_the_command_prints_a_line_for_each_stage(tmp_path: Path):
    arguments = [
        "extract",
        str(DEMO_CLIP),
        "-o",
        str(tmp_path),
        "--models",
        "open",
        "--max-frames",
        str(FRAMES),
    ]
    result = CliRunner().invoke(app, [*arguments, "--profile", "--quiet"])
    assert result.exit_code == 0, result.output
    lines = {line[:32].strip(): line[32:].split() for line in result.stdout.splitlines()}
    assert lines["stage"] == ["ms/frame", "calls/frame", "ms/call"]
    milliseconds, calls, _ = np.array(lines["landmarks"], float)
    assert milliseconds > 0
    assert calls == 1.0
