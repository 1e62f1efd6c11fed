"""``-wild`` against the C++ built from OpenFace 2.2's sources, on the sample media with the CLNF model.

The figures in ``data/openface_wild.npz`` are what FeatureExtraction and FaceLandmarkImg printed with ``-wild`` (GCC 12,
-O2, OpenCV 4.6); no models or media are in it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pyfaceau.cli.app import app
from pyfaceau.output import read_openface_csv

pytestmark = pytest.mark.parity

REFERENCE = Path(__file__).parent / "data" / "openface_wild.npz"
# Name, options of its input, and mean abs differences that are allowed: those of the tests without -wild.
CASES = {
    "image_sequence": ("FeatureExtraction", "-fdir", "image_sequence", 0.03),
    "sample1": ("FaceLandmarkImg", "-f", "sample1.jpg", 0.04),
    "sample3": ("FaceLandmarkImg", "-f", "sample3.jpg", 0.04),
}


@pytest.mark.parametrize("name", CASES)
def test_settings_for_difficult_images_give_what_the_reference_gives(shared, tmp_path, name):
    program, option, media, units = CASES[name]
    line = [
        "openface",
        program,
        option,
        str(shared / "media" / media),
        "-out_dir",
        str(tmp_path),
        "-wild",
        "-q",
    ]
    models = ["--models", str(shared / "openface"), "-mloc", "main_clnf_general.txt"]
    result = CliRunner().invoke(app, [*line, "-2Dfp", "-pose", "-gaze", "-aus", *models])
    assert result.exit_code == 0, result.output
    with np.load(REFERENCE, allow_pickle=False) as stored:
        columns, gold = [str(column) for column in stored[f"{name}.columns"]], stored[name]
    ours = read_openface_csv(tmp_path / f"{name}.csv")[columns].to_numpy(np.float64)
    assert ours.shape == gold.shape

    def gap(pattern: str) -> np.ndarray:
        chosen = [index for index, column in enumerate(columns) if re.fullmatch(pattern, column)]
        assert chosen
        return np.abs(ours - gold)[:, chosen]

    if program == "FeatureExtraction":
        assert not gap("success").any()
    assert gap(r"[xy]_\d+").mean() <= 0.1
    assert gap(r"[xy]_\d+").max() <= 1
    assert gap("pose_T.").mean() <= 0.1
    assert gap("pose_R.").mean() <= 0.001
    assert gap("gaze_.*").mean() <= 0.002
    assert gap(r"AU.*_r").mean() <= units
    assert gap(r"AU.*_c").mean() <= (0.02 if len(ours) > 1 else 0.06)  # one of 18


def test_without_the_option_the_landmarks_are_others(shared):
    """So that the figures above say something."""
    from pyfaceau import FullPythonAUPipeline

    pipeline = FullPythonAUPipeline(shared / "openface", "clnf")
    (face,) = pipeline.process_image(shared / "media/sample3.jpg")
    with np.load(REFERENCE, allow_pickle=False) as stored:
        columns, gold = [str(column) for column in stored["sample3.columns"]], stored["sample3"][0]
    x = gold[[columns.index(f"x_{point}") for point in range(68)]]
    assert np.abs(face.landmarks[:, 0] - x).mean() > 0.2
