"""Progress of long work: one callback type, and a bar for people."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any, TypeAlias

ProgressCallback: TypeAlias = Callable[[int, int | None], None]
"""Called with what is done and what there is in all (None if that is unknown)."""

_NOTEBOOK_SECONDS = 0.25  # between two pictures of the bar


def _silent(done: int, total: int | None) -> None:
    """Ignore the report."""


@contextmanager
def progress_reporter(progress: bool | ProgressCallback, label: str) -> Iterator[ProgressCallback]:
    """Turn a `progress` argument into a callback.

    Parameters
    ----------
    progress : bool or callable
        True shows a bar, in a notebook as part of the cell's output and else on stderr; False nothing; a callable
        is used as it is.
    label : str
        What is under way, shown beside the bar.

    Yields
    ------
    callable
        See `ProgressCallback`.
    """
    if callable(progress):
        yield progress
        return
    if not progress:
        yield _silent
        return
    if _in_notebook():
        with _notebook_bar(label) as report:
            yield report
        return
    # Imported here, as rich is slow to import and not everyone shows a bar.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    rate = TextColumn("{task.fields[rate]}")
    with Progress(*columns, rate, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=None, rate="")

        def report(done: int, total: int | None) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = f"{done / elapsed:.1f} frames/s" if elapsed > 0 else ""
            # Containers may hold more frames than they say.
            bar.update(task, completed=done, total=None if total is None else max(total, done), rate=rate)

        yield report


def _in_notebook() -> bool:
    """Whether output goes to a notebook; IPython is only asked if somebody has imported it."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


@contextmanager
def _notebook_bar(label: str) -> Iterator[ProgressCallback]:
    """Show a bar as plain HTML: it needs no widgets, and its last state stays in a saved notebook."""
    display: Any = importlib.import_module("IPython.display")
    start = shown = time.monotonic()
    state: tuple[int, int | None] = (0, None)
    handle = display.display(display.HTML(_bar_html(label, *state, 0.0)), display_id=True)

    def report(done: int, total: int | None) -> None:
        nonlocal shown, state
        state = (done, total)
        now = time.monotonic()
        if now - shown >= _NOTEBOOK_SECONDS:
            shown = now
            handle.update(display.HTML(_bar_html(label, done, total, now - start)))

    try:
        yield report
    finally:
        handle.update(display.HTML(_bar_html(label, *state, time.monotonic() - start)))


def _bar_html(label: str, done: int, total: int | None, seconds: float) -> str:
    most = None if total is None else max(total, done)
    rate = f", {done / seconds:.0f} frames/s" if seconds > 0 and done else ""
    left = f", {(most - done) * seconds / done:.0f} s left" if most and done and done < most else ""
    count = f"{done} of {most}" if most else f"{done}"
    bar = f'<progress max="{most}" value="{done}"></progress> ' if most else ""
    return f"<div>{escape(label)} {bar}{count} frames{rate}{left}</div>"
