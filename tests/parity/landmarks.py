"""Shape model, patch experts, validator, image and video landmarks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from figures import gold_module
from table import Row


def rows(shared: Path) -> Iterator[Row]:
    """Show the package's own figures."""
    for figure in gold_module("pyclnf", "gold_landmarks").figures(shared):
        measured = f"{figure.value:.4g}" + (f" ({figure.detail})" if figure.detail else "")
        bar = f"{'>=' if figure.high_is_good else '<='} {figure.bar:g}"
        yield Row(figure.stage, bar, measured, figure.passed)
