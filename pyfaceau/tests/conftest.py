"""Fixtures of pyfaceau's tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from browsing import chromium

__all__ = ["chromium", "shared"]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("PYFACEAU_SHARED", Path(__file__).parents[3] / "shared")).resolve()
    if not folder.is_dir():
        pytest.skip("needs the reference material in ../shared (or PYFACEAU_SHARED)")
    return folder
