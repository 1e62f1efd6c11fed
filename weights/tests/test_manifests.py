"""The packaged lists of OpenFace's files are what the script makes of OpenFace's files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from weights.manifests.build import PARTS, build

REPOSITORY = Path(__file__).resolve().parents[2]


def test_packaged_manifests_are_those_that_the_script_writes():
    shared = Path(os.environ.get("PYFACEAU_SHARED", REPOSITORY.parent / "shared"))
    originals = (shared / "openface/2.2.0/originals").resolve()
    if not originals.is_dir():
        pytest.skip("needs OpenFace's files in ../shared (or PYFACEAU_SHARED)")
    made = build(originals)
    assert made.keys() == PARTS.keys()
    for package, part in made.items():
        stored = REPOSITORY / package / package / "openface-2.2.0.json"
        assert json.loads(stored.read_text(encoding="utf-8")) == part
