"""Loads the packages' own gold modules, which return figures and know nothing of tables."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).resolve().parents[2]


def gold_module(package: str, name: str) -> ModuleType:
    """Load `<package>/tests/<name>.py`, which may import helpers that lie beside it."""
    path = REPOSITORY / package / "tests" / f"{name}.py"
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
