"""The command line: `pyfaceau extract` and `pyfaceau models`."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130  # as shells report SIGINT

_COMMANDS = ("extract", "live", "demo", "openface", "models")


def _with_command(arguments: list[str]) -> list[str]:
    """Take ``pyfaceau VIDEO`` for ``pyfaceau extract VIDEO -o .``, as in earlier versions."""
    first = arguments[0] if arguments else "-"
    if first.startswith("-") or first in _COMMANDS or not os.path.exists(first):
        return arguments
    output = any(part in ("-o", "--output") or part.startswith("--output=") for part in arguments)
    return ["extract", *arguments, *(() if output else ("-o", "."))]


def main() -> None:
    """Run the command line; every foreseen error becomes one line on stderr and an exit status.

    0: all went well. 1: some file failed. 2: wrong usage.
    """
    # Decoders print their own complaints otherwise; ours name the file. Before OpenCV is imported.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # libav's AV_LOG_QUIET
    from .app import app
    from .errors import report_error, show_choices_plainly

    show_choices_plainly()
    try:
        app(_with_command(sys.argv[1:]), prog_name="pyfaceau")
    except KeyboardInterrupt:
        print("pyfaceau: interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        if not report_error(error):
            raise
        sys.exit(EXIT_ERROR)
