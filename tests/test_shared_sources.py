"""C++ headers that two packages need: each has its copy, so that it installs alone, and the copies are one text."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
ORIGINAL = REPOSITORY / "pyclnf/src/cpp"
COPY = REPOSITORY / "pymtcnn/src/cpp"
SHARED = ("simd.hpp", "gemm.hpp", "scratch.hpp", "pool.hpp")


@pytest.mark.parametrize("name", SHARED)
def test_copies_are_equal_byte_by_byte(name):
    assert (COPY / name).read_bytes() == (ORIGINAL / name).read_bytes(), f"copy {ORIGINAL / name} to {COPY}"


def test_no_other_header_has_the_name_of_one_in_the_other_package():
    named_alike = {path.name for path in ORIGINAL.glob("*.hpp")} & {path.name for path in COPY.glob("*.hpp")}
    # Each package describes its own kernels there.
    assert named_alike - {"api.hpp"} == set(SHARED)
