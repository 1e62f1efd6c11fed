"""Every public name of the four packages has an example in its docstring, and the examples run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import warnings
from collections.abc import Iterator

import matplotlib.pyplot
import pytest

matplotlib.use("Agg")
pytestmark = pytest.mark.slow
MODULES = (
    "pyfhog",
    "pymtcnn",
    "pyclnf",
    "pyfaceau",
    "pyfaceau.demo",
    "pyfaceau.detectors",
    "pyfaceau.findings",
    "pyfaceau.plots",
)
# Their examples need a camera, a file that does not ship or half a minute; what they do is tested elsewhere.
NOT_RUN = {
    "DemoReport",
    "FaceShapes",
    "LiveSource",
    "OpenFaceProcessor",
    "YuNetDetector",
    "ensure_models",
    "write_overlay",
}


def public() -> Iterator[tuple[str, str]]:
    for module in MODULES:
        for name in importlib.import_module(module).__all__:
            found = getattr(importlib.import_module(module), name)
            if inspect.isclass(found) or inspect.isfunction(found):
                yield module, name


NAMES = sorted({getattr(importlib.import_module(m), n): (m, n) for m, n in public()}.values())


def text_of(module: str, name: str) -> str:
    return inspect.getdoc(getattr(importlib.import_module(module), name)) or ""


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_public_name_has_an_example_that_runs(module, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = text_of(module, name)
    assert "Examples\n--------" in text
    if "\nSee :" in text.partition("Examples\n--------")[2]:  # of another name, which is tested itself
        return
    (example,) = (
        each
        for each in doctest.DocTestFinder(recurse=False).find(
            getattr(importlib.import_module(module), name), name
        )
    )
    run = [line for line in example.examples if not line.options.get(doctest.SKIP)]
    assert run or name in NOT_RUN
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # short clips are too short for dynamic models
        failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example)
    matplotlib.pyplot.close("all")
    assert failed == 0


@pytest.mark.parametrize("name", sorted(NOT_RUN))
def test_exceptions_are_needed(name):
    (module,) = {module for module, each in NAMES if each == name}
    assert "+SKIP" in text_of(module, name)
