"""The picture of the code in the docs, and the layers that it shows."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def drawing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_architecture", ROOT / "docs" / "draw_architecture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_what_the_code_looks_like(drawing: ModuleType) -> None:
    drawn = (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")
    assert drawn == drawing.draw(), "run `nox -s architecture`"


def test_every_module_that_a_part_names_exists(drawing: ModuleType) -> None:
    there = {name for name, _ in drawing.modules()}
    named = {f"{part.package}.{module}" for part in drawing.PARTS for module in part.modules.split()}
    assert named <= there, sorted(named - there)


def test_an_import_from_below_is_refused(drawing: ModuleType, tmp_path: Path) -> None:
    for package in drawing.PACKAGES:
        folder = tmp_path / package / package
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
    upward = tmp_path / "pyfaceau" / "pyfaceau" / "errors.py"
    upward.write_text("def late():\n    from .run import AnalysisRun\n")
    (upward.parent / "run.py").write_text("from .errors import late\n")
    drawing.ROOT, before = tmp_path, drawing.ROOT
    try:
        with pytest.raises(ValueError, match=r"pyfaceau\.errors .* imports pyfaceau\.run .* not below"):
            drawing.arrows()
        upward.write_text("")
        assert len(drawing.arrows()) == 1
        (upward.parent / "newcomer.py").write_text("")
        with pytest.raises(ValueError, match="newcomer belongs to no part"):
            drawing.arrows()
    finally:
        drawing.ROOT = before


def test_what_the_page_names_exists() -> None:
    """Modules and functions that the instructions send people to."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for package in ("pyfaceau", "pyclnf", "pymtcnn", "pyfhog")
        for path in (ROOT / package / package).rglob("*.py")
    )
    words = {word for word in re.findall(r"`([A-Za-z_]+)(?:\([a-z, ]*\))?`", page) if not word.islower()}
    assert len(words) > 10
    missing = {word for word in words if not re.search(rf"(class|def) {word}\b|^{word}\b", code, re.M)}
    assert not missing
