"""The models of an analysis: which set is used, why, and the hashes of its files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pyclnf.choice import warn_of_choice
from pyclnf.download import cached_sha256
from pyclnf.errors import MissingModelError
from pyclnf.manifest import combine, package_manifest
from pyclnf.models import (
    LABELS,
    OPEN_FOLDER,
    LandmarkKind,
    because,
    best_landmarks,
    landmark_files,
    landmark_kind,
    main_model_path,
    once,
    open_model_path,
)
from pyclnf.store import ModelStore

from .errors import INSTALL_COMMAND, INSTALL_REMEDY
from .prediction.files import au_files

__all__ = ["OPEN_AU_FOLDER", "ModelSet", "ModelStore", "choose_models", "openface_store"]

PathLike = str | os.PathLike[str]

DEFAULT_GROUPS = ("clnf", "ceclm", "au", "mtcnn")
OPEN_AU_FOLDER = Path(__file__).parent / "models_open"

_PACKAGES = ("pymtcnn", "pyclnf", "pyfaceau")  # each brings its part of the manifest
_DYNAMIC, _STATIC = "main_dynamic_svms.txt", "main_static_svms.txt"
_AU_FOLDER = "lib/local/FaceAnalyser/AU_predictors"
_MTCNN_FOLDER = "lib/local/LandmarkDetector/model/mtcnn_detector"
_MTCNN_FILES = ("MTCNN_detector.txt", "PNet.dat", "RNet.dat", "ONet.dat")
_OPEN_ROOTS = (("open/pyclnf", OPEN_FOLDER), ("open/pyfaceau", OPEN_AU_FOLDER))


def openface_store(folder: PathLike | None = None) -> ModelStore:
    """Return the store of all of OpenFace's models: face detector, landmarks and action units.

    Parameters
    ----------
    folder : path-like, optional
        Look only here; see `ModelStore`.
    """
    return ModelStore(combine(*map(package_manifest, _PACKAGES)), folder, INSTALL_COMMAND)


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
    store : ModelStore or None
        Where OpenFace's files were found.
    """

    name: str
    landmarks: Path
    landmarks_kind: LandmarkKind
    au_dynamic: Path
    au_static: Path
    mtcnn: Path | None
    choice: str
    fallback: bool
    store: ModelStore | None = field(compare=False, repr=False)

    def files(self) -> tuple[Path, ...]:
        """List every model file of the set, once."""
        files = [*landmark_files(self.landmarks), *au_files(self.au_dynamic), *au_files(self.au_static)]
        if self.mtcnn is not None:
            files += [self.mtcnn.parent / name for name in _MTCNN_FILES]
        return tuple(once(files))

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
            raise MissingModelError(missing, remedy=INSTALL_REMEDY)
        return {self._key(path): cached_sha256(path) for path in files}

    def _key(self, path: Path) -> str:
        for name, root in _OPEN_ROOTS:
            if path.is_relative_to(os.path.abspath(root)):
                return f"{name}/{path.relative_to(os.path.abspath(root)).as_posix()}"
        inside = None if self.store is None else self.store.name_of(path)
        if inside is not None:
            return f"openface/{inside}"
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
        name, store, owner = "openface", openface_store(), "OpenFace's models"
    else:
        folder = Path(models)
        if not folder.is_dir():
            raise ValueError(
                f"models must be 'auto', 'openface', 'open' or an existing folder, not {str(models)!r}"
            )
        name, store, owner = str(folder), openface_store(folder), "OpenFace's models from the given folder"
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
            f"{chosen.choice} Run `{INSTALL_COMMAND}` to get the missing files, or pass {wanted} to use these models "
            "without a warning."
        )
    return chosen


def _openface_set(name: str, store: ModelStore, owner: str, landmarks: PathLike) -> ModelSet:
    reason = "as requested"
    fallback = False
    if landmarks == "auto":
        best = best_landmarks(store)
        main, fallback = best.path, best.without is not None
        reason = "the best that OpenFace has" if best.without is None else because(best.without)
    else:
        main = _landmark_path(landmarks, lambda kind: main_model_path(store, kind))
    kind = landmark_kind(main)
    dynamic = store.complete("au", f"{_AU_FOLDER}/{_DYNAMIC}")
    try:
        mtcnn = store.complete("mtcnn", f"{_MTCNN_FOLDER}/{_MTCNN_FILES[0]}")
    except MissingModelError:  # pymtcnn finds the same weights elsewhere
        mtcnn = None
    sentence = _sentence(owner, landmarks, kind, reason)
    return ModelSet(name, main, kind, dynamic, dynamic.parent / _STATIC, mtcnn, sentence, fallback, store)


def _open_set(landmarks: PathLike, without: MissingModelError | None = None) -> ModelSet:
    main = _landmark_path("ceclm" if landmarks == "auto" else landmarks, _open_landmarks)
    dynamic, static = OPEN_AU_FOLDER / _DYNAMIC, OPEN_AU_FOLDER / _STATIC
    missing = [path for path in (dynamic, static) if not path.is_file()]
    if missing:
        raise MissingModelError(missing, remedy="Install pyfaceau again, with its open action-unit models")
    kind = landmark_kind(main)
    reason = "as requested"
    if without is not None:
        reason = f"{because(without)}; their values are not interchangeable with those of OpenFace's models"
    sentence = _sentence("The open models", landmarks, kind, reason)
    return ModelSet("open", main, kind, dynamic, static, None, sentence, without is not None, None)


def _open_landmarks(kind: str) -> Path:
    if kind != "ceclm":
        raise ValueError(f"the open model pack has landmarks='ceclm' only, not {kind!r}")
    return open_model_path()


def _landmark_path(landmarks: PathLike, of_kind: Callable[[str], Path]) -> Path:
    if landmarks in LABELS:
        return of_kind(str(landmarks))
    path = Path(landmarks)
    if not path.is_file():
        raise ValueError(
            "landmarks must be 'auto', 'ceclm', 'clnf' or the path of a main_*.txt file, "
            f"not {str(landmarks)!r}"
        )
    return path


def _sentence(owner: str, landmarks: PathLike, kind: LandmarkKind, reason: str) -> str:
    given = landmarks != "auto" and landmarks not in LABELS
    what = f"the given {LABELS[kind]} landmark model" if given else f"{LABELS[kind]} landmarks"
    comma = "" if reason.startswith("because") else ","
    return f"{owner} are used with {what}{comma} {reason}."
