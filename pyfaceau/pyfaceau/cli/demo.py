"""`pyfaceau demo`: analyse the clip that ships with the package, whose action units are known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .common_options import Quiet
from .errors import report_error
from .quiet import be_quiet


def demo(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder for table, plot, overlay and report.", metavar="OUT"),
    ] = Path("pyfaceau-demo"),
    models: Annotated[
        str, typer.Option(help="open, auto, openface, or a folder with OpenFace's files.", metavar="MODELS")
    ] = "open",
    quiet: Quiet = False,
) -> None:
    """Analyse the demo clip, compare with the truth, and say where the results are."""
    from ..demo import run_demo

    be_quiet(quiet)
    try:
        report = run_demo(output, models, progress=not quiet)
    except Exception as error:
        if report_error(error):
            raise typer.Exit(1) from None
        if isinstance(error, ValueError):  # the pipeline's way to refuse an argument
            raise typer.BadParameter(str(error)) from error
        raise
    typer.echo(report.table())
