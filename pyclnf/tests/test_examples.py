"""The examples in the docstrings of pyclnf run as they stand."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import types

import pytest

import pyclnf

# Compiled code has none; hooks of PyInstaller are imported by PyInstaller alone.
MODULES = [
    m.name
    for m in pkgutil.walk_packages(pyclnf.__path__, "pyclnf.")
    if not m.name.endswith("._core") and "._pyinstaller" not in m.name
]
# Errors and warnings have none; nor has a store, whose every answer depends on the machine.
WITHOUT = {name for name in pyclnf.__all__ if name.endswith(("Error", "Warning"))} | {"ModelStore"}


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_run(name: str) -> None:
    if name.endswith("__main__"):
        pytest.skip("runs a command when it is imported")
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


@pytest.mark.parametrize("name", sorted(set(pyclnf.__all__) - WITHOUT))
def test_each_public_name_has_an_example_that_is_not_skipped(name: str) -> None:
    found = getattr(pyclnf, name)
    assert isinstance(found, type | types.FunctionType)
    text = found.__doc__ or ""
    assert "SKIP" not in text
    assert "Examples\n" in text
    assert ">>> " in text or "See :" in text.partition("Examples\n")[2]
