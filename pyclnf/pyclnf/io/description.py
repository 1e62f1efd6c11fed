"""Model descriptions: the small text files that say which model files belong together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from math import nan
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import ModelFileError
from .text import TextReader, read_text_file


@dataclass(frozen=True, eq=False)
class PartDescription:
    """A nested model of some of the landmarks.

    Attributes
    ----------
    path : Path
        Main description of the part.
    name : str
        Selects the part's fitting parameters ("left_eye_28", "right_eye_28", "inner").
    pairs : ndarray, shape (k, 2), int32
        Landmark index in the parent, landmark index in the part.
    """

    path: Path
    name: str
    pairs: npt.NDArray[np.int32]


@dataclass(frozen=True)
class FitFactors:
    """How a model's fit departs from OpenFace's settings for CLNF.

    Attributes
    ----------
    sigma : float
        Times the width of the kernel density estimate.
    regularisation : float
        Times the weight of the shape prior.
    """

    sigma: float = 1.0
    regularisation: float = 1.0


CECLM_FACTORS = FitFactors(1.5, 0.9)
# OpenFace knows CE-CLM by the name of its file. OpenFace 2.2: LandmarkDetectorParameters.cpp
_CECLM_NAME = "main_ceclm_general"
_FACTOR_NAMES = {"sigma_factor": "sigma", "regularisation_factor": "regularisation"}
_MOST_FILES = 16  # of one kind in a sub-model; OpenFace's have four scales
_FACTOR_RANGE = (0.01, 100.0)


@dataclass(frozen=True, eq=False)
class ModelDescription:
    """A main description (`main_*.txt`).

    Attributes
    ----------
    path : Path
        This file.
    landmark_detector : Path
        Its sub-model description.
    parts : tuple of PartDescription
        Nested models in file order, in which their results are merged.
    validator : Path or None
        Detection validator.
    fit_factors : FitFactors
        Of its FitSettings line. Without one, OpenFace's rule: those of CE-CLM for a file named
        ``main_ceclm_general``, of CLNF for any other.
    """

    path: Path
    landmark_detector: Path
    parts: tuple[PartDescription, ...]
    validator: Path | None
    fit_factors: FitFactors


@dataclass(frozen=True)
class SubModelDescription:
    """A sub-model description (`clnf_*.txt`, `cen_general.txt`).

    Attributes
    ----------
    path : Path
        This file.
    pdm : Path
        Point distribution model.
    ccnf, cen, svr : tuple of Path
        Patch experts, one file per scale, in the order of the scales.
    early_termination : Path or None
        Early-termination thresholds.
    """

    path: Path
    pdm: Path
    ccnf: tuple[Path, ...]
    cen: tuple[Path, ...]
    svr: tuple[Path, ...]
    early_termination: Path | None


@dataclass(frozen=True, eq=False)
class EarlyTermination:
    """Thresholds on the likelihood above which no further starting poses are tried.

    Attributes
    ----------
    weights, biases, cutoffs : ndarray, shape (v,), float64
        One value per view.
    """

    weights: npt.NDArray[np.float64]
    biases: npt.NDArray[np.float64]
    cutoffs: npt.NDArray[np.float64]


def description_lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield (byte offset, key, rest of the line) of each line that holds a key."""
    offset = 0
    for raw in read_text_file(path).split(b"\n"):
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise ModelFileError(path, offset, "a model description must be UTF-8 text") from None
        if "\0" in line:
            raise ModelFileError(
                path, offset, "a model description must be a text file, but this is a binary file"
            )
        key, _, rest = line.strip().partition(" ")
        if key and not key.startswith("#"):
            yield offset, key, rest.strip()
        offset += len(raw) + 1


def read_model_description(path: str | os.PathLike[str]) -> ModelDescription:
    """Read a main description; unknown keys are ignored, as in OpenFace.

    Parameters
    ----------
    path : path-like
        A `main_*.txt` file. A line ``FitSettings sigma_factor 1.5 regularisation_factor 0.9``, which OpenFace ignores,
        says how the model is fitted whatever the file's name.

    Returns
    -------
    ModelDescription
        Paths are resolved against the folder of `path`; whether they exist is not checked here.

    Raises
    ------
    MissingModelError, ModelFileError
        No such file; or no LandmarkDetector line, or a line that cannot be understood.
    """
    path = Path(path)
    detector: Path | None = None
    validator: Path | None = None
    parts: list[PartDescription] = []
    fit: FitFactors | None = None
    for offset, key, rest in description_lines(path):
        if key == "FitSettings":
            if fit is not None:
                raise ModelFileError(path, offset, "a second FitSettings line")
            fit = _fit_factors(path, offset, rest.split())
        if key not in ("LandmarkDetector", "LandmarkDetector_part", "DetectionValidator"):
            continue
        words = rest.split()
        if not words:
            raise ModelFileError(path, offset, f"{key} names no file")
        target = path.parent / words[0]
        if key == "LandmarkDetector":
            detector = target
        elif key == "DetectionValidator":
            validator = target
        else:
            part = PartDescription(target, *_part_fields(path, offset, words[1:]))
            if any(part.name == other.name for other in parts):
                raise ModelFileError(path, offset, f"a second part {part.name}")
            parts.append(part)
    if detector is None:
        raise ModelFileError(path, None, "no LandmarkDetector line: this is not a main model description")
    if fit is None:
        fit = CECLM_FACTORS if path.stem == _CECLM_NAME else FitFactors()
    return ModelDescription(path, detector, tuple(parts), validator, fit)


def read_part_description(path: str | os.PathLike[str]) -> ModelDescription:
    """Read the main description of a part, which must not have parts in turn.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    ModelDescription

    Raises
    ------
    MissingModelError, ModelFileError
        As of `read_model_description`; or the part has parts.
    """
    description = read_model_description(path)
    if description.parts:
        raise ModelFileError(path, None, "a part of a model has parts of its own")
    return description


def _fit_factors(path: Path, offset: int, words: list[str]) -> FitFactors:
    values: dict[str, float] = {}
    low, high = _FACTOR_RANGE
    for name, word in zip_longest(words[::2], words[1::2], fillvalue=""):
        try:
            value = float(word)
        except ValueError:
            value = nan
        if name not in _FACTOR_NAMES or _FACTOR_NAMES[name] in values or not low <= value <= high:
            raise ModelFileError(
                path,
                offset,
                f"FitSettings takes {' and '.join(_FACTOR_NAMES)}, each once and followed by a number from "
                f"{low} to {high}, not '{name} {word}'",
            )
        values[_FACTOR_NAMES[name]] = value
    return FitFactors(**values)


def _part_fields(path: Path, offset: int, words: list[str]) -> tuple[str, npt.NDArray[np.int32]]:
    try:
        name, indices = words[0], np.array([int(word) for word in words[1:]], np.int32)
    except (IndexError, ValueError, OverflowError):
        raise ModelFileError(path, offset, "a part needs a file, a name and landmark indices") from None
    if indices.size == 0 or indices.size % 2 or (indices < 0).any():
        raise ModelFileError(path, offset, f"part {name} needs pairs of landmark indices, none negative")
    return name, indices.reshape(-1, 2)


def read_submodel_description(path: str | os.PathLike[str]) -> SubModelDescription:
    """Read a sub-model description; unknown keys are ignored, as in OpenFace.

    Parameters
    ----------
    path : path-like
        The file that a LandmarkDetector line names.

    Returns
    -------
    SubModelDescription
        Paths are resolved against the folder of `path`; whether they exist is not checked here.

    Raises
    ------
    MissingModelError, ModelFileError
        No such file; or no PDM, or no patch experts.
    """
    path = Path(path)
    files: dict[str, list[Path]] = {
        key: [] for key in ("PDM", "PatchesCCNF", "PatchesCEN", "PatchesIntensity", "EarlyTermination")
    }
    for offset, key, rest in description_lines(path):
        if key in files:
            if not rest:
                raise ModelFileError(path, offset, f"{key} names no file")
            files[key].append(path.parent / rest)
            if len(files[key]) > _MOST_FILES:
                raise ModelFileError(path, offset, f"more than {_MOST_FILES} files under {key}")
    if not files["PDM"]:
        raise ModelFileError(path, None, "no PDM line: this is not a sub-model description")
    if not (files["PatchesCCNF"] or files["PatchesCEN"] or files["PatchesIntensity"]):
        raise ModelFileError(path, None, "no patch experts are named")
    return SubModelDescription(
        path,
        files["PDM"][-1],
        tuple(files["PatchesCCNF"]),
        tuple(files["PatchesCEN"]),
        tuple(files["PatchesIntensity"]),
        files["EarlyTermination"][-1] if files["EarlyTermination"] else None,
    )


def read_early_termination(path: str | os.PathLike[str]) -> EarlyTermination:
    """Read early-termination thresholds: all weights, then all biases, then all cutoffs.

    Parameters
    ----------
    path : path-like
        Text file of three numbers per view.

    Returns
    -------
    EarlyTermination

    Raises
    ------
    MissingModelError, ModelFileError
        No such file; or the count of numbers is not a multiple of three.
    """
    reader = TextReader(path)
    if reader.remaining == 0 or reader.remaining % 3:
        raise reader.error(f"{reader.remaining} numbers, expected three for each view")
    n_views = reader.remaining // 3
    return EarlyTermination(
        reader.f64s(n_views, "the weights"),
        reader.f64s(n_views, "the biases"),
        reader.f64s(n_views, "the cutoffs"),
    )
