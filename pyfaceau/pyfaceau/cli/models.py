"""`pyfaceau models`: list, install and verify OpenFace's model files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pyclnf.models import DEFAULT_GROUPS, FileStatus, ModelStore

models_app = typer.Typer(help="OpenFace's model files on this machine.", no_args_is_help=True)
_MEGABYTE = 1e6


@models_app.command("list")
def list_models(
    files: Annotated[bool, typer.Option("--files", help="Show every file.")] = False,
) -> None:
    """Show which model files are installed, and where."""
    store = ModelStore()
    statuses = store.list()
    console = Console()
    console.print(_file_table(statuses) if files else _group_table(statuses))
    for root in store.roots:
        console.print(f"searched: {root}", soft_wrap=True, highlight=False)
    console.print("pyfaceau models install gets what is missing", highlight=False)


@models_app.command()
def verify() -> None:
    """Compare the installed files with OpenFace 2.2.0's SHA-256."""
    statuses = ModelStore().verify()
    wrong = [status for status in statuses if status.state == "wrong"]
    Console().print(_group_table(statuses))
    for status in wrong:
        typer.echo(f"pyfaceau: error: {status.location}: not OpenFace 2.2.0's {status.file.path}", err=True)
    if wrong or all(status.state == "missing" for status in statuses):
        typer.echo("pyfaceau: error: run `pyfaceau models install` to get the right files", err=True)
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
    group: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Only this group ({', '.join(DEFAULT_GROUPS)}); may be repeated.", show_default=False
        ),
    ] = None,
) -> None:
    """Get OpenFace's model files from their official locations, or from a folder, and check them."""
    store = ModelStore()
    manifest = store.manifest
    if source is not None and not source.is_dir():
        raise typer.BadParameter(f"{source} is not a folder")
    unknown = set(group or ()) - set(manifest.groups)
    if unknown:
        raise typer.BadParameter(
            f"no group {', '.join(sorted(unknown))}; there are {', '.join(manifest.groups)}"
        )
    typer.echo(f"{manifest.licence_name}: {manifest.licence_summary}\n{manifest.licence_url}")
    if not accept_license:
        if not sys.stdin.isatty():
            typer.echo("pyfaceau: error: if you agree, run again with --accept-license", err=True)
            raise typer.Exit(1)
        accept_license = typer.confirm("Do you accept this licence?")
        if not accept_license:
            raise typer.Exit(1)
    groups = tuple(group or DEFAULT_GROUPS)
    with _DownloadBar(sum(file.size for file in manifest.select(*groups))) as bar:
        added = store.install(groups, accept_license, source, bar)
    typer.echo(f"{len(added)} files installed in {store.install_root}, all checked")


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


def _group_table(statuses: Sequence[FileStatus]) -> Table:
    table = Table("group", "installed", "wrong", "size (MB)")
    for group in sorted({group for status in statuses for group in status.file.groups}):
        members = [status for status in statuses if group in status.file.groups]
        there = sum(status.state != "missing" for status in members)
        wrong = sum(status.state == "wrong" for status in members)
        size = sum(status.file.size for status in members) / _MEGABYTE
        table.add_row(group, f"{there} of {len(members)}", str(wrong or ""), f"{size:.1f}")
    return table


def _file_table(statuses: Sequence[FileStatus]) -> Table:
    table = Table("file", "groups", "size (MB)", "location")
    for status in statuses:
        location = "missing" if status.location is None else str(status.location)
        size = f"{status.file.size / _MEGABYTE:.3f}"
        table.add_row(status.file.path, ", ".join(status.file.groups), size, location)
    return table
