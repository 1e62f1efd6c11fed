"""What `models list`, `install` and `verify` do, whichever package's command line asks for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from .download import Progress
from .errors import ModelInstallError
from .store import FileStatus, ModelStore

_MEGABYTE = 1e6


@dataclass(frozen=True)
class Pack:
    """Models that ship with a package.

    Attributes
    ----------
    name : str
        What they are.
    folder : Path
        Where they are.
    """

    name: str
    folder: Path


ProgressBar = Callable[[int], AbstractContextManager[Progress]]
"""Makes a progress bar over so many bytes."""


def list_models(store: ModelStore, packs: Iterable[Pack], *, files: bool) -> None:
    """Print which model files are there.

    Parameters
    ----------
    store : ModelStore
        OpenFace's models.
    packs : iterable of Pack
        Models that need no installation.
    files : bool
        Every file instead of every group.
    """
    statuses = store.list()
    print("OpenFace's models:")
    _print_table(_file_rows(statuses) if files else _group_rows(statuses))
    for root in store.roots:
        print(f"  searched: {root}")
    if any(status.state == "missing" for status in statuses):
        print(f"  `{store.command}` gets what is missing")
    print("\nOpen models, which ship with the packages:")
    _print_table([("models", "files", "size (MB)", "folder"), *(_pack_row(pack) for pack in packs)])


def verify_models(program: str, store: ModelStore, groups: Collection[str]) -> bool:
    """Compare OpenFace's files with their SHA-256, and print what is not right.

    Parameters
    ----------
    program : str
        Name of the command, for messages.
    store : ModelStore
        OpenFace's models.
    groups : collection of str
        Groups that have to be complete; files of others may be missing, but not wrong.

    Returns
    -------
    bool
        All is there and right.
    """
    statuses = store.verify()
    _print_table(_group_rows(statuses))
    wanted = {file.path for file in store.manifest.select(*groups)}
    wrong = [status for status in statuses if status.state == "wrong"]
    missing = [status for status in statuses if status.state == "missing" and status.file.path in wanted]
    for status in wrong:
        _error(program, f"{status.location} is not OpenFace {store.manifest.version}'s {status.file.path}")
    if missing:
        count = "1 file is" if len(missing) == 1 else f"{len(missing)} files are"
        _error(program, f"{count} missing from {', '.join(groups)}; see `{program} models list --files`")
    if wrong or missing:
        _error(program, f"run `{store.command}` to get the right files")
    return not wrong and not missing


def install_models(
    program: str,
    store: ModelStore,
    groups: Sequence[str],
    *,
    accept_license: bool,
    source: Path | None,
    bar: ProgressBar,
) -> bool:
    """Install OpenFace's files after showing their licence and asking for consent.

    Parameters
    ----------
    program : str
        Name of the command, for messages.
    store : ModelStore
        Where they go.
    groups : sequence of str
        Which files.
    accept_license : bool
        Consent is given already.
    source : Path or None
        Copy from this folder instead of downloading.
    bar : callable
        Makes a progress bar over so many bytes.

    Returns
    -------
    bool
        All files are there and right.
    """
    manifest = store.manifest
    print(f"{manifest.licence_name}: {manifest.licence_summary}\n{manifest.licence_url}", flush=True)
    if not accept_license:
        if not sys.stdin.isatty():
            _error(program, "if you agree, run again with --accept-license")
            return False
        if input("Do you accept this licence? [y/N] ").strip().lower() not in ("y", "yes"):
            return False
    try:
        with bar(sum(file.size for file in manifest.select(*groups))) as progress:
            added = store.install(groups, True, source, progress)
    except ModelInstallError as error:
        for line in str(error).splitlines():
            _error(program, line)
        return False
    print(f"{_files(len(added))} installed in {store.install_root}, all checked")
    return True


class TextBar:
    """A line on stderr that counts megabytes, where stderr is a terminal.

    Parameters
    ----------
    total : int
        Bytes of all files.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._done: dict[str, int] = {}
        self._shown = sys.stderr.isatty()

    def __enter__(self) -> TextBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown and self._done:
            print(file=sys.stderr)

    def __call__(self, name: str, done: int, total: int) -> None:
        """Show that `done` of the `total` bytes of a file are there."""
        self._done[name] = done
        if self._shown:
            sofar = sum(self._done.values()) / _MEGABYTE
            print(f"\r{sofar:8.1f} of {self._total / _MEGABYTE:.1f} MB", end="", file=sys.stderr, flush=True)


def _group_rows(statuses: Sequence[FileStatus]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("group", "installed", "wrong", "size (MB)")]
    for group in sorted({group for status in statuses for group in status.file.groups}):
        members = [status for status in statuses if group in status.file.groups]
        there = sum(status.state != "missing" for status in members)
        wrong = sum(status.state == "wrong" for status in members)
        size = sum(status.file.size for status in members) / _MEGABYTE
        rows.append((group, f"{there} of {len(members)}", str(wrong or "-"), f"{size:.1f}"))
    return rows


def _file_rows(statuses: Sequence[FileStatus]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("file", "groups", "size (MB)", "location")]
    for status in statuses:
        location = "missing" if status.location is None else str(status.location)
        size = f"{status.file.size / _MEGABYTE:.3f}"
        rows.append((status.file.path, ",".join(status.file.groups), size, location))
    return rows


def _pack_row(pack: Pack) -> tuple[str, ...]:
    sizes = [path.stat().st_size for path in pack.folder.rglob("*") if path.is_file()]
    return pack.name, str(len(sizes)), f"{sum(sizes) / _MEGABYTE:.1f}", str(pack.folder)


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"


def _error(program: str, message: str) -> None:
    print(f"{program}: error: {message}", file=sys.stderr)
