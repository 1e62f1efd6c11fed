"""What the site's sources and the notebooks must hold; `nox -s docs` builds the one and runs the others."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((REPOSITORY / "examples").glob("*.ipynb"))
LARGEST = 20_000  # bytes of a notebook: without outputs


@pytest.mark.parametrize("package", ["pyfhog", "pymtcnn", "pyclnf", "pyfaceau"])
def test_reference_lists_every_public_name_of_a_package(package):
    page = (REPOSITORY / f"docs/reference/{package}.rst").read_text(encoding="utf-8")
    listed = set(re.findall(r"\w+", page))
    module = importlib.import_module(package)
    missing = {name for name in module.__all__ if not name.startswith("__")} - listed
    assert not missing


@pytest.mark.parametrize("package", ["pyfhog", "pymtcnn", "pyclnf", "pyfaceau"])
def test_reference_lists_nothing_that_is_not_there(package):
    page = (REPOSITORY / f"docs/reference/{package}.rst").read_text(encoding="utf-8")
    module = package
    for line in page.splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.rpartition(" ")[2]
        elif re.fullmatch(r"   \w+", line):
            found = getattr(importlib.import_module(module), line.strip())
            assert inspect.getdoc(found), line


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_kept_without_outputs_and_its_code_compiles(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert path.stat().st_size < LARGEST
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(code) >= 5
    for cell in code:
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        compile("".join(cell["source"]), path.name, "exec")


def test_every_notebook_is_on_the_page_of_tutorials():
    page = (REPOSITORY / "docs/tutorials.md").read_text(encoding="utf-8")
    assert re.findall(r"^examples/(\w+)$", page, re.MULTILINE)
    assert {path.stem for path in NOTEBOOKS} == set(re.findall(r"^examples/(\w+)$", page, re.MULTILINE))


def test_every_page_is_reached_from_a_table_of_contents():
    sources = [*(REPOSITORY / "docs").glob("*.md"), REPOSITORY / "docs/reference/index.md"]
    lines = "\n".join(path.read_text(encoding="utf-8") for path in sources).splitlines()
    pages = {path.stem for path in (REPOSITORY / "docs").glob("*.md")} - {"index"}
    assert pages <= {line.partition("<")[2].rstrip(">") or line for line in lines}
