"""The demo: the open models find the action units that its clip is known to move."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from pyfaceau.action_units import AU_NAMES
from pyfaceau.cli.app import app
from pyfaceau.demo import DEMO_CLIP, DEMO_TRUTH, DemoReport, run_demo
from pyfaceau.models import OPEN_AU_FOLDER
from pyfaceau.prediction.files import read_au_models
from pyfaceau.quality import model_quality

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> DemoReport:
    return run_demo(tmp_path_factory.mktemp("demo"), progress=False)


def frames_of(path) -> int:
    reader = cv2.VideoCapture(str(path))
    count = 0
    while reader.read()[0]:
        count += 1
    return count


def test_clip_is_small_and_has_a_truth_for_every_frame():
    truth = pd.read_csv(DEMO_TRUTH)
    assert DEMO_CLIP.stat().st_size <= 2_000_000
    assert frames_of(DEMO_CLIP) == len(truth) >= 8 * 25
    units = truth.filter(like="AU")
    assert ((units >= 0) & (units <= 5)).all(axis=None)
    assert (units.max() > 2).all()


def test_every_unit_that_the_clip_moves_is_recovered(report):
    truth = pd.read_csv(DEMO_TRUTH)
    assert set(report.correlations) == {c.removesuffix("_r") for c in truth if c.startswith("AU")}
    weak = {name: round(r, 3) for name, r in report.correlations.items() if not r >= 0.9}
    assert not weak


def test_face_is_tracked_all_the_time(report):
    assert report.tracked == 1.0
    assert report.models == "open"


def test_results_are_written(report):
    assert len(pd.read_csv(report.csv)) == report.frames == frames_of(report.overlay)
    assert cv2.imread(str(report.plot)) is not None


def test_table_names_every_unit_and_file(report):
    text = report.table()
    assert all(name in text for name in report.correlations)
    assert all(str(path) in text for path in (report.csv, report.plot, report.overlay, report.page))


def test_all_units_are_shown_and_what_the_demo_is_no_evidence_of(report):
    text = report.table()
    assert not set(report.others) & set(report.correlations)
    assert len(report.others) + len(report.correlations) == 17
    for unit in report.others:
        assert f"{unit} {AU_NAMES[unit]}" in text
    assert "no evidence of how good the models are" in text
    assert all(
        f"{unit} {AU_NAMES[unit]} (hint)" in text for unit, each in model_quality().items() if each.hint
    )


def test_the_command_says_what_keeps_it_from_its_work(tmp_path):
    (tmp_path / "file").touch()
    blocked = CliRunner().invoke(app, ["demo", "-o", str(tmp_path / "file"), "-q"])
    assert blocked.exit_code == 1
    assert "cannot be written" in blocked.output


@pytest.mark.parametrize("view", ["dynamic", "static"])
def test_open_models_are_complete(view):
    models = read_au_models(OPEN_AU_FOLDER / f"main_{view}_svms.txt").models
    assert sum(m.intensity for m in models) == 17
    assert sum(not m.intensity for m in models) == 18
    assert {m.dynamic for m in models} == {view == "dynamic"}
    assert all(m.weights.shape == (4702,) and np.isfinite(m.weights).all() for m in models)
