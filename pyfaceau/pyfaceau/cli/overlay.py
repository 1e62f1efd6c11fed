"""`pyfaceau overlay`: the values of a finished table drawn over its video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .quiet import be_quiet


def overlay(
    video: Annotated[
        Path, typer.Argument(help="The video of the result.", metavar="VIDEO", show_default=False)
    ],
    results: Annotated[
        Path,
        typer.Argument(
            help="Its result: .parquet or .csv, also OpenFace's.", metavar="RESULTS", show_default=False
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The video to write.", metavar="OUT.mp4")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no remarks.")] = False,
) -> None:
    """Draw a result over its video: landmarks, head pose, gaze and action units, as far as the table has them.

    It is H.264, which every browser plays, with the sound of the video.
    """
    from ..findings.agreement import read_table
    from ..overlay import write_overlay

    be_quiet(quiet)
    if output.exists() and not force:
        raise typer.BadParameter(f"{output} is there already; --force writes it anew")
    if output.exists() and video.exists() and output.samefile(video):
        raise typer.BadParameter(f"{output} is the video itself; choose another name")
    try:
        done = write_overlay(video, read_table(results), output, progress=not quiet)
    except ValueError as error:  # a table that is no recording
        raise typer.BadParameter(f"{results}: {error}") from error
    sound = f", sound {done.sound}" if done.sound else ""
    typer.echo(f"{done.path}: overlay, {done.frames} frames, {done.codec}{sound}")
    if done.advice and not quiet:
        typer.echo(f"pyfaceau: warning: {done.advice}", err=True)
