"""What an import brings along: nothing that only some users need, and nothing that is slow without reason."""

from __future__ import annotations

import subprocess
import sys

import pytest

LATER = (
    "matplotlib",
    "pooch",
    "requests",
    "rich",
    "tkinter",
    "typer",
)  # when they are needed (pandas itself imports pyarrow where it is)
NEVER = ("joblib", "mtcnn", "numba", "scipy", "sklearn", "tensorflow", "torch")
SLOW = ("cv2", "numpy", "pandas")


def modules_after(statement: str) -> set[str]:
    """Top-level modules that a statement loads into a fresh interpreter."""
    program = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "needs", "unwanted"),
    [
        ("import pyfaceau", (), (*SLOW, *LATER, *NEVER)),
        # pandas takes as long as all the rest, and is needed when there is a table; PyAV when there is a video, and
        # pymtcnn when there is a pipeline: the two are a fifth.
        (
            "from pyfaceau import FullPythonAUPipeline",
            ("cv2", "numpy"),
            ("pandas", "av", "pymtcnn", "email", *LATER, *NEVER),
        ),
        ("import pyclnf", ("numpy",), ("cv2", "pandas", "pymtcnn", *LATER, *NEVER)),
        ("import pymtcnn", ("numpy",), ("cv2", "pandas", "pyclnf", "email", *LATER, *NEVER)),
        ("import pyfhog", ("numpy",), ("cv2", "pandas", "pyclnf", *LATER, *NEVER)),
        ("import pyfaceau.cli.app", ("typer",), ("cv2", "pandas", "matplotlib", "tkinter", "pooch", *NEVER)),
    ],
)
def test_import_loads_only_what_it_needs(statement, needs, unwanted):
    loaded = modules_after(statement)
    assert loaded >= set(needs)
    assert not loaded & set(unwanted)
