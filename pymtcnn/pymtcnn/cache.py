"""The folder for what this machine works out once: the choice of an engine, compiled CoreML models."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["cache_folder", "key_of", "read_json", "write_json"]

# A record here has a few hundred bytes; anything larger is some other file.
_MAX_SIZE = 100_000


def cache_folder() -> Path:
    """Folder for this machine and user: ``$PYMTCNN_CACHE_DIR``, else ``pymtcnn`` where the system keeps caches."""
    chosen = os.environ.get("PYMTCNN_CACHE_DIR")
    if chosen:
        return Path(chosen)
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library/Caches/pymtcnn"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData/Local") / "pymtcnn/Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "pymtcnn"


def key_of(facts: dict[str, str]) -> str:
    """Name for what depends on the facts: 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def read_json(path: Path) -> dict[str, Any]:
    """Read a record; empty where there is none, or where it is damaged."""
    try:
        if path.stat().st_size > _MAX_SIZE:
            return {}
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def write_json(path: Path, values: dict[str, Any]) -> bool:
    """Write a record, whole or not at all; False where the folder refuses it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=path.name, suffix=".partial", delete=False
        ) as file:
            json.dump(values, file, indent=1, sort_keys=True)
        os.replace(file.name, path)
    except OSError:
        return False
    return True
