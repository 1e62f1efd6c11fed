"""Does this installation give the numbers that it should? One packaged image, compared with stored values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pyclnf.errors import MissingModelError, PyCLNFError
from pymtcnn import PyMTCNNError

from .demo import DEMO_PORTRAIT
from .errors import PyFaceAUError
from .models import choose_models
from .pipeline import FullPythonAUPipeline
from .result import FrameResult

EXPECTED = Path(__file__).with_name("selfcheck.json")

# What two builds of OpenFace itself differ by, in the mean over the landmarks of a still face: up to 0.084 px.
LANDMARKS_PX = 0.1
# On video 0.0001 rad and 0.007 mm in the median. A shift of 0.1 px of a face of 200 px is some 0.002 rad and, half a
# metre away, some 0.25 mm: what the landmarks are allowed must be allowed here too.
ROTATION_RAD, TRANSLATION_MM = 0.005, 0.5
# From the same builds: mean absolute difference of intensities of single frames on video, 0.022 to 0.033; presences,
# 98.6 to 99.4 % equal.
INTENSITY, UNEQUAL_PRESENCES = 0.033, 1

State = Literal["passed", "failed", "not installed", "no stored values"]


@dataclass(frozen=True)
class ModelCheck:
    """How one set of models did.

    Attributes
    ----------
    name : str
        Which set.
    state : {"passed", "failed", "not installed", "no stored values"}
    detail : str
        Figures, or what is missing; one line.
    """

    name: str
    state: State
    detail: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"self-check, {self.name}: {self.state} ({self.detail})"


# Name in the messages, key of the stored values, arguments of `choose_models`.
_SETS = (
    ("open models", "open", "open", "ceclm"),
    ("OpenFace with CLNF", "openface-clnf", "openface", "clnf"),
    ("OpenFace with CE-CLM", "openface-ceclm", "openface", "ceclm"),
)


def self_check() -> Iterator[ModelCheck]:
    """Analyse the packaged portrait with every set of models that is installed.

    Landmarks, head pose and static action units are compared with stored values, within what two builds of
    OpenFace differ by. There are none for OpenFace's CE-CLM: its patch experts were never available to the project.

    Yields
    ------
    ModelCheck
        Each set as soon as it is done.
    """
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))
    for name, key, models, landmarks in _SETS:
        try:
            choose_models(models, landmarks)
        except MissingModelError as error:
            yield ModelCheck(name, "not installed", f"missing files: {len(error.missing)}")
            continue
        except PyCLNFError as error:
            yield ModelCheck(name, "failed", str(error))
            continue
        try:
            found = measure(models, landmarks)
        except (PyCLNFError, PyMTCNNError, PyFaceAUError) as error:
            yield ModelCheck(name, "failed", str(error))
        else:
            yield _compared(name, found, expected, key)


def measure(models: str, landmarks: str) -> dict[str, Any] | None:
    """Return landmarks, pose and action units of the packaged portrait, as they are stored.

    Parameters
    ----------
    models, landmarks : str
        As in `choose_models`.

    Returns
    -------
    dict or None
        None if no face is found.
    """
    pipeline = FullPythonAUPipeline(models, landmarks, include=("pose", "aus", "landmarks"), threads=1)
    results = pipeline.process_image(DEMO_PORTRAIT)
    return _values(results[0]) if results else None


def _values(result: FrameResult) -> dict[str, Any]:
    return {
        "landmarks": np.round(result.landmarks.astype(np.float64), 3).tolist(),
        "pose": np.round(result.pose, 5).tolist(),
        "intensities": {name: round(value, 4) for name, value in result.au_intensities.items()},
        "presences": dict(result.au_presences),
    }


def _distance(found: dict[str, Any], expected: dict[str, Any]) -> float:
    difference = np.asarray(found["landmarks"]) - np.asarray(expected["landmarks"])
    return float(np.linalg.norm(difference, axis=1).mean())


def _compared(name: str, found: dict[str, Any] | None, stored: dict[str, Any], key: str) -> ModelCheck:
    if found is None:
        return ModelCheck(name, "failed", "no face was found in the packaged portrait")
    if key not in stored:
        distance = _distance(found, stored["openface-clnf"])
        return ModelCheck(
            name,
            "no stored values",
            "the project has never had these files and cannot say what they should give; the landmarks are "
            f"{distance:.2f} px from those of CLNF on average",
        )
    expected = stored[key]
    same_units = all(found[kind].keys() == expected[kind].keys() for kind in ("intensities", "presences"))
    if not same_units:
        return ModelCheck(
            name, "failed", "the models have other action units than those of the stored values"
        )
    pose = np.abs(np.subtract(found["pose"], expected["pose"]))
    units = np.array([abs(found["intensities"][au] - value) for au, value in expected["intensities"].items()])
    unequal = sum(found["presences"][au] != value for au, value in expected["presences"].items())
    figures = {
        "landmarks {:.3f} px": (_distance(found, expected), LANDMARKS_PX),
        "position {:.2f} mm": (float(pose[:3].max()), TRANSLATION_MM),
        "rotation {:.4f} rad": (float(pose[3:].max()), ROTATION_RAD),
        "intensities {:.3f}": (float(units.mean()), INTENSITY),
        "presences {:.0f}": (float(unequal), UNEQUAL_PRESENCES),
    }
    # Not "value > bound", which is false for NaN.
    failed = [not value <= bound for value, bound in figures.values()]
    detail = ", ".join(text.format(value) for text, (value, _) in figures.items())
    return ModelCheck(name, "failed" if any(failed) else "passed", f"differs by: {detail}")
