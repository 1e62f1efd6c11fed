"""`pyfaceau verify`: what it says where an installation reproduces the stored values, and where not."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from pyfaceau import selfcheck
from pyfaceau.citing import CITATIONS, citations
from pyfaceau.cli.app import app
from pyfaceau.provenance import versions


@pytest.fixture(autouse=True)
def _no_models_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENFACE_MODELS_DIR", str(tmp_path))
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


@pytest.mark.slow
def test_this_installation_reproduces_the_stored_values():
    run = CliRunner().invoke(app, ["verify"])
    assert run.exit_code == 0, run.output
    assert "this installation reproduces the reference: yes, worst difference: " in run.stdout
    assert "self-check, OpenFace with CE-CLM: not installed" in run.stdout
    paragraph = run.stdout.split("For a methods section:")[1]
    for name in ("pyfaceau", "numpy"):
        assert versions()[name] in paragraph
    assert "which are not OpenFace's" in paragraph
    assert all(work in paragraph for work in citations("ceclm"))
    assert CITATIONS["clnf"] not in paragraph


@pytest.mark.slow
def test_differences_are_told_and_end_with_status_1(monkeypatch, tmp_path):
    values = json.loads(selfcheck.EXPECTED.read_text())
    values["open-clip"]["intensities"]["AU12"] = [
        value + 3 for value in values["open-clip"]["intensities"]["AU12"]
    ]
    path = tmp_path / "expected.json"
    path.write_text(json.dumps(values))
    monkeypatch.setattr(selfcheck, "EXPECTED", path)
    run = CliRunner().invoke(app, ["verify", "--json"])
    assert run.exit_code == 1
    record = json.loads(run.stdout)
    assert record["reproduces"] is False
    assert record["worst"] == {"models": "open", "figure": "intensities"}
    (check,) = (each for each in record["checks"] if each["models"] == "open")
    assert check["state"] == "failed"
    assert check["figures"]["intensities"]["difference"] == pytest.approx(3 / 17, abs=0.03)
    assert record["methods"] == ""
    assert record["versions"] == versions()


def test_openfaces_models_reproduce_theirs(shared, monkeypatch):
    monkeypatch.setenv("OPENFACE_MODELS_DIR", str(shared / "openface"))
    run = CliRunner().invoke(app, ["verify", "--json"])
    assert run.exit_code == 0, run.output
    record = json.loads(run.stdout)
    states = {check["models"]: check["state"] for check in record["checks"]}
    assert states == {"open": "passed", "openface-clnf": "passed", "openface-ceclm": "not installed"}
    assert "the models of OpenFace 2.2.0" in record["methods"]
    assert CITATIONS["clnf"] in record["citations"]
