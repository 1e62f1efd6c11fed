"""From a video to files: what `pyfaceau extract` and `process_video` leave behind."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from faceless import FACELESS_FRAMES
from typer.testing import CliRunner

from pyclnf.download import sha256_of
from pyfaceau import read_table
from pyfaceau.cli.app import app
from pyfaceau.errors import ProcessingError
from pyfaceau.models import choose_models


def extract(*arguments: object):
    return CliRunner().invoke(app, ["extract", *map(str, arguments), "--quiet"])


def options(choice: dict[str, str]) -> tuple[str, ...]:
    return ("--models", choice["models"], "--landmarks", choice["landmarks"])


@pytest.fixture
def broken_folder(tmp_path: Path) -> Path:
    """Three images, of which the last is not one."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("1.png", "2.png"):
        cv2.imwrite(str(folder / name), np.full((48, 64, 3), 90, np.uint8))
    (folder / "3.png").write_text("not an image")
    return folder


def test_result_file_has_a_row_a_frame_and_names_its_models(tmp_path, choice, faceless_video):
    result = extract(faceless_video, "-o", tmp_path, "--include", "pose,landmarks,aus", *options(choice))
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "faceless.csv")
    assert table["frame"].tolist() == list(range(1, FACELESS_FRAMES + 1))
    np.testing.assert_allclose(table["timestamp"], np.arange(FACELESS_FRAMES) / 25)
    assert {"pose_Rz", "x_0", "y_67", "AU45_r", "AU28_c"} <= set(table.columns)
    origin = json.loads((tmp_path / "faceless.csv.json").read_text())
    files = choose_models(**choice).files()
    assert sorted(origin["model_sha256"].values()) == sorted(sha256_of(path) for path in files)
    assert not any(Path(name).is_absolute() for name in origin["model_sha256"])


def test_max_frames_ends_early(tmp_path, choice, faceless_video):
    result = extract(faceless_video, "-o", tmp_path / "few.csv", "--max-frames", 2, *options(choice))
    assert result.exit_code == 0, result.output
    assert len(pd.read_csv(tmp_path / "few.csv")) == 2


def test_unknown_column_group_is_wrong_usage(tmp_path, choice, faceless_video):
    result = extract(faceless_video, "-o", tmp_path, "--include", "gazes", *options(choice))
    assert result.exit_code == 2
    assert "gazes" in result.output


def test_frames_before_a_failure_are_kept(tmp_path, choice, broken_folder):
    result = extract(broken_folder, "-o", tmp_path / "out", *options(choice))
    assert result.exit_code == 1
    assert "3.png: not an image" in result.output
    assert "images.partial.csv" in result.output
    assert pd.read_csv(tmp_path / "out" / "images.partial.csv")["frame"].tolist() == [1, 2]
    assert not (tmp_path / "out" / "images.csv").exists()


def test_frames_before_a_failure_are_handed_over_in_python(pipeline, broken_folder):
    with pytest.raises(ProcessingError, match=r"3\.png") as caught:
        pipeline.process_video(broken_folder, progress=False)
    assert caught.value.partial["frame"].tolist() == [1, 2]


def test_progress_is_reported_after_every_frame(pipeline, faceless_video):
    steps: list[tuple[int, int | None]] = []
    pipeline.process_video(faceless_video, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(index, FACELESS_FRAMES) for index in range(1, FACELESS_FRAMES + 1)]


def test_video_gives_the_same_result_again(pipeline, shared):
    tables = [
        pipeline.process_video(shared / "media/default.wmv", max_frames=8, progress=False) for _ in range(2)
    ]
    assert tables[0]["success"].all()
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize(
    ("name", "more", "drawn"),
    [
        ("r.parquet", (), True),
        ("folder", ("--format", "parquet"), True),
        ("r.csv", (), False),
        ("r.parquet", ("--include", "aus"), False),
    ],
)
def test_parquet_has_what_the_report_draws_unless_columns_are_named(
    tmp_path, choice, faceless_video, name, more, drawn
):
    result = extract(faceless_video, "-o", tmp_path / name, "--max-frames", 2, *more, *options(choice))
    assert result.exit_code == 0, result.output
    (file,) = (path for path in tmp_path.rglob("*.*") if path.suffix in (".csv", ".parquet"))
    table = read_table(file)
    assert ({"x_0", "y_67", "gaze_angle_x"} <= set(table.columns)) is drawn
    assert table.attrs["options"]["include"] == list(
        ("gaze", "pose", "landmarks", "aus") if drawn else ("aus",) if more else ("pose", "aus")
    )
