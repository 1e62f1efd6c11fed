"""A program that uses pyfaceau, frozen by PyInstaller without options, runs where there is no Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import pyclnf

pytest.importorskip("PyInstaller", reason="needs PyInstaller")
if any((Path(pyclnf.__file__).parents[1] / name).exists() for name in ("CMakeLists.txt", "pyproject.toml")):
    pytest.skip("PyInstaller cannot see into editable installations", allow_module_level=True)

APP = """
import sys
from pyfaceau import FullPythonAUPipeline
from pyfaceau.cli import main

assert FullPythonAUPipeline
sys.argv[1:] = ["demo", "--output", sys.argv[1]]
sys.exit(main())
"""


@pytest.mark.slow
def test_a_frozen_program_analyses_the_demo_clip_with_an_empty_path(tmp_path):
    program = tmp_path / "app.py"
    program.write_text(APP)
    made = subprocess.run(
        [sys.executable, "-m", "PyInstaller", "--noconfirm", str(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-3000:]
    (frozen,) = (path for path in (tmp_path / "dist/app").iterdir() if path.stem == "app")
    results = tmp_path / "results"
    ran = subprocess.run(
        [str(frozen), str(results)],
        cwd=tmp_path,
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    (table,) = Path(results).glob("*.csv")
    assert len(table.read_text().splitlines()) == 451
