"""Reads OpenFace's action-unit model files: description, list of predictors, one file a predictor."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyclnf.errors import MissingModelError, ModelFileError
from pyclnf.io import BinaryReader
from pyclnf.io.text import read_text_file
from pyclnf.models import once, packaged_file

from ..errors import INSTALL_REMEDY

# OpenFace 2.2: the type number that starts a predictor file -> (is an intensity, is dynamic).
_KINDS = {0: (True, False), 1: (True, True), 4: (False, False), 5: (False, True)}
_NAME = re.compile(r"AU[0-9][0-9]")
_MOST_PREDICTORS = 200  # an intensity and a presence of each possible name


@dataclass(frozen=True, eq=False)
class AUModel:
    """One linear model: support vector regression of an intensity, or classification of a presence.

    The score of a feature vector x is ``(x - means) @ weights + bias``; dynamic models subtract the running
    median of the sequence from x as well.

    Attributes
    ----------
    name : str
        Action unit, "AU01".
    intensity : bool
        True for an intensity, False for a presence.
    dynamic : bool
        Whether the running median is subtracted.
    means, weights : ndarray of shape (d,), float64
    bias : float
    cutoff : float or None
        Dynamic intensities: the quantile of a sequence that counts as rest; None or -1 for no such
        correction.
    positive, negative : float
        Presences: value when the score is above 0, and otherwise. In most of OpenFace's files a positive
        score means absence.
    suffix : str
        Added to the name of the output where models of two sets run together.
    """

    name: str
    intensity: bool
    dynamic: bool
    means: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: float
    cutoff: float | None = None
    positive: float = 1.0
    negative: float = 0.0
    suffix: str = ""

    @property
    def column(self) -> str:
        """Name of its output: "AU01_r" or "AU01_c", and the suffix."""
        return f"{self.name}_{'r' if self.intensity else 'c'}{self.suffix}"


@dataclass(frozen=True, eq=False)
class AUModelSet:
    """What a main description (`main_dynamic_svms.txt`) names.

    Attributes
    ----------
    path : Path
        The description.
    models : tuple of AUModel
        In the order of the list.
    pdm, triangulation : Path
        Shape model and triangles of the face mask.
    files : tuple of Path
        Every file that belongs to the set, for hashes and provenance.
    """

    path: Path
    models: tuple[AUModel, ...]
    pdm: Path
    triangulation: Path
    files: tuple[Path, ...]


def read_au_models(path: str | os.PathLike[str]) -> AUModelSet:
    """Read a main description of action-unit models and all predictors that it names.

    Parameters
    ----------
    path : path-like
        `main_dynamic_svms.txt`, `main_static_svms.txt` or a file like them.

    Returns
    -------
    AUModelSet

    Raises
    ------
    MissingModelError
        If a file does not exist. (OpenFace leaves out the action units of a missing predictor without a
        word.)
    ModelFileError
        If a file is malformed, an action unit has two models of one kind, or the models expect different
        features.
    """
    main = Path(path)
    au_list, pdm, triangulation = _description(main)
    predictors = [(au_list.parent / file, name) for file, name in _description_lines(au_list)]
    absent = [
        file for file in (pdm, triangulation, *(file for file, _ in predictors)) if not _is_there(file, main)
    ]
    if absent:
        raise MissingModelError(absent, remedy=INSTALL_REMEDY)
    if len(predictors) > _MOST_PREDICTORS:
        raise ModelFileError(au_list, None, f"it lists more than {_MOST_PREDICTORS} predictors")
    models = tuple(_read_predictor(file, name, au_list) for file, name in predictors)
    _check_set(au_list, models)
    files = (main, au_list, pdm, triangulation, *dict.fromkeys(file for file, _ in predictors))
    return AUModelSet(main, models, pdm, triangulation, files)


def au_files(path: str | os.PathLike[str]) -> list[Path]:
    """List every file that a main description of action-unit models needs, itself first.

    Parameters
    ----------
    path : path-like
        A `main_dynamic_svms.txt` or `main_static_svms.txt` file.

    Returns
    -------
    list of Path
        Absolute, each file once; files that are only named but do not exist are included.

    Raises
    ------
    MissingModelError, ModelFileError
        A description is missing or malformed.
    """
    main = Path(path)
    au_list, pdm, triangulation = _description(main)
    predictors = (au_list.parent / file for file, _ in _description_lines(au_list))
    return once([main, au_list, pdm, triangulation, *predictors])


def _description(main: Path) -> tuple[Path, Path, Path]:
    """Return the list of predictors, the shape model and the triangulation that a main description names."""
    entries = dict(_description_lines(main))
    missing = [key for key in ("AUPredictor", "PDM", "Triangulation") if not entries.get(key)]
    if missing:
        raise ModelFileError(
            main, None, f"no {missing[0]} line: this is not a description of action-unit models"
        )
    # The open pack shares the shape model of the landmarks, which another package brings.
    pdm = packaged_file(entries["PDM"]) or main.parent / entries["PDM"]
    return main.parent / entries["AUPredictor"], pdm, main.parent / entries["Triangulation"]


def _description_lines(path: Path) -> list[tuple[str, str]]:
    """Split each line of a text file into its first word and the rest."""
    try:
        text = read_text_file(path).decode("utf-8")
    except MissingModelError:
        raise MissingModelError([path], remedy=INSTALL_REMEDY) from None
    except UnicodeDecodeError as error:
        raise ModelFileError(path, error.start, "expected a text file, this is binary") from None
    if "\0" in text:
        raise ModelFileError(path, text.index("\0"), "expected a text file, this is binary")
    words = (line.strip().partition(" ") for line in text.splitlines())
    return [(first, rest.strip()) for first, _, rest in words if first and not first.startswith("#")]


def _is_there(file: Path, main: Path) -> bool:
    try:
        return file.is_file()
    except OSError as error:  # a name that is too long
        raise ModelFileError(
            main, None, f"it names a file that cannot be ({error.strerror or error})"
        ) from error


def _read_predictor(path: Path, name: str, au_list: Path) -> AUModel:
    """Read one predictor file."""
    if not _NAME.fullmatch(name):
        raise ModelFileError(
            au_list, None, f"{path.name} must be followed by one action unit, found {name!r}"
        )
    reader = BinaryReader(path)
    kind = reader.i32("the predictor type")
    if kind not in _KINDS:
        raise reader.error(f"predictor type {kind} is not one of {sorted(_KINDS)}", 0)
    intensity, dynamic = _KINDS[kind]
    cutoff = reader.f64("the cutoff") if intensity and dynamic else None
    if cutoff is not None and cutoff != -1 and not 0 <= cutoff < 1:
        raise reader.error(f"the cutoff {cutoff} is not a quantile", 4)
    means = reader.vector(np.float64, None, "the means")
    weights = reader.vector(np.float64, means.size, "the weights")
    bias = reader.f64("the bias")
    positive, negative = (1.0, 0.0) if intensity else (reader.f64("a class"), reader.f64("a class"))
    reader.expect_end()
    return AUModel(name, intensity, dynamic, means, weights, bias, cutoff, positive, negative)


def _check_set(path: Path, models: tuple[AUModel, ...]) -> None:
    """Refuse a set that is empty, names something twice or mixes feature vectors."""
    if not models:
        raise ModelFileError(path, None, "no predictors are listed")
    seen = set()
    for model in models:
        key = (model.name, model.intensity)
        if key in seen:
            kind = "intensity" if model.intensity else "presence"
            raise ModelFileError(path, None, f"{model.name} has two {kind} predictors")
        seen.add(key)
    sizes = {model.weights.size for model in models}
    if len(sizes) > 1:
        raise ModelFileError(
            path, None, f"the predictors expect feature vectors of different sizes {sorted(sizes)}"
        )
