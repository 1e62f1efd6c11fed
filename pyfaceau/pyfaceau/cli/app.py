"""The command line's top: options of the whole program and the list of its commands."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

import pyfaceau

from .batch import batch
from .compare import compare
from .demo import demo
from .extract import extract
from .live import live
from .models import models_app
from .openface import OPENFACE_CONTEXT, openface
from .overlay import overlay
from .report import report
from .verify import verify

app = typer.Typer(
    help="Facial action units, head pose and landmarks of video.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(extract)
app.command()(batch)
app.command()(report)
app.command()(overlay)
app.command()(live)
app.command()(demo)
app.command()(compare)
app.command()(verify)
app.command(context_settings=OPENFACE_CONTEXT)(openface)
app.add_typer(models_app, name="models")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pyfaceau {pyfaceau.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what is going on.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    logging.basicConfig(level=logging.DEBUG if verbose else logging.WARNING, format="%(name)s: %(message)s")
    if not verbose:
        for package in ("pyfaceau", "pyclnf", "pymtcnn"):
            logging.getLogger(package).setLevel(logging.INFO)
