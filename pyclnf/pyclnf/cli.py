"""The command line: `pyclnf models list`, `install` and `verify`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__
from ._commands import Pack, TextBar, install_models, list_models, verify_models
from .errors import PyCLNFError
from .models import DEFAULT_GROUPS, OPEN_FOLDER, openface_store

PROGRAM = "pyclnf"
OPEN_PACK = Pack("landmarks", OPEN_FOLDER)

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130  # as shells report SIGINT


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Exit status 0: all is well; 1: a file is missing or wrong, or could not be had; 2: wrong usage.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.
    """
    options = _parser().parse_args(arguments)
    try:
        well = _run(options)
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except (PyCLNFError, OSError) as error:
        print(f"{PROGRAM}: error: {error}", file=sys.stderr)
        sys.exit(EXIT_ERROR)
    if not well:
        sys.exit(EXIT_ERROR)


def _run(options: argparse.Namespace) -> bool:
    store = openface_store()
    if options.command == "list":
        list_models(store, [OPEN_PACK], files=options.files)
        return True
    groups = tuple(options.group or DEFAULT_GROUPS)
    if options.command == "verify":
        return verify_models(PROGRAM, store, groups)
    return install_models(
        PROGRAM, store, groups, accept_license=options.accept_license, source=options.source, bar=TextBar
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="68 facial landmarks by CLNF and CE-CLM.")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    programs = parser.add_subparsers(required=True, metavar="COMMAND")
    models = programs.add_parser("models", help="OpenFace's landmark models on this machine")
    commands = models.add_subparsers(required=True, dest="command", metavar="COMMAND")

    listing = commands.add_parser("list", help="show which model files are installed, and where")
    listing.add_argument("--files", action="store_true", help="show every file")

    install = commands.add_parser(
        "install", help="get OpenFace's files from their official locations or a folder, and check them"
    )
    install.add_argument("--from", dest="source", type=_folder, metavar="DIR", help="copy from this folder")
    install.add_argument(
        "--accept-license", action="store_true", help="I have read OpenFace's licence and agree"
    )
    verify = commands.add_parser("verify", help="compare the installed files with their SHA-256")
    choices = openface_store().manifest.groups
    for command in (install, verify):
        command.add_argument(
            "--group",
            action="append",
            choices=choices,
            help=f"only this group; may be repeated; by default {' and '.join(DEFAULT_GROUPS)}",
        )
    return parser


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is not a folder")
    return path


if __name__ == "__main__":
    main()
