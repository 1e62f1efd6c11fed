"""The NumPy form of all kernels against the compiled one, on the beginning of the demo clip; only if it is named."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from table import Row

FRAMES = 24
# px, units: what two builds of the C++ differ by on average. Few were compared, and with other kernels of OpenBLAS this
# form alone differs from 0.019 to 0.026 units from the compiled one, so half as much again.
LANDMARKS, INTENSITIES = 1.5 * 0.025, 1.5 * 0.022

PROGRAM = """
import sys, itertools
import numpy as np
from pyfaceau import FullPythonAUPipeline
from pyfaceau.demo import DEMO_CLIP
from pyfaceau.video import open_video

pipeline = FullPythonAUPipeline(models="open")
with open_video(DEMO_CLIP) as source:
    results = [pipeline.process_frame(frame.image) for frame in itertools.islice(source, int(sys.argv[1]))]
names = sorted(name for name in results[0].au_intensities)
np.savez(
    sys.argv[2],
    landmarks=[result.landmarks for result in results],
    intensities=[[result.au_intensities[name] for name in names] for result in results],
)
"""


def rows(shared: Path) -> Iterator[Row]:
    """Compare landmarks and intensities."""
    del shared
    landmarks, intensities = differences(FRAMES)
    yield Row(
        f"NumPy form against compiled, {FRAMES} frames of the demo clip",
        f"landmarks {LANDMARKS} px, intensities {INTENSITIES} on average",
        f"landmarks {landmarks.mean():.4f} px, intensities {intensities.mean():.4f}",
        bool(landmarks.mean() <= LANDMARKS and intensities.mean() <= INTENSITIES),
    )


def differences(frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances of landmarks (frames, 68), px, and differences of intensities (frames, units) before the final pass."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYFACEAU_INSTRUCTION_SET"}
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for choice in ({}, {"PYFACEAU_INSTRUCTION_SET": "numpy"}):
            path = Path(folder) / f"{len(found)}.npz"
            command = [sys.executable, "-W", "error::UserWarning", "-c", PROGRAM, str(frames), str(path)]
            subprocess.run(command, check=True, cwd=folder, env=inherited | choice)
            with np.load(path) as data:
                found.append({name: data[name] for name in data.files})
    compiled, plain = found
    landmarks = np.linalg.norm(compiled["landmarks"] - plain["landmarks"], axis=-1)
    return landmarks, np.abs(compiled["intensities"] - plain["intensities"])
