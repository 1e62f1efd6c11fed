"""Progress of long work: one callback type, and a bar for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

ProgressCallback: TypeAlias = Callable[[int, int | None], None]
"""Called with what is done and what there is in all (None if that is unknown)."""


def _silent(done: int, total: int | None) -> None:
    """Ignore the report."""


@contextmanager
def progress_reporter(progress: bool | ProgressCallback, label: str) -> Iterator[ProgressCallback]:
    """Turn a `progress` argument into a callback.

    Parameters
    ----------
    progress : bool or callable
        True shows a bar on stderr, False nothing; a callable is used as it is.
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
