"""The environment variable that chooses the instruction set of all compiled kernels."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import pyclnf
import pymtcnn

VARIABLE = "PYFACEAU_INSTRUCTION_SET"
PACKAGES = ("pyclnf", "pymtcnn")


def ask(package: str, folder: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Import a package in a fresh process and print which set it uses."""
    inherited = {name: value for name, value in os.environ.items() if name != VARIABLE}
    code = f"import {package}; print({package}.instruction_set())"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=inherited | environment,
    )


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("name", pyclnf.available_instruction_sets())
def test_the_variable_chooses_the_set(package, name, tmp_path):
    result = ask(package, tmp_path, **{VARIABLE: name})
    assert result.stdout == f"{name}\n", result.stderr


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("environment", [{}, {VARIABLE: ""}])
def test_without_a_choice_the_best_set_is_used(package, environment, tmp_path):
    result = ask(package, tmp_path, **environment)
    assert result.stdout == f"{pyclnf.available_instruction_sets()[-1]}\n", result.stderr


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("name", ["mmx", "AVX2", "NumPy"])
def test_a_set_that_the_machine_lacks_is_an_error_at_import(package, name, tmp_path):
    result = ask(package, tmp_path, **{VARIABLE: name})
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError")
    assert VARIABLE in last
    assert repr(name) in last
    for available in pyclnf.available_instruction_sets():
        assert available in last


def test_both_packages_know_the_same_sets():
    assert pyclnf.available_instruction_sets() == pymtcnn.available_instruction_sets()
    assert pyclnf.instruction_set() == pymtcnn.instruction_set()
    assert pyclnf.available_instruction_sets()[0] == "baseline"


def test_without_compiled_kernels_numpy_is_named(tmp_path):
    code = "import sys; sys.modules['pymtcnn._core'] = None; import pymtcnn; "
    code += "native, = (engine for engine in pymtcnn.available_backends() if engine.name == 'native'); "
    code += "print(pymtcnn.instruction_set(), pymtcnn.available_instruction_sets(), native.available)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert result.stdout == "numpy ('numpy',) False\n"
