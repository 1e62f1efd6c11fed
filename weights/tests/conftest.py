"""What tests of the training code share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("PYFACEAU_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip("needs the reference material in ../shared (or PYFACEAU_SHARED)")
    return folder
