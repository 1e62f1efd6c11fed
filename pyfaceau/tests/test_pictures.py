"""`pyfaceau extract --overlay --plot`: pictures beside the tables, and no end of the run where one fails."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pandas as pd
import pytest

from pyfaceau.demo import DEMO_CLIP

FRAMES = 5


def extract(*arguments: str, folder) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pyfaceau", "extract", *arguments, "--models", "open", "-q"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.slow
def test_overlay_and_plot_stand_beside_the_table(tmp_path):
    done = extract(
        str(DEMO_CLIP), "-o", "out", "--max-frames", str(FRAMES), "--overlay", "--plot", folder=tmp_path
    )
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {
        "demo.csv",
        "demo.csv.json",
        "demo_overlay.mp4",
        "demo_plot.png",
    }
    assert "demo_overlay.mp4" in done.stdout
    assert "demo_plot.png" in done.stdout
    video = cv2.VideoCapture(str(out / "demo_overlay.mp4"))
    frames = []
    while (read := video.read())[0]:
        frames.append(read[1])
    assert len(frames) == FRAMES
    assert video.get(cv2.CAP_PROP_FPS) == 25
    # Landmarks are drawn though the table has none.
    assert "x_0" not in pd.read_csv(out / "demo.csv")
    colours = frames[2][:, :600].astype(int)
    assert (np.abs(colours - (60, 220, 255)).max(axis=2) < 50).sum() > 300


@pytest.mark.slow
def test_a_picture_that_fails_is_a_warning_and_the_table_is_there(tmp_path):
    (tmp_path / "out" / "demo_overlay.mp4").mkdir(parents=True)  # a folder is in its place
    (tmp_path / "out" / "demo_overlay.mp4" / "x").write_text("")
    done = extract(str(DEMO_CLIP), "-o", "out", "--max-frames", "3", "--overlay", folder=tmp_path)
    assert done.returncode == 0
    assert "warning: no overlay" in done.stderr
    assert len(pd.read_csv(tmp_path / "out" / "demo.csv")) == 3
