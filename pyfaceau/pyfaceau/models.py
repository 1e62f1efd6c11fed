"""The models of an analysis: which set is used, why, and the hashes of its files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pyclnf.choice import warn_of_choice
from pyclnf.download import cached_sha256
from pyclnf.errors import INSTALL_COMMAND, MissingModelError
from pyclnf.models import (
    AU_DYNAMIC,
    AU_STATIC,
    OPEN_FOLDER,
    LandmarkKind,
    ModelStore,
    au_files,
    landmark_files,
    landmark_kind,
    open_model_path,
)

__all__ = ["OPEN_AU_FOLDER", "ModelSet", "ModelStore", "choose_models"]

PathLike = str | os.PathLike[str]
SetName = Literal["openface", "open", "folder"]

OPEN_AU_FOLDER = Path(__file__).parent / "models_open"
_KINDS: tuple[LandmarkKind, ...] = ("ceclm", "clnf")  # best first
_LABELS = {"ceclm": "CE-CLM", "clnf": "CLNF"}
_NOT_INTERCHANGEABLE = "their values are not interchangeable with those of OpenFace's models"


@dataclass(frozen=True)
class ModelSet:
    """The models that one analysis uses.

    Attributes
    ----------
    name : str
        "openface", "open", or the folder that was given.
    landmarks : Path
        Main landmark description.
    landmarks_kind : {"ceclm", "clnf"}
        What `landmarks` describes.
    au_dynamic, au_static : Path
        Main AU descriptions.
    mtcnn : Path or None
        Face detector's description; None for the weights that pymtcnn finds by itself.
    choice : str
        What was chosen and why, in one sentence that does not depend on the machine.
    fallback : bool
        Something better or asked for was not there, and the numbers depend on it.
    roots : tuple of (str, Path)
        Folders below which the files lie, and what `sha256` calls them.
    """

    name: str
    landmarks: Path
    landmarks_kind: LandmarkKind
    au_dynamic: Path
    au_static: Path
    mtcnn: Path | None
    choice: str
    fallback: bool
    roots: tuple[tuple[str, Path], ...]

    def files(self) -> tuple[Path, ...]:
        """List every model file of the set, once."""
        files = [*landmark_files(self.landmarks), *au_files(self.au_dynamic), *au_files(self.au_static)]
        if self.mtcnn is not None:
            files += [self.mtcnn, *sorted(self.mtcnn.parent.glob("?Net.dat"))]
        return tuple(dict.fromkeys(Path(os.path.abspath(path)) for path in files))

    def sha256(self) -> dict[str, str]:
        """Return the SHA-256 of every model file.

        Each file is read once per process, and again if it changes.

        Returns
        -------
        dict of str to str
            Keys are the same on every machine: "openface/lib/local/...", "open/pyclnf/...", or, for a landmark
            model that was given by path, "own/..." with the path from its main description.

        Raises
        ------
        MissingModelError
            A file is gone.
        """
        files = self.files()
        missing = [path for path in files if not path.is_file()]
        if missing:
            raise MissingModelError(missing)
        return {self._key(path): cached_sha256(path) for path in files}

    def _key(self, path: Path) -> str:
        for name, root in self.roots:
            if path.is_relative_to(root):
                return f"{name}/{path.relative_to(root).as_posix()}"
        try:
            relative = Path(os.path.relpath(path, Path(os.path.abspath(self.landmarks)).parent))
        except ValueError:  # Windows: another drive
            relative = Path(path.name)
        return f"own/{relative.as_posix()}"


def choose_models(models: PathLike = "auto", landmarks: PathLike = "auto") -> ModelSet:
    """Choose the models of an analysis.

    A choice that changes the numbers and was not asked for is a `ModelChoiceWarning`, once per process, and
    `ModelSet.choice` says what was chosen and why.

    Parameters
    ----------
    models : {"auto", "openface", "open"} or path-like
        "openface": the user's OpenFace files. "open": the models that ship with the project. "auto":
        OpenFace's if what is needed is installed, else open. Or a folder with OpenFace's files in any layout
        that `ModelStore` knows.
    landmarks : {"auto", "ceclm", "clnf"} or path-like
        Landmark model of that set; "auto": CE-CLM if its files are there, else CLNF. Or the path of any main
        landmark description.

    Returns
    -------
    ModelSet

    Raises
    ------
    MissingModelError
        Names the missing files and the command that installs them.
    ValueError
        Unknown name.
    """
    if models == "open":
        return _open_set(landmarks)
    if models in ("auto", "openface"):
        name, store, owner = "openface", ModelStore(), "OpenFace's models"
    else:
        folder = Path(models)
        if not folder.is_dir():
            raise ValueError(
                f"models must be 'auto', 'openface', 'open' or an existing folder, not {str(models)!r}"
            )
        name, store, owner = str(folder), ModelStore(folder), "OpenFace's models from a given folder"
    try:
        chosen = _openface_set(name, store, owner, landmarks)
    except MissingModelError as missing:
        if models != "auto":
            raise
        try:
            chosen = _open_set(landmarks, missing)
        except (MissingModelError, ValueError):  # no pack, or no such landmark model in it
            raise missing from None
    if chosen.fallback:
        wanted = 'models="open"' if chosen.name == "open" else f'landmarks="{chosen.landmarks_kind}"'
        warn_of_choice(
            f"{chosen.choice} Run `{INSTALL_COMMAND}` to get what is missing, or pass {wanted} to choose this "
            "set without a warning."
        )
    return chosen


def _openface_set(name: str, store: ModelStore, owner: str, landmarks: PathLike) -> ModelSet:
    reason = "as asked for"
    fallback = False
    if landmarks == "auto":
        main, lacking = _best_landmarks(store)
        fallback = lacking > 0
        reason = _because(lacking, "the CE-CLM model") if fallback else "their best form"
    else:
        main = _landmark_path(landmarks, store.main_model_path)
    kind = landmark_kind(main)
    return ModelSet(
        name,
        main,
        kind,
        *store.au_model_paths(),
        store.mtcnn_path(),
        f"{owner} with {_label(landmarks, kind)}, {reason}.",
        fallback,
        tuple(("openface", Path(os.path.abspath(root))) for root in store.roots),
    )


def _best_landmarks(store: ModelStore) -> tuple[Path, int]:
    """Return the best landmark model that is installed, and how many files the very best one lacks."""
    try:
        return store.main_model_path("ceclm"), 0
    except MissingModelError as error:
        try:
            return store.main_model_path("clnf"), len(error.missing)
        except MissingModelError:
            raise error from None


def _open_set(landmarks: PathLike, without: MissingModelError | None = None) -> ModelSet:
    main = _landmark_path("ceclm" if landmarks == "auto" else landmarks, open_model_path)
    dynamic, static = OPEN_AU_FOLDER / AU_DYNAMIC, OPEN_AU_FOLDER / AU_STATIC
    missing = [path for path in (dynamic, static) if not path.is_file()]
    if missing:
        raise MissingModelError(missing, "this installation of pyfaceau has no open AU models")
    kind = landmark_kind(main)
    reason = "as asked for"
    if without is not None:
        reason = f"{_because(len(without.missing), 'OpenFace')}; {_NOT_INTERCHANGEABLE}"
    return ModelSet(
        "open",
        main,
        kind,
        dynamic,
        static,
        None,
        f"The open models with {_label(landmarks, kind)}, {reason}.",
        without is not None,
        (
            ("open/pyclnf", Path(os.path.abspath(OPEN_FOLDER))),
            ("open/pyfaceau", Path(os.path.abspath(OPEN_AU_FOLDER))),
        ),
    )


def _landmark_path(landmarks: PathLike, of_kind: Callable[[str], Path]) -> Path:
    if landmarks in _KINDS:
        return of_kind(str(landmarks))
    path = Path(landmarks)
    if not path.is_file():
        raise ValueError(
            "landmarks must be 'auto', 'ceclm', 'clnf' or the path of a main_*.txt file, "
            f"not {str(landmarks)!r}"
        )
    return path


def _label(landmarks: PathLike, kind: LandmarkKind) -> str:
    own = landmarks not in ("auto", *_KINDS)
    return f"{'a given ' * own}{_LABELS[kind]} landmark{' model' if own else 's'}"


def _because(number: int, owner: str) -> str:
    return f"because {number} {'file' if number == 1 else 'files'} of {owner} {'is' if number == 1 else 'are'} missing"
