"""Tells PyInstaller where this package's hook is."""

from __future__ import annotations

from pathlib import Path


def get_hook_dirs() -> list[str]:
    """Folder of the hook, for the entry point ``pyinstaller40``."""
    return [str(Path(__file__).parent)]
