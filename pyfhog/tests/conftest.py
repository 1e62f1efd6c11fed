"""Fixtures of the pyfhog tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with the measured outputs of the C++ reference; tests that need it are skipped without it."""
    beside_the_repository = Path(__file__).resolve().parents[3] / "shared"
    folder = Path(os.environ.get("PYFACEAU_SHARED", beside_the_repository))
    if not (folder / "gold").is_dir():
        pytest.skip(f"no reference outputs at {folder} (set PYFACEAU_SHARED)")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """Seeded random numbers."""
    return np.random.default_rng(20)
