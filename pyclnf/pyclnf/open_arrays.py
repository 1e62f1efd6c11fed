"""Files of the open pack that stand beside a model's main file: archives of named arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Final

EYES_FILE: Final = "eyes_open.npz"
HEAD_FILE: Final = "head_open.npz"


def beside(main_file: Path, name: str) -> Path | None:
    """File of that name beside a model's main file; None where there is none."""
    path = main_file.with_name(name)
    return path if path.is_file() else None


def open_files(main_file: Path) -> list[Path]:
    """List the open pack's own files beside a model's main file."""
    found = (beside(main_file, name) for name in (EYES_FILE, HEAD_FILE))
    return [path for path in found if path is not None]
