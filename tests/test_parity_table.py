"""The command that prints the table of comparisons."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

import pyclnf

PARITY = Path(__file__).parent / "parity"
sys.path.insert(0, str(PARITY))
from table import Row  # noqa: E402


def test_tables_name_their_instruction_set_and_are_written_as_json(shared, tmp_path):
    result = subprocess.run(
        [sys.executable, str(PARITY), "stage_mtcnn", "--every-set", "--json", str(tmp_path / "rows.json")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYFACEAU_SHARED": str(shared)},
    )
    assert result.returncode == 0, result.stderr
    names = pyclnf.available_instruction_sets()
    headers = [
        line for line in result.stdout.splitlines() if line.startswith("Kernels of the instruction set")
    ]
    assert [line.rstrip(".").split()[-1] for line in headers] == list(names)
    for name in names:
        written = json.loads((tmp_path / f"rows-{name}.json").read_text(encoding="utf-8"))
        assert written["instruction_set"] == name
        assert [row["passed"] for row in written["rows"]] == [True, True]


def test_verdicts_that_numpy_gave_can_be_written_as_json():
    row = Row("a stage", "<= 1", "0.5", np.float32(0.5) <= 1)
    assert json.loads(json.dumps(asdict(row)))["passed"] is True
