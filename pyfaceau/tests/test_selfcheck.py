"""The self-check of an installation: what passes, what fails, and what it cannot say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pyclnf import _core
from pyfaceau import selfcheck
from pyfaceau.cli.app import app

MODEL = "lib/local/LandmarkDetector/model"


@pytest.fixture(autouse=True)
def _no_models_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENFACE_MODELS_DIR", str(tmp_path))
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


def states() -> dict[str, str]:
    return {check.name: check.state for check in selfcheck.self_check()}


def linked_installation(shared: Path, folder: Path) -> Path:
    source, root = shared / "openface/2.2.0/originals", folder / "2.2.0/originals"
    for file in source.rglob("*"):
        if file.is_file():
            target = root / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(file)
    return root


@pytest.fixture
def every_instruction_set():
    before = _core.instruction_set()
    yield _core.instruction_sets()
    _core.use_instruction_set(before)


def changed(tmp_path: Path, monkeypatch, change) -> None:
    values = json.loads(selfcheck.EXPECTED.read_text())
    change(values["open"])
    path = tmp_path / "expected.json"
    path.write_text(json.dumps(values))
    monkeypatch.setattr(selfcheck, "EXPECTED", path)


@pytest.mark.slow
def test_open_models_give_the_stored_values_on_every_instruction_set(every_instruction_set):
    for name in every_instruction_set:
        _core.use_instruction_set(name)
        assert states() == {
            "open models": "passed",
            "OpenFace with CLNF": "not installed",
            "OpenFace with CE-CLM": "not installed",
        }


def test_openface_gives_the_stored_values(shared, monkeypatch):
    monkeypatch.setenv("OPENFACE_MODELS_DIR", str(shared / "openface"))
    assert states()["OpenFace with CLNF"] == "passed"


def test_ceclm_of_openface_has_no_stored_values_and_that_is_said(shared, tmp_path):
    """With small patch experts in place of OpenFace's."""
    folder = linked_installation(shared, tmp_path) / MODEL
    for file in (shared / "cen_fixture/patch_experts").iterdir():
        (folder / "patch_experts" / file.name).symlink_to(file)
    (folder / "early_term_cen_of.txt").unlink()
    (folder / "early_term_cen_of.txt").symlink_to(shared / "cen_fixture/early_term_cen_of.txt")
    (check,) = (check for check in selfcheck.self_check() if check.name == "OpenFace with CE-CLM")
    assert check.state == "no stored values"
    assert "never had these files" in str(check)


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values["landmarks"].__setitem__(30, [0.0, 0.0]),
        lambda values: values["pose"].__setitem__(4, values["pose"][4] + 0.02),
        lambda values: values["pose"].__setitem__(2, values["pose"][2] + 2.0),
        lambda values: values["intensities"].update(AU12=0.5),
        lambda values: values["presences"].update(dict.fromkeys(values["presences"], 1)),
        lambda values: values["intensities"].pop("AU45"),
        lambda values: values["pose"].__setitem__(0, float("nan")),
    ],
)
def test_other_values_fail(tmp_path, monkeypatch, change):
    changed(tmp_path, monkeypatch, change)
    assert states()["open models"] == "failed"


def test_a_portrait_without_a_face_fails(shared, tmp_path, monkeypatch):
    import cv2
    import numpy as np

    cv2.imwrite(str(tmp_path / "grey.png"), np.full((200, 200, 3), 90, np.uint8))
    monkeypatch.setattr(selfcheck, "DEMO_PORTRAIT", tmp_path / "grey.png")
    assert states()["open models"] == "failed"


def test_damaged_model_files_fail_with_their_name(shared, tmp_path):
    damaged = linked_installation(shared, tmp_path) / MODEL / "pdms/In-the-wild_aligned_PDM_68.txt"
    content = damaged.read_bytes()
    damaged.unlink()
    damaged.write_bytes(content[: len(content) // 2])
    (check,) = (check for check in selfcheck.self_check() if check.name == "OpenFace with CLNF")
    assert check.state == "failed"
    assert damaged.name in check.detail


def test_install_and_verify_end_with_the_self_check(shared, monkeypatch, tmp_path):
    source = ["--from", str(shared / "openface/2.2.0/originals")]
    groups = ["--group", "clnf", "--group", "au", "--group", "mtcnn"]
    result = CliRunner().invoke(app, ["models", "install", "--accept-license", *groups, *source])
    assert result.exit_code == 0, result.output
    assert "self-check, OpenFace with CLNF: passed" in result.output
    result = CliRunner().invoke(app, ["models", "verify", *groups])
    assert result.exit_code == 0, result.output
    assert "self-check, open models: passed" in result.output
    changed(tmp_path, monkeypatch, lambda values: values["intensities"].update(AU12=0.5))
    result = CliRunner().invoke(app, ["models", "verify", *groups])
    assert result.exit_code == 1
    assert "error: self-check, open models: failed" in result.output
