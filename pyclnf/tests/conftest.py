"""Fixtures of pyclnf's tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyclnf import _core


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("PYFACEAU_SHARED", Path(__file__).parents[3] / "shared")).resolve()
    if not folder.is_dir():
        pytest.skip("needs the reference material in ../shared (or PYFACEAU_SHARED)")
    return folder


@pytest.fixture(scope="session")
def openface(shared: Path) -> Path:
    """OpenFace's `lib/local` folder inside the reference material."""
    return shared / "openface" / "2.2.0" / "originals" / "lib" / "local"


@pytest.fixture(params=_core.instruction_sets())
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set that this machine can run, in turn."""
    before = _core.instruction_set()
    _core.use_instruction_set(request.param)
    yield request.param
    _core.use_instruction_set(before)
