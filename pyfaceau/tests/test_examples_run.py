"""The examples in the docstrings of what is computed from tables run, and everything public has one."""

from __future__ import annotations

import doctest
import importlib
import inspect

import matplotlib
import pytest
from matplotlib import pyplot

from pyfaceau import FaceTable, findings, plots

pytestmark = pytest.mark.slow

matplotlib.use("Agg")
MODULES = (
    "citing",
    "findings.accessor",
    "findings.agreement",
    "plots.bodies",
    "plots.comparisons",
    "plots.drawn_face",
    "plots.signals",
    "quality",
)
WITHOUT = {"every_of", "plot_table", "Agreement"}


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    module = importlib.import_module(f"pyfaceau.{name}")
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    pyplot.close("all")
    assert result.attempted > 0
    assert result.failed == 0


def test_everything_public_has_an_example():
    public = {name: getattr(module, name) for module in (findings, plots) for name in module.__all__}
    public |= {
        name: getattr(member, "fget", member)
        for name, member in inspect.getmembers(FaceTable)
        if not name.startswith("_")
    }
    missing = [
        n for n, each in public.items() if n not in WITHOUT and ">>>" not in (inspect.getdoc(each) or "")
    ]
    assert not missing
