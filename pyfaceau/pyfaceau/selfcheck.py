"""Does this installation give the numbers that it should? A packaged image and clip, compared with stored values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pyclnf.errors import MissingModelError, PyCLNFError
from pymtcnn import PyMTCNNError

from .demo import DEMO_CLIP, DEMO_PORTRAIT
from .errors import PyFaceAUError
from .findings.layout import landmarks as landmarks_of
from .models import choose_models
from .output.columns import group_columns
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
UNEQUAL_SHARE = 0.014  # of the presences of a clip
_EVERY = 25  # frames of the clip between those whose values are stored

_SAID = {
    "landmarks": "{:.3f} px",
    "position": "{:.2f} mm",
    "rotation": "{:.4f} rad",
    "intensities": "{:.3f}",
    "presences": "{:.0f}",
}

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
    key : str
        Of the stored values: "open", "openface-clnf" or "openface-ceclm".
    figures : dict of str to (float, float)
        Differences by what they are of, each with its bound; empty where nothing was compared.
    """

    name: str
    state: State
    detail: str
    key: str = ""
    figures: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def worst(self) -> str:
        """Which figure comes nearest to its bound, or passes it furthest; empty where there are none."""
        # NaN is worse than any number.
        ranked = {
            name: value / bound if value == value else np.inf for name, (value, bound) in self.figures.items()
        }
        return max(ranked, key=ranked.__getitem__, default="")

    def said(self, figure: str) -> str:
        """Return a figure in words, such as "landmarks 0.003 px (0.1 is allowed)"."""
        value, bound = self.figures[figure]
        return f"{figure} {_SAID[figure].format(value)} ({bound:.3g} is allowed)"

    def __str__(self) -> str:
        """Say it in one line."""
        return f"self-check, {self.name}: {self.state} ({self.detail})"


# Name in the messages, key of the stored values, arguments of `choose_models`.
_SETS = (
    ("open models", "open", "open", "ceclm"),
    ("OpenFace with CLNF", "openface-clnf", "openface", "clnf"),
    ("OpenFace with CE-CLM", "openface-ceclm", "openface", "ceclm"),
)


def self_check(clip: bool = False) -> Iterator[ModelCheck]:
    """Analyse what is packaged with every set of models that is installed.

    Landmarks, head pose and action units are compared with stored values, within what two builds of OpenFace differ by.
    There are none for OpenFace's CE-CLM: its patch experts were never available to the project.

    Parameters
    ----------
    clip : bool
        Analyse the packaged clip: tracking, dynamic models and the final pass, which take some seconds. Else a portrait
        with the static models.

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
            yield ModelCheck(name, "not installed", f"missing files: {len(error.missing)}", key)
            continue
        except PyCLNFError as error:
            yield ModelCheck(name, "failed", str(error), key)
            continue
        try:
            found = (measure_clip if clip else measure)(models, landmarks)
        except (PyCLNFError, PyMTCNNError, PyFaceAUError) as error:
            yield ModelCheck(name, "failed", str(error), key)
        else:
            yield _compared(name, found, expected, key, "-clip" if clip else "")


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


def measure_clip(models: str, landmarks: str) -> dict[str, Any] | None:
    """Return landmarks, pose and action units of frames of the packaged clip, as they are stored.

    Parameters
    ----------
    models, landmarks : str
        As in `choose_models`.

    Returns
    -------
    dict or None
        As of `measure`, with a list of the frames' values in each place; None if the face is not tracked in all of
        them.
    """
    pipeline = FullPythonAUPipeline(models, landmarks, include=("pose", "aus", "landmarks"), threads=1)
    table = pipeline.process_video(DEMO_CLIP, progress=False).iloc[::_EVERY]
    if not (table["success"] == 1).all():
        return None
    columns = pipeline.au_intensity_names, pipeline.au_presence_names
    return {
        "landmarks": np.round(landmarks_of(table), 2).tolist(),
        "pose": np.round(table[list(group_columns("pose"))].to_numpy(np.float64), 5).tolist(),
        "intensities": {name[:4]: [round(float(v), 4) for v in table[name]] for name in columns[0]},
        "presences": {name[:4]: [int(v) for v in table[name]] for name in columns[1]},
    }


def _values(result: FrameResult) -> dict[str, Any]:
    return {
        "landmarks": np.round(result.landmarks.astype(np.float64), 3).tolist(),
        "pose": np.round(result.pose, 5).tolist(),
        "intensities": {name: round(value, 4) for name, value in result.au_intensities.items()},
        "presences": dict(result.au_presences),
    }


def _distance(found: dict[str, Any], expected: dict[str, Any]) -> float:
    """Return the mean distance of the landmarks; of a clip, in the frame where it is largest."""
    difference = np.asarray(found["landmarks"]) - np.asarray(expected["landmarks"])
    return float(np.linalg.norm(difference, axis=-1).mean(axis=-1).max())


def _compared(
    name: str, found: dict[str, Any] | None, stored: dict[str, Any], key: str, kind: str = ""
) -> ModelCheck:
    if found is None:
        where = "all frames of the packaged clip" if kind else "the packaged portrait"
        return ModelCheck(name, "failed", f"no face was found in {where}", key)
    if key + kind not in stored:
        distance = _distance(found, stored["openface-clnf" + kind])
        return ModelCheck(
            name,
            "no stored values",
            "the project has never had these files and cannot say what they should give; the landmarks are "
            f"{distance:.2f} px from those of CLNF on average",
            key,
        )
    expected = stored[key + kind]
    same_units = all(found[part].keys() == expected[part].keys() for part in ("intensities", "presences"))
    if not same_units:
        return ModelCheck(
            name, "failed", "the models have other action units than those of the stored values", key
        )
    pose = np.abs(np.subtract(found["pose"], expected["pose"]))
    units = np.array(
        [np.subtract(found["intensities"][au], value) for au, value in expected["intensities"].items()]
    )
    unequal = np.array(
        [np.not_equal(found["presences"][au], value) for au, value in expected["presences"].items()]
    )
    bound = UNEQUAL_SHARE * unequal.size if kind else UNEQUAL_PRESENCES
    figures = {
        "landmarks": (_distance(found, expected), LANDMARKS_PX),
        "position": (float(pose[..., :3].max()), TRANSLATION_MM),
        "rotation": (float(pose[..., 3:].max()), ROTATION_RAD),
        "intensities": (float(np.abs(units).mean()), INTENSITY),
        "presences": (float(unequal.sum()), bound),
    }
    # Not "value > bound", which is false for NaN.
    failed = [not value <= bound for value, bound in figures.values()]
    detail = ", ".join(f"{part} {_SAID[part].format(value)}" for part, (value, _) in figures.items())
    return ModelCheck(name, "failed" if any(failed) else "passed", f"differs by: {detail}", key, figures)
