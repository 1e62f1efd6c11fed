"""Landmark models on this machine: OpenFace's, if the user has installed them, and the open pack."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .choice import warn_of_choice
from .errors import INSTALL_COMMAND, MissingModelError
from .io.description import (
    ModelDescription,
    read_model_description,
    read_part_description,
    read_submodel_description,
)
from .manifest import package_manifest
from .open_eyes import eyes_file
from .store import ModelStore

__all__ = [
    "DEFAULT_GROUPS",
    "OPEN_FOLDER",
    "LandmarkKind",
    "OpenFaceLandmarks",
    "best_landmarks",
    "landmark_files",
    "landmark_kind",
    "landmark_model_path",
    "main_model_path",
    "open_model_path",
    "openface_store",
    "packaged_file",
]

PathLike = str | os.PathLike[str]
LandmarkKind = Literal["ceclm", "clnf"]

DEFAULT_GROUPS = ("clnf", "ceclm")
OPEN_FOLDER = Path(__file__).parent / "models_open"
LABELS: dict[LandmarkKind, str] = {"ceclm": "CE-CLM", "clnf": "CLNF"}

_MAIN_FILES: dict[LandmarkKind, str] = {
    "ceclm": "lib/local/LandmarkDetector/model/main_ceclm_general.txt",
    "clnf": "lib/local/LandmarkDetector/model/main_clnf_general.txt",
}
_OPEN_MAIN = "main_ceclm_general.txt"
_PACKAGED = re.compile(r"pyclnf:(\w[\w.-]*)")  # a plain name: no reference leads out of the pack


def openface_store(folder: PathLike | None = None) -> ModelStore:
    """Return the store of OpenFace's landmark models.

    Parameters
    ----------
    folder : path-like, optional
        Look only here; see `ModelStore`.
    """
    return ModelStore(package_manifest("pyclnf"), folder)


def landmark_model_path(model: PathLike = "auto") -> Path:
    """Return the main description of a landmark model by name.

    Parameters
    ----------
    model : {"auto", "ceclm", "clnf", "open"} or path-like
        "ceclm", "clnf": OpenFace's. "open": the pack that ships with pyclnf. "auto": OpenFace's CE-CLM if it is
        installed, else OpenFace's CLNF, else open; whatever is not the first is a `ModelChoiceWarning`. Or the
        path of a main model file, which is returned as it is.

    Raises
    ------
    MissingModelError
        Names the missing files and the command that installs them.
    """
    if model == "open":
        return open_model_path()
    if model in _MAIN_FILES:
        return main_model_path(openface_store(), str(model))
    if model != "auto":
        return Path(model)
    try:
        best = best_landmarks(openface_store())
    except MissingModelError as error:
        path, name = open_model_path(), "open"
        chosen = f"The open CE-CLM landmark model is used {because(error)}"
    else:
        path, name = best.path, best.kind
        if best.without is None:
            return path
        chosen = f"OpenFace's {LABELS[best.kind]} landmark model is used {because(best.without)}"
    warn_of_choice(
        f'{chosen}. Run `{INSTALL_COMMAND}` to get them, or pass "{name}" to use this model without a warning.'
    )
    return path


def because(missing: MissingModelError) -> str:
    """Give missing files as the reason of a choice."""
    number = len(missing.missing)
    return f"because {number} of OpenFace's files {'is' if number == 1 else 'are'} missing"


def main_model_path(store: ModelStore, kind: str) -> Path:
    """Return the main description of one of OpenFace's landmark models, whose files are all in one place.

    Parameters
    ----------
    store : ModelStore
        Where to look.
    kind : {"ceclm", "clnf"}

    Raises
    ------
    ValueError
        Unknown kind.
    MissingModelError
        Names exactly the files that are missing.
    """
    if kind not in _MAIN_FILES:
        raise ValueError(f"the landmark models of OpenFace are 'ceclm' and 'clnf', not {kind!r}")
    try:
        return store.complete(kind, _MAIN_FILES[kind])
    except MissingModelError as error:
        if kind == "ceclm" and not store.missing("clnf"):
            hint = f'"clnf" is installed and can be used instead. {error.hint}'
            raise MissingModelError(error.missing, hint, error.remedy) from None
        raise


@dataclass(frozen=True)
class OpenFaceLandmarks:
    """The best landmark model of OpenFace that is installed.

    Attributes
    ----------
    path : Path
        Main description.
    kind : {"ceclm", "clnf"}
    without : MissingModelError or None
        Why it is not the very best.
    """

    path: Path
    kind: LandmarkKind
    without: MissingModelError | None


def best_landmarks(store: ModelStore) -> OpenFaceLandmarks:
    """Return OpenFace's CE-CLM model if it is installed, else its CLNF model.

    Raises
    ------
    MissingModelError
        Neither is installed; names the files of CE-CLM.
    """
    try:
        return OpenFaceLandmarks(main_model_path(store, "ceclm"), "ceclm", None)
    except MissingModelError as error:
        try:
            return OpenFaceLandmarks(main_model_path(store, "clnf"), "clnf", error)
        except MissingModelError:
            raise error from None


def open_model_path() -> Path:
    """Return the main landmark description of the open pack that is packaged with pyclnf.

    Raises
    ------
    MissingModelError
        This installation of pyclnf came without the pack.
    """
    path = OPEN_FOLDER / _OPEN_MAIN
    if not path.is_file():
        raise MissingModelError([path], remedy="Install pyclnf again, with its open model pack")
    return path


def packaged_file(reference: str) -> Path | None:
    """Return the file of the open pack that a description of another package refers to.

    Parameters
    ----------
    reference : str
        "pyclnf:" and the name of a file, such as "pyclnf:pdm_68_open.txt".

    Returns
    -------
    Path or None
        None if `reference` is not of this form.
    """
    match = _PACKAGED.fullmatch(reference)
    return None if match is None else OPEN_FOLDER / match[1]


def landmark_kind(main: PathLike) -> LandmarkKind:
    """Say whether a main landmark description is of CE-CLM or of CLNF.

    Parameters
    ----------
    main : path-like
        A `main_*.txt` file.

    Returns
    -------
    {"ceclm", "clnf"}

    Raises
    ------
    MissingModelError, ModelFileError
        The description, or the sub-model description that it names, is missing or malformed.
    """
    sub = read_submodel_description(read_model_description(main).landmark_detector)
    return "ceclm" if sub.cen else "clnf"


def landmark_files(main: PathLike) -> list[Path]:
    """List every file that a main landmark description needs, itself first.

    Parameters
    ----------
    main : path-like
        A `main_*.txt` file.

    Returns
    -------
    list of Path
        Absolute, each file once; files that are only named but do not exist are included.

    Raises
    ------
    MissingModelError, ModelFileError
        A description is missing or malformed.
    """
    return once(_files_of(read_model_description(main)))


def _files_of(model: ModelDescription) -> list[Path]:
    sub = read_submodel_description(model.landmark_detector)
    files = [model.path, sub.path, sub.pdm, *sub.ccnf, *sub.cen, *sub.svr]
    optional = (sub.early_termination, model.validator, eyes_file(model.path))
    files += [path for path in optional if path is not None]
    for part in model.parts:
        files += _files_of(read_part_description(part.path))
    return files


def once(files: Iterable[Path]) -> list[Path]:
    """Make paths absolute and drop repetitions; links are not followed."""
    return list(dict.fromkeys(Path(os.path.abspath(path)) for path in files))
