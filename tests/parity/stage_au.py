"""FHOG, alignment and action units, each fed with the reference's own state before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from figures import gold_module
from table import Row


def rows(shared: Path) -> Iterator[Row]:
    """Show the package's own figures."""
    for figure in gold_module("pyfaceau", "gold_au").figures(shared):
        measured = f"{figure.value:.6g}" + (f" ({figure.detail})" if figure.detail else "")
        bar = f"{'>=' if figure.high_is_good else '<='} {figure.bar:g}"
        yield Row(figure.stage, bar, measured, figure.passed)
