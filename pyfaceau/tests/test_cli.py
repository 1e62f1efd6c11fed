"""The command line: exit statuses, one-line errors, and what is decided before any work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pyclnf.models import OPEN_FOLDER
from pyfaceau.cli.app import app
from pyfaceau.cli.jobs import plan_jobs
from pyfaceau.demo import DEMO_CLIP
from pyfaceau.models import OPEN_AU_FOLDER, openface_store


def run(*arguments: object, **environment: str):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=environment)


def place_installation(folder: Path) -> None:
    for file in openface_store().manifest.select("clnf"):
        path = folder / "2.2.0/originals" / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _targets(videos: list[Path], output: Path, format: str | None) -> list[Path]:
    return [job.target for job in plan_jobs(videos, output, format=format).jobs]


def test_one_video_may_go_to_a_named_file(tmp_path):
    assert _targets([Path("a/clip.mp4")], tmp_path / "out.CSV", "csv") == [tmp_path / "out.CSV"]


def test_several_videos_go_to_a_folder_that_is_created(tmp_path):
    targets = _targets([Path("a/one.mp4"), Path("b/two.avi")], tmp_path / "new", None)
    assert targets == [tmp_path / "new/one.csv", tmp_path / "new/two.csv"]
    assert (tmp_path / "new").is_dir()
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    ("videos", "output", "format", "reason"),
    [
        (["a/clip.mp4", "a/clip.avi"], "out", "csv", "would both be written"),
        (["a.mp4", "b.mp4"], "out.csv", "csv", "give a folder for 2 videos"),
        (["a.mp4"], "out.xlsx", None, r"written as \.csv or \.parquet"),
        (
            ["a.mp4"],
            "out.csv",
            "parquet",
            r"--format parquet writes \.parquet files, but the output is .*out\.csv",
        ),
        (["a.mp4"], "out.parquet", "openface", r"--format openface writes \.csv files"),
    ],
)
def test_outputs_that_cannot_be_are_refused_before_any_work(tmp_path, videos, output, format, reason):
    with pytest.raises(typer.BadParameter, match=reason):
        _targets([Path(video) for video in videos], tmp_path / output, format)


def test_output_below_a_file_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(typer.BadParameter, match="cannot be written"):
        _targets([Path("a.mp4")], tmp_path / "file" / "deeper", "csv")


def test_wrong_usage_has_status_2():
    assert run("extract").exit_code == 2
    assert run("extract", "clip.mp4").exit_code == 2
    assert run("nonsense").exit_code == 2
    assert run("models", "install", "--group", "nonsense").exit_code == 2
    assert run("models", "install", "--from", "no such folder").exit_code == 2


def test_version_is_shown():
    result = run("--version")
    assert (result.exit_code, result.output) == (0, "pyfaceau 2.0.0\n")


def test_install_without_consent_shows_the_licence_and_stops(tmp_path):
    result = run("models", "install", OPENFACE_MODELS_DIR=str(tmp_path))
    assert result.exit_code == 1
    assert "noncommercial" in result.output
    assert openface_store().manifest.licence_url in result.output
    assert "--accept-license" in result.output
    assert list(tmp_path.iterdir()) == []


def test_install_from_a_folder_without_the_files_has_a_line_for_each(tmp_path):
    (tmp_path / "source").mkdir()
    arguments = [
        "models",
        "install",
        "--accept-license",
        "--group",
        "mtcnn",
        "--from",
        str(tmp_path / "source"),
    ]
    process = subprocess.run(
        [sys.executable, "-c", "from pyfaceau.cli import main; main()", *arguments],
        cwd=tmp_path,
        env={**os.environ, "OPENFACE_MODELS_DIR": str(tmp_path / "target")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    errors = [line for line in process.stderr.splitlines() if "error" in line]
    assert errors[0] == "pyfaceau: error: 4 of 4 files could not be installed:"
    assert len(errors) == 5
    assert "ONet.dat is not in" in errors[2]
    assert "Traceback" not in process.stderr


def test_list_counts_files_by_group(tmp_path):
    place_installation(tmp_path)
    result = run("models", "list", OPENFACE_MODELS_DIR=str(tmp_path), COLUMNS="200")
    assert result.exit_code == 0
    assert "21 of 21" in result.output
    assert str(tmp_path) in result.output
    files = run("models", "list", "--files", OPENFACE_MODELS_DIR=str(tmp_path), COLUMNS="300")
    assert "main_clnf_general.txt" in files.output
    assert "missing" in files.output


def test_verify_names_wrong_files_and_has_status_1(tmp_path):
    place_installation(tmp_path)
    result = run("models", "verify", OPENFACE_MODELS_DIR=str(tmp_path), COLUMNS="200")
    assert result.exit_code == 1
    assert "main_clnf_general.txt is not OpenFace 2.2.0's" in result.output
    assert "`pyfaceau models install`" in result.output


def test_verify_has_status_1_when_files_are_missing(shared):
    environment = {"OPENFACE_MODELS_DIR": str(shared / "openface")}
    assert run("models", "verify", "--group", "clnf", "--group", "au", **environment).exit_code == 0
    result = run("models", "verify", **environment)
    assert result.exit_code == 1
    assert "4 files are missing" in result.output


def test_list_shows_the_open_models(tmp_path):
    output = run("models", "list", OPENFACE_MODELS_DIR=str(tmp_path)).output
    for folder in (OPEN_FOLDER, OPEN_AU_FOLDER):
        assert str(folder) in output


def test_install_from_the_reference_files_copies_and_checks_them(shared, tmp_path):
    source = shared / "openface/2.2.0/originals"
    arguments = (
        "models",
        "install",
        "--accept-license",
        "--group",
        "mtcnn",
        "--group",
        "au",
        "--from",
        source,
    )
    result = run(*arguments, OPENFACE_MODELS_DIR=str(tmp_path))
    assert result.exit_code == 0, result.output
    assert "66 files installed" in result.output
    again = run(*arguments, OPENFACE_MODELS_DIR=str(tmp_path))
    assert "0 files installed" in again.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("extract", str(DEMO_CLIP), "-o", "{folder}/r.csv"),
        ("batch", str(DEMO_CLIP), "-o", "{folder}/batch", "-q"),
        ("openface", "-f", str(DEMO_CLIP), "-out_dir", "{folder}/openface"),
        ("live", "--source", str(DEMO_CLIP), "--no-window"),
        ("demo", "-o", "{folder}/demo"),
    ],
)
def test_models_that_are_not_there_are_wrong_usage_in_every_command(tmp_path, arguments):
    filled = [each.format(folder=tmp_path) for each in arguments]
    done = run(*filled, "--models", tmp_path / "none")
    assert done.exit_code == 2, done.exception
    assert "models must be" in " ".join(done.output.replace("│", " ").split())
