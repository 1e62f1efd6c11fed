"""`pyfaceau models`: list, install and verify OpenFace's model files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from pyclnf._commands import Pack, install_models, list_models, verify_models
from pyclnf.models import OPEN_FOLDER

from ..models import DEFAULT_GROUPS, OPEN_AU_FOLDER, openface_store

models_app = typer.Typer(help="The models on this machine.", no_args_is_help=True)
_PROGRAM = "pyfaceau"
_PACKS = (Pack("landmarks", OPEN_FOLDER), Pack("action units", OPEN_AU_FOLDER))
_Groups = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        help=f"Only this group; may be repeated. By default {', '.join(DEFAULT_GROUPS)}.",
        show_default=False,
    ),
]


@models_app.command("list")
def list_command(
    files: Annotated[bool, typer.Option("--files", help="Show every file.")] = False,
) -> None:
    """Show which models are installed, and where."""
    from ..quality import quality_table

    list_models(openface_store(), _PACKS, files=files)
    typer.echo(f"\nHow good the open action units are:\n{quality_table()}")


@models_app.command()
def verify(group: _Groups = None) -> None:
    """Compare the installed files with OpenFace 2.2.0's SHA-256, and this installation with stored results."""
    complete = verify_models(_PROGRAM, openface_store(), _checked(group))
    if not (_self_check() and complete):
        raise typer.Exit(1)


@models_app.command()
def install(
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DIR",
            help="Copy from this folder (an OpenFace checkout, its program folder, or another installation).",
            show_default=False,
        ),
    ] = None,
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="I have read OpenFace's licence and agree.")
    ] = False,
    group: _Groups = None,
) -> None:
    """Get OpenFace's model files from their official locations, or from a folder, and check them.

    Ends with a self-check: a packaged portrait is analysed and compared with stored results.
    """
    if source is not None and not source.is_dir():
        raise typer.BadParameter(f"{source} is not a folder")
    groups = _checked(group)
    if not install_models(
        _PROGRAM, openface_store(), groups, accept_license=accept_license, source=source, bar=_DownloadBar
    ):
        raise typer.Exit(1)
    if not _self_check():
        raise typer.Exit(1)


def _self_check() -> bool:
    """Print how each set of models does; False if one fails."""
    from ..selfcheck import self_check

    well = True
    for check in self_check():
        failed = check.state == "failed"
        typer.echo(f"{_PROGRAM}: error: {check}" if failed else str(check), err=failed)
        well = well and not failed
    return well


def _checked(group: list[str] | None) -> tuple[str, ...]:
    known = openface_store().manifest.groups
    unknown = set(group or ()) - set(known)
    if unknown:
        raise typer.BadParameter(f"no group {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return tuple(group or DEFAULT_GROUPS)


class _DownloadBar:
    """One bar over all files, on stderr."""

    def __init__(self, total: int) -> None:
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
        self._bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))
        self._task = self._bar.add_task("models", total=total)
        self._done: dict[str, int] = {}

    def __enter__(self) -> _DownloadBar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, name: str, done: int, total: int) -> None:
        self._done[name] = done
        self._bar.update(self._task, description=name.rsplit("/", 1)[-1], completed=sum(self._done.values()))
