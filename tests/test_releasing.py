"""What a release needs to agree, and the bars of coverage."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("pyfhog", "pymtcnn", "pyclnf", "pyfaceau")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """The parts of the repository that a release looks at, agreeing on 3.1.0."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "release_check.py", tmp_path / ".ci")
    for package in PACKAGES:
        folder = tmp_path / package / package
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text('"""A package."""\n\n__version__ = "3.1.0"\n')
    (tmp_path / "CITATION.cff").write_text("title: x\nversion: 3.1.0\nlicense: MIT\n")
    (tmp_path / "CHANGELOG.md").write_text("# Changes\n\n## 3.1.0 (2027-03-01)\n\n- All.\n")
    return tmp_path


def check(root: Path, tag: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / ".ci" / "release_check.py"), tag]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_release_whose_parts_agree_passes(release: Path) -> None:
    assert check(release, "v3.1.0").returncode == 0


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        ("pymtcnn/pymtcnn/__init__.py", "3.1.0", "3.0.9", "pymtcnn has version 3.0.9"),
        ("CITATION.cff", "3.1.0", "3.1.00", "CITATION.cff"),
        ("CHANGELOG.md", "3.1.0 (2027-03-01)", "Unreleased", "CHANGELOG.md"),
    ],
)
def test_what_disagrees_is_named(release: Path, file: str, before: str, after: str, said: str) -> None:
    path = release / file
    path.write_text(path.read_text().replace(before, after))
    done = check(release, "v3.1.0")
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("tag", ["3.1.0", "v3.1", "v3.1.0-final"])
def test_other_tags_are_refused(release: Path, tag: str) -> None:
    done = check(release, tag)
    assert done.returncode == 1
    assert "not a tag of a release" in done.stderr


def test_the_four_packages_and_the_citation_have_one_version() -> None:
    versions = {package: __import__(package).__version__ for package in PACKAGES}
    assert len(set(versions.values())) == 1, versions
    assert f"\nversion: {versions['pyfaceau']}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("lines", "branches", "status"), [(90, 85, 0), (89, 85, 1), (90, 84, 1), (100, 100, 0)]
)
def test_coverage_below_a_bar_fails(tmp_path: Path, lines: int, branches: int, status: int) -> None:
    totals = {
        "covered_lines": lines,
        "num_statements": 100,
        "covered_branches": branches,
        "num_branches": 100,
    }
    report = tmp_path / "coverage.json"
    report.write_text(json.dumps({"totals": totals}))
    command = [sys.executable, str(ROOT / ".ci" / "coverage_bars.py"), str(report)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert done.stdout.count("BELOW") == (lines < 90) + (branches < 85)
