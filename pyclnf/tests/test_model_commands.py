"""`pyclnf models`: what it prints and its exit statuses."""

from __future__ import annotations

import importlib.metadata

import pytest

from pyclnf import store as store_module
from pyclnf.cli import main
from pyclnf.models import OPEN_FOLDER, openface_store
from pyclnf.store import ENVIRONMENT_VARIABLE


@pytest.fixture(autouse=True)
def _no_models_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "models"))
    monkeypatch.setattr(store_module, "_user_data_folder", lambda: tmp_path / "no user data")


def status(*arguments: object) -> int:
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_the_command_is_declared():
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="pyclnf")
    assert script.value == "pyclnf.cli:main"


def test_list_shows_groups_folders_and_the_open_pack(capsys, tmp_path):
    assert status("models", "list") == 0
    output = capsys.readouterr().out
    assert "0 of 21" in output
    assert f"searched: {tmp_path / 'models'}" in output
    assert "`pyclnf models install` gets what is missing" in output
    assert str(OPEN_FOLDER) in output
    assert status("models", "list", "--files") == 0
    assert "main_clnf_general.txt" in capsys.readouterr().out


def test_install_shows_the_licence_and_asks_for_consent(capsys, tmp_path):
    assert status("models", "install") == 1
    output = capsys.readouterr()
    assert openface_store().manifest.licence_url in output.out
    assert "--accept-license" in output.err
    assert not (tmp_path / "models").exists()


def test_install_from_a_folder_and_verify(shared, capsys):
    source = shared / "openface/2.2.0/originals"
    arguments = ("models", "install", "--accept-license", "--group", "clnf", "--from", source)
    assert status(*arguments) == 0
    assert "21 files installed" in capsys.readouterr().out
    assert status("models", "verify", "--group", "clnf") == 0
    capsys.readouterr()
    assert status("models", "verify") == 1
    errors = capsys.readouterr().err
    assert "8 files are missing from clnf, ceclm" in errors
    assert "run `pyclnf models install`" in errors


def test_verify_names_a_wrong_file(shared, capsys):
    source = shared / "openface/2.2.0/originals"
    status("models", "install", "--accept-license", "--group", "clnf", "--from", source)
    wrong = openface_store().find("lib/local/LandmarkDetector/model/main_clnf_general.txt")
    wrong.write_bytes(wrong.read_bytes() + b" ")
    capsys.readouterr()
    assert status("models", "verify", "--group", "clnf") == 1
    assert f"{wrong} is not OpenFace 2.2.0's" in capsys.readouterr().err


def test_what_cannot_be_installed_is_said_line_by_line(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    arguments = ("models", "install", "--accept-license", "--group", "clnf", "--from", tmp_path / "empty")
    assert status(*arguments) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "pyclnf: error: 21 of 21 files could not be installed:"
    assert len(lines) == 22


@pytest.mark.parametrize(
    "arguments", [("models",), ("models", "install", "--from", "nowhere"), ("nonsense",)]
)
def test_wrong_usage_has_status_2(arguments):
    assert status(*arguments) == 2
