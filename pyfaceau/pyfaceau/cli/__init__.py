"""The command line: `pyfaceau extract` and `pyfaceau models`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Collection

__all__ = ["main"]

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130  # as shells report SIGINT
EXIT_TERMINATED = 143  # as shells report SIGTERM


class _Terminated(KeyboardInterrupt):
    """SIGTERM: what Ctrl-C keeps is kept."""


def _terminate(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one ends at once
    raise _Terminated


def _was_terminated(error: BaseException | None) -> bool:
    """Whether SIGTERM stands at the beginning of a chain of exceptions."""
    while error is not None and not isinstance(error, _Terminated):
        error = error.__cause__ or error.__context__
    return error is not None


def _with_command(arguments: list[str], commands: Collection[str]) -> list[str]:
    """Take ``pyfaceau VIDEO`` for ``pyfaceau extract VIDEO -o .``, as in earlier versions."""
    first = arguments[0] if arguments else "-"
    if first.startswith("-") or first in commands or not os.path.exists(first):
        return arguments
    output = any(part in ("-o", "--output") or part.startswith("--output=") for part in arguments)
    return ["extract", *arguments, *(() if output else ("-o", "."))]


def main() -> None:
    """Run the command line; every foreseen error becomes one line on stderr and an exit status.

    0: all went well. 1: some file failed. 2: wrong usage. 130, 143: Ctrl-C or SIGTERM; what was computed is kept.
    """
    # Decoders print their own complaints otherwise; ours name the file. Before OpenCV is imported.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # libav's AV_LOG_QUIET
    from typer.main import get_command

    from .app import app
    from .errors import report_error, show_choices_plainly

    show_choices_plainly()
    commands: Collection[str] = getattr(get_command(app), "commands", ())
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app(_with_command(sys.argv[1:], commands), prog_name="pyfaceau")
    except KeyboardInterrupt as interrupt:
        print("pyfaceau: interrupted", file=sys.stderr)
        sys.exit(EXIT_TERMINATED if isinstance(interrupt, _Terminated) else EXIT_INTERRUPTED)
    except SystemExit as end:  # Typer turns any interrupt into the status of Ctrl-C
        if _was_terminated(end):
            sys.exit(EXIT_TERMINATED)
        raise
    except Exception as error:
        if not report_error(error):
            raise
        sys.exit(EXIT_ERROR)
