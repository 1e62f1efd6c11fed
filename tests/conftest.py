"""Fixtures of the tests that cross packages."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from faceless import write_faceless_video

REPOSITORY = Path(__file__).resolve().parents[1]


def shared_folder() -> Path | None:
    folder = Path(os.environ.get("PYFACEAU_SHARED", REPOSITORY.parent / "shared")).resolve()
    return folder if (folder / "gold").is_dir() else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material; tests that need it are skipped where it is absent."""
    folder = shared_folder()
    if folder is None:
        pytest.skip("needs the reference material in ../shared (or PYFACEAU_SHARED)")
    return folder


@pytest.fixture(scope="session")
def choice() -> dict[str, str]:
    """Arguments that choose models which this machine has: OpenFace's where possible, else the open pack."""
    folder = shared_folder()
    if folder is not None:
        return {"models": str(folder / "openface"), "landmarks": "clnf"}
    return {"models": "open", "landmarks": "ceclm"}


@pytest.fixture(scope="session")
def pipeline(choice: dict[str, str]):
    from pyfaceau import FullPythonAUPipeline

    return FullPythonAUPipeline(**choice)


@pytest.fixture(scope="session")
def faceless_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short video of smooth noise."""
    return write_faceless_video(tmp_path_factory.mktemp("video") / "faceless.avi")
