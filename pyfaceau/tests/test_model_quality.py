"""How good the open models are is said where they are used."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from pyfaceau import AU_NAMES, FullPythonAUPipeline, model_quality, plot_table
from pyfaceau.cli.app import app
from pyfaceau.errors import OutputError
from pyfaceau.output import write_table
from pyfaceau.quality import hint_units, quality_record, quality_table

FRAMES = 40


def test_every_open_unit_has_figures_and_a_name():
    pipeline = FullPythonAUPipeline(models="open")
    units = [name.removesuffix("_r") for name in pipeline.au_intensity_names]
    assert sorted(model_quality()) == units
    assert {*units, "AU28"} == set(AU_NAMES)
    for each in model_quality().values():
        figures = (each.openface, each.mediapipe, each.people_left_out, each.drawn_faces_left_out)
        assert all(r is None or -1 <= r <= 1 for r in figures)


def test_units_that_follow_no_reference_are_hints():
    for each in model_quality().values():
        assert each.hint == (each.openface is None or each.openface < 0.2)
    assert 0 < len(hint_units("open")) < 9


def test_other_models_have_no_such_figures():
    assert quality_record("openface") == {}
    assert hint_units("openface") == ()


def test_sidecar_holds_the_figures_of_each_unit_and_the_hints(tmp_path):
    image = np.full((120, 160, 3), 90, np.uint8)
    table = FullPythonAUPipeline(models="open").process_frames([image] * 2, fps=25.0)
    write_table(table, tmp_path / "t.csv")
    record = json.loads((tmp_path / "t.csv.json").read_text())
    assert record["hints"] == list(hint_units("open"))
    assert set(record["au_quality"]) == set(model_quality())
    assert record["au_quality"]["AU12"]["openface"] == model_quality()["AU12"].openface


def test_models_list_shows_the_figures_of_each_unit():
    shown = CliRunner().invoke(app, ["models", "list"])
    assert shown.exit_code == 0
    assert quality_table() in shown.output
    assert "AU12 Lip corner puller" in shown.output
    assert shown.output.count("hint only") == len(hint_units("open"))


def table(faces: int = 1) -> pd.DataFrame:
    frames = np.repeat(np.arange(1, FRAMES + 1), faces)
    wave = 2.5 + 2 * np.sin(frames / 3)
    made = pd.DataFrame({"frame": frames, "face_id": np.tile(np.arange(faces), FRAMES)})
    made["timestamp"] = (frames - 1) / 25
    made["success"] = 1
    made["AU04_r"], made["AU12_r"] = wave, wave
    return made


def coloured(path) -> float:
    """Share of px of the plot that are red."""
    import cv2

    image = cv2.imread(str(path)).astype(int)
    return float((image[..., 2] - image[..., 0] > 80).mean())


def test_hints_are_grey_in_plots(tmp_path):
    plain, hinted = table(), table()
    hinted.attrs["hints"] = ["AU04"]
    red = [coloured(plot_table(each, tmp_path / f"{n}.png")) for n, each in enumerate((plain, hinted))]
    assert red[1] == pytest.approx(red[0] / 2, rel=0.2)
    hinted.attrs["hints"] = ["AU04", "AU12"]
    assert coloured(plot_table(hinted, tmp_path / "all.png")) == 0


def test_plots_leave_gaps_where_there_is_no_face(tmp_path):
    whole, gaps = table(), table()
    gaps.loc[gaps["frame"] > FRAMES // 2, "success"] = 0
    red = [coloured(plot_table(each, tmp_path / f"{n}.png")) for n, each in enumerate((whole, gaps))]
    assert 0.3 < red[1] / red[0] < 0.7


def test_plot_of_several_faces_and_what_cannot_be_plotted(tmp_path):
    assert plot_table(table(faces=3), tmp_path / "new" / "p.png").stat().st_size > 10_000
    with pytest.raises(ValueError, match="no intensities"):
        plot_table(table()[["frame"]], tmp_path / "p.png")
    with pytest.raises(OutputError, match="written as"):
        plot_table(table(), tmp_path / "p.txt")
