"""`pyfaceau report`: a page that shows a result, or the overview of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .quiet import be_quiet

if TYPE_CHECKING:
    from ..progress import ProgressCallback


def report(
    results: Annotated[
        Path,
        typer.Argument(
            help="Result of a video (.parquet or .csv, also OpenFace's), or the folder of a batch.",
            metavar="RESULTS|DIR",
            show_default=False,
        ),
    ],
    video: Annotated[
        Path | None,
        typer.Option(
            help="The video of the result: the page plays it and draws over it. The page refers to it by its place: "
            "move them together.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The page.",
            metavar="PAGE.html",
            show_default="RESULTS_report.html, DIR/report.html",
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Of the page.", show_default="the video's name")] = None,
    threshold: Annotated[
        float, typer.Option(min=0.01, max=5.0, help="Intensity from which an action unit is active.")
    ] = 1.0,
    pictures: Annotated[
        bool | None,
        typer.Option(
            "--pictures/--no-pictures",
            help="Show the strongest frames and measure the light: the video is read once more.",
            show_default="for one result, not for a batch",
        ),
    ] = None,
    copy: Annotated[
        bool | None,
        typer.Option(
            "--copy/--no-copy",
            help="Write PAGE_video.mp4 beside the page, which plays it, if browsers do not play the video itself.",
            show_default="copy for one result, not for a batch",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no remarks.")] = False,
) -> None:
    """Write a page about a result that opens in any browser: quality, video, timelines, events, provenance.

    It is one file and loads nothing from the network. For a folder of `pyfaceau batch` it is the overview, and each
    result gets its own page beside it.
    """
    from ..findings.agreement import read_table
    from ..report import page_beside, write_batch_report, write_report

    be_quiet(quiet)
    if results.is_dir():
        if video is not None or title is not None or copy:
            raise typer.BadParameter(
                "--video, --title and --copy are for one result, not for the folder of a batch"
            )
        with _counting(not quiet) as progress:
            done = write_batch_report(
                results, output, threshold=threshold, pictures=bool(pictures), progress=progress
            )
    else:
        target = page_beside(results) if output is None else output
        try:
            done = write_report(
                read_table(results),
                target,
                video=video,
                title=title,
                threshold=threshold,
                pictures=pictures is not False,
                copy=copy is not False,
                progress=not quiet,
            )
        except ValueError as error:  # a table that is no recording
            raise typer.BadParameter(f"{results}: {error}") from error
    typer.echo(f"{done.path}: report")
    if done.copy is not None:
        typer.echo(f"{done.copy}: copy of the video, which the page plays")
    if not quiet:
        for remark in done.remarks:
            typer.echo(f"pyfaceau: {remark}", err=True)


@contextmanager
def _counting(wanted: bool) -> Iterator[ProgressCallback]:
    """Show a bar that counts recordings."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("recordings"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not wanted, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda count, total: bar.update(task, completed=count, total=total)
