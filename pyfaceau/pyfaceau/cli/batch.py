"""`pyfaceau batch`: analyse many videos, going on where an earlier call was interrupted."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .common_options import (
    AUModels,
    Columns,
    Detector,
    Every,
    Landmarks,
    MaxFaces,
    MaxFrames,
    Models,
    Rotate,
    Timestamps,
    Wild,
    analysis_options,
    rotation_argument,
)

if TYPE_CHECKING:
    from rich.console import Console

    from ..batch import BatchSummary
    from ..batch.journal import Entry
    from ..batch.scheduler import BatchProgress, Report


def batch(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Folders, patterns in quotes ('data/**/*.mp4'), videos, or tables with a column `path`.",
            metavar="DIR|GLOB|MANIFEST.csv...",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for results and journal.", metavar="OUTDIR")
    ],
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes of this machine.", show_default="processor cores / threads"),
    ] = None,
    models: Models = "auto",
    landmarks: Landmarks = "auto",
    include: Columns = None,
    format: Annotated[str, typer.Option(help="csv, parquet, openface or openface-compact.")] = "csv",
    every: Every = 1,
    rotate: Rotate = "auto",
    timestamps: Timestamps = None,
    wild: Wild = False,
    detector: Detector = "mtcnn",
    au_models: AUModels = "dynamic",
    max_faces: MaxFaces = 1,
    max_frames: MaxFrames = None,
    threads: Annotated[int, typer.Option(min=1, help="Processor cores of each worker.")] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Run on the Dask cluster with this scheduler.", show_default=False
        ),
    ] = None,
    results: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Folder for the results, such as s3://bucket/folder.", show_default="OUTDIR"
        ),
    ] = None,
    bring_back: Annotated[
        bool, typer.Option("--bring-back", help="The cluster does not share OUTDIR: results travel back.")
    ] = False,
    redo: Annotated[bool, typer.Option("--redo", help="Analyse finished videos as well.")] = False,
    checkpoint_every: Annotated[
        float, typer.Option(min=0.001, metavar="SECONDS", help="Most work that a crash can cost.")
    ] = 20.0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress display.")] = False,
) -> None:
    """Write a result for each video; run the same command again to go on after any interruption.

    A video is analysed anew only if its bytes, the models or the options have changed. One that fails stops no
    other, is named at the end, and is tried again by the next call. Ctrl-C saves and stops.
    """
    from rich.console import Console

    from ..batch import run_batch

    options = analysis_options(
        format=format,
        include=include,
        timestamps=timestamps,
        models=models,
        landmarks=landmarks,
        every=every,
        wild=wild,
        detector=detector,
        au_models=au_models,
        max_faces=max_faces,
        threads=threads,
    )
    turn = rotation_argument(rotate)
    console = Console(stderr=True)
    with _stop_on_signals() as stopped_by, _display(console, not quiet) as report:
        try:
            summary = run_batch(
                inputs,
                output,
                options,
                workers=workers or max(1, _cores() // threads),
                format="parquet" if format == "parquet" else "csv",
                max_frames=max_frames,
                rotate=turn,
                scheduler=scheduler,
                results=results,
                bring_back=bring_back,
                redo=redo,
                checkpoint_s=checkpoint_every,
                report=report,
                stop=lambda: bool(stopped_by),
            )
        except ValueError as error:  # the pipeline's way to refuse an argument
            raise typer.BadParameter(str(error)) from error
    _say_how_it_went(console, summary)
    if stopped_by and summary.stopped:
        typer.echo("pyfaceau: interrupted; the same command goes on from here", err=True)
        raise typer.Exit(128 + stopped_by[0])  # 130 and 143, as shells report SIGINT and SIGTERM
    if summary.failed:
        raise typer.Exit(1)


def _cores() -> int:
    """Processor cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _stop_on_signals() -> Iterator[list[int]]:
    """Collect the signals that ask to stop; the second one stops at once."""
    received: list[int] = []

    def note(number: int, frame: object) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt
        os.write(2, b"\npyfaceau: saving and stopping; once more to stop at once\n")

    wanted = (signal.SIGINT, signal.SIGTERM)
    before: list[tuple[int, Any]] = [(number, signal.signal(number, note)) for number in wanted]
    try:
        yield received
    finally:
        for number, handler in before:
            signal.signal(number, handler)


@contextmanager
def _display(console: Console, wanted: bool) -> Iterator[Report | None]:
    """Show one bar for the whole batch, and a line for each video that has ended."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.fields[files]}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%  {task.fields[rate]}  {task.fields[left]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not wanted, transient=True) as bar:
        task = bar.add_task("", total=1.0, files="", rate="", left="")

        def report(progress: BatchProgress, ended: Sequence[Entry]) -> None:
            for entry in ended:
                bar.console.file.flush()
                for text in entry.warnings:
                    bar.console.print(
                        f"pyfaceau: warning: {text}", markup=False, highlight=False, soft_wrap=True
                    )
                _print_above(bar, wanted and console.is_terminal, _line(entry))
            elapsed = bar.tasks[0].elapsed or 0.0
            bar.update(task, completed=progress.share, **_figures(progress, elapsed))

        yield report


def _print_above(bar: Any, shown: bool, line: str) -> None:
    """Print on stdout, without tearing a bar that is shown."""
    if shown and sys.stdout.isatty():
        bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
    else:
        typer.echo(line)


def _figures(progress: BatchProgress, elapsed: float) -> dict[str, Any]:
    failed = f", {progress.failed} failed" if progress.failed else ""
    files = f"{progress.finished}/{progress.videos} videos{failed}"
    rate = f"{progress.frames / elapsed:.0f} frames/s" if elapsed > 0 else ""
    gained = progress.share - progress.share_before
    left = "" if gained <= 0 else f"{_hours(elapsed * (1 - progress.share) / gained)} left"
    return {"files": files, "rate": rate, "left": left}


def _hours(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{round(seconds)} s" if seconds < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def _line(entry: Entry) -> str:
    if entry.state == "failed":
        return f"{entry.path}: failed: {entry.why}"
    return f"{entry.target}: {entry.frames} frames, a face in {entry.with_face}"


def _say_how_it_went(console: Console, summary: BatchSummary) -> None:
    typer.echo(str(summary))
    if not summary.failed:
        return
    if console.is_terminal:
        console.print(_failures(summary))
    else:  # a log is searched line by line
        for entry in summary.failed:
            typer.echo(f"pyfaceau: error: {entry.path}: {entry.why}", err=True)
    for entry in (entry for entry in summary.failed if entry.trace):
        logging.getLogger(__name__).error(
            "%s: this should not have happened, please report it\n%s", entry.path, entry.trace
        )


def _failures(summary: BatchSummary) -> Any:
    """Make a table of what failed."""
    from rich.table import Table
    from rich.text import Text

    table = Table("video", "why it failed", title=f"{len(summary.failed)} failed", title_justify="left")
    for entry in summary.failed:
        table.add_row(*(Text(text, overflow="fold") for text in (entry.path, entry.why)))
    return table
