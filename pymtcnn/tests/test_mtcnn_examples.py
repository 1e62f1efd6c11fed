"""The examples in the docstrings run, and every public name has one or is a plain type."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = ("detection", "detector", "engines", "weights", "backends.worker")


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_run(module: str) -> None:
    results = doctest.testmod(importlib.import_module(f"pymtcnn.{module}"))
    assert results.attempted > 0
    assert results.failed == 0
