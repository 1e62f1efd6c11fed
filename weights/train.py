"""One door to all training: ``python -m weights.train COMMAND``; ``au ...`` and ``eyes ...`` go to their models."""

from __future__ import annotations

import sys


def main() -> None:
    """Hand the command line to the package that owns the command."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["au"]:
        from weights.au.train import main as run

        run(arguments[1:])
    elif arguments[:1] == ["au-carry"]:
        from weights.au.carry import main as run

        run(arguments[1:])
    elif arguments[:1] == ["au-recentre"]:
        from weights.au.recentre import main as run

        run(arguments[1:])
    elif arguments[:1] == ["eyes"]:
        from weights.eyes.train import main as run

        run(arguments[1:])
    else:
        from weights.landmarks.train import main as run

        run(arguments)


if __name__ == "__main__":
    main()
