"""The model store: finds, installs and verifies OpenFace's files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .download import Downloader, Progress, copy_checked, matches
from .errors import MissingModelError, ModelFileError, ModelInstallError
from .io.description import description_lines, read_model_description, read_submodel_description
from .manifest import Manifest, ManifestFile, openface_manifest

LandmarkKind = Literal["ceclm", "clnf"]

ENVIRONMENT_VARIABLE = "OPENFACE_MODELS_DIR"
# The folder that other OpenFace-in-Python packages use too, so that one installation serves all.
DATA_FOLDER = "OpenFaceModels"
DEFAULT_GROUPS = ("clnf", "ceclm", "au", "mtcnn")

_LANDMARK_PREFIX = "lib/local/LandmarkDetector/"
_AU_PREFIX = "lib/local/FaceAnalyser/"
_MAIN_FILES = {
    "ceclm": _LANDMARK_PREFIX + "model/main_ceclm_general.txt",
    "clnf": _LANDMARK_PREFIX + "model/main_clnf_general.txt",
}
AU_DYNAMIC = "main_dynamic_svms.txt"
AU_STATIC = "main_static_svms.txt"
_MTCNN = _LANDMARK_PREFIX + "model/mtcnn_detector/MTCNN_detector.txt"
OPEN_FOLDER = Path(__file__).parent / "models_open"


@dataclass(frozen=True)
class FileStatus:
    """State of one model file.

    Attributes
    ----------
    file : ManifestFile
        The file.
    location : Path or None
        Where it was found.
    state : str
        "ok", "missing", or "wrong" (its bytes are not OpenFace 2.2.0's).
    """

    file: ManifestFile
    location: Path | None
    state: str


class ModelStore:
    """OpenFace's model files on this machine.

    Looks in ``$OPENFACE_MODELS_DIR/2.2.0/originals`` first, then in the user's data folder
    (``OpenFaceModels/2.2.0/originals``); below that, files lie as in OpenFace's repository.

    Parameters
    ----------
    folder : path-like, optional
        Look only here: a folder of that layout (with or without ``2.2.0/originals``), an OpenFace
        checkout, or the folder of an OpenFace program (with ``model`` and ``AU_predictors``).
    manifest : Manifest, optional
        By default that of OpenFace 2.2.0.
    """

    def __init__(
        self, folder: str | os.PathLike[str] | None = None, manifest: Manifest | None = None
    ) -> None:
        self.manifest = openface_manifest() if manifest is None else manifest
        self._folder = None if folder is None else Path(folder)

    @property
    def roots(self) -> tuple[Path, ...]:
        """Folders that are searched, in order."""
        inner = Path(self.manifest.version) / "originals"
        if self._folder is not None:
            return (self._folder / inner, self._folder)
        environment = os.environ.get(ENVIRONMENT_VARIABLE)
        return (*((Path(environment) / inner,) if environment else ()), _user_data_folder() / inner)

    @property
    def install_root(self) -> Path:
        """Folder into which files are installed."""
        return self.roots[0]

    def find(self, name: str) -> Path | None:
        """Return where a file is, or None.

        Parameters
        ----------
        name : str
            Path in OpenFace's repository.
        """
        return next((path for root in self.roots if (path := _locate(root, name)) is not None), None)

    def resolve(self, name: str) -> Path:
        """Return where a file is.

        Parameters
        ----------
        name : str
            Path in OpenFace's repository.

        Raises
        ------
        ValueError
            OpenFace has no such model file.
        MissingModelError
            It is not installed; the message names the command that installs it.
        """
        path = self.find(self.manifest.file(name).path)
        if path is None:
            raise MissingModelError([name], self._searched())
        return path

    def main_model_path(self, kind: str) -> Path:
        """Return the main landmark model description whose files are all in one place.

        Parameters
        ----------
        kind : {"ceclm", "clnf"}

        Raises
        ------
        ValueError
            Unknown kind.
        MissingModelError
            Names exactly the files that are missing.
        """
        if kind not in _MAIN_FILES:
            raise ValueError(
                f"landmarks must be 'ceclm', 'clnf' or the path of a main_*.txt file, not {kind!r}"
            )
        return self._complete(kind, _MAIN_FILES[kind])

    def au_model_paths(self) -> tuple[Path, Path]:
        """Return the main AU model descriptions: dynamic, static.

        Raises
        ------
        MissingModelError
            Names the files that are missing.
        """
        folder = self._complete("au", f"{_AU_PREFIX}AU_predictors/{AU_DYNAMIC}").parent
        return folder / AU_DYNAMIC, folder / AU_STATIC

    def mtcnn_path(self) -> Path | None:
        """Return the face detector's description, or None where it is not installed."""
        try:
            return self._complete("mtcnn", _MTCNN)
        except MissingModelError:
            return None

    def missing(self, *groups: str) -> tuple[str, ...]:
        """Return the files of some groups that the most complete root lacks (paths as in OpenFace)."""
        names = [file.path for file in self.manifest.select(*groups)]
        lacking = [tuple(name for name in names if _locate(root, name) is None) for root in self.roots]
        return min(lacking, key=len)

    def _complete(self, group: str, main: str) -> Path:
        """Return `main` from the first root that holds all of `group`: descriptions name their siblings."""
        names = [file.path for file in self.manifest.select(group)]
        for root in self.roots:
            path = _locate(root, main)
            if path is not None and all(_locate(root, name) is not None for name in names):
                return path
        hints = [self._searched()]
        if group == "ceclm" and not self.missing("clnf"):
            hints.append('or choose landmarks="clnf", whose files are installed')
        raise MissingModelError(self.missing(group), "; ".join(hints))

    def _searched(self) -> str:
        return "searched " + " and ".join(str(root) for root in self.roots)

    def list(self) -> tuple[FileStatus, ...]:
        """Say which files are there, without reading them."""
        found = [(file, self.find(file.path)) for file in self.manifest.files]
        return tuple(FileStatus(file, path, "missing" if path is None else "ok") for file, path in found)

    def verify(self, progress: Progress | None = None) -> tuple[FileStatus, ...]:
        """Compare every installed file with its SHA-256.

        Parameters
        ----------
        progress : callable, optional
            Called after each file.
        """
        statuses = []
        for status in self.list():
            if status.location is not None and not matches(status.location, status.file):
                status = FileStatus(status.file, status.location, "wrong")
            statuses.append(status)
            if progress is not None:
                progress(status.file.path, status.file.size, status.file.size)
        return tuple(statuses)

    def install(
        self,
        groups: Iterable[str] = DEFAULT_GROUPS,
        accept_license: bool = False,
        source_dir: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
    ) -> tuple[Path, ...]:
        """Get the files of some groups, from their official locations or from a folder.

        Parameters
        ----------
        groups : iterable of str
            Which files; see `Manifest.groups`.
        accept_license : bool
            The user's consent to OpenFace's licence; nothing happens without it.
        source_dir : path-like, optional
            Copy from this folder (same layout, an OpenFace checkout or program folder), no network.
        progress : callable, optional
            Called with a file's path, its bytes done and its bytes in all.

        Returns
        -------
        tuple of Path
            The files that were added; those already there and right are left alone.

        Raises
        ------
        ModelInstallError
            No consent; or some files could not be had. All others are installed then.
        """
        if not accept_license:
            raise ModelInstallError(
                f"{self.manifest.licence_summary} Read {self.manifest.licence_url} and, if you agree, "
                "run again with --accept-license"
            )
        files = self.manifest.select(*groups)
        downloader = Downloader(self.install_root.parent / ".partial", progress)
        added: list[Path] = []
        failures: list[str] = []
        for file in files:
            target = self.install_root / file.path
            try:
                if matches(target, file):
                    continue
                self._install_one(file, target, source_dir, downloader)
            except ModelInstallError as error:
                failures.append(str(error))
                continue
            except OSError as error:
                raise ModelInstallError(
                    f"cannot write to {self.install_root} ({error.strerror or error}); set "
                    f"{ENVIRONMENT_VARIABLE} to a folder that you may write to, or unset it"
                ) from error
            added.append(target)
            if progress is not None:
                progress(file.path, file.size, file.size)
        if failures:
            raise ModelInstallError(
                f"{len(failures)} of {len(files)} files could not be installed: " + "\n".join(failures)
            )
        return tuple(added)

    def _install_one(
        self,
        file: ManifestFile,
        target: Path,
        source_dir: str | os.PathLike[str] | None,
        downloader: Downloader,
    ) -> None:
        if source_dir is not None:
            source = ModelStore(source_dir, self.manifest).find(file.path)
            if source is None:
                raise ModelInstallError(f"{file.path} is not in {source_dir}")
            copy_checked(source, target, file)
            return
        elsewhere = self.find(file.path)
        if elsewhere is not None and matches(elsewhere, file):
            copy_checked(elsewhere, target, file)
            return
        downloader.fetch(file, target)


def _locate(root: Path, name: str) -> Path | None:
    """Find a file by its path in OpenFace's repository, or by its place beside OpenFace's programs."""
    for prefix in ("", _LANDMARK_PREFIX, _AU_PREFIX):
        if name.startswith(prefix) and (path := root / name[len(prefix) :]).is_file():
            return path
    return None


def _user_data_folder() -> Path:
    import platformdirs

    return platformdirs.user_data_path(DATA_FOLDER, appauthor=False)


def open_model_path(kind: str = "ceclm") -> Path:
    """Return the main landmark description of the open pack that is packaged with pyclnf.

    Parameters
    ----------
    kind : {"ceclm", "clnf"}
        The open pack has CE-CLM experts only.

    Raises
    ------
    ValueError
        Another kind than "ceclm".
    MissingModelError
        This installation of pyclnf came without the pack.
    """
    if kind != "ceclm":
        raise ValueError(f"the open model pack has landmarks='ceclm' only, not {kind!r}")
    path = OPEN_FOLDER / "main_ceclm_general.txt"
    if not path.is_file():
        raise MissingModelError([path], "this installation of pyclnf has no open model pack")
    return path


def landmark_kind(main: str | os.PathLike[str]) -> LandmarkKind:
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


def landmark_files(main: str | os.PathLike[str]) -> list[Path]:
    """List every file that a main landmark description needs, itself first.

    Parameters
    ----------
    main : path-like
        A `main_*.txt` file.

    Returns
    -------
    list of Path
        Each file once; files that are only named but do not exist are included.
    """
    model = read_model_description(main)
    sub = read_submodel_description(model.landmark_detector)
    files = [model.path, sub.path, sub.pdm, *sub.ccnf, *sub.cen, *sub.svr]
    files += [path for path in (sub.early_termination, model.validator) if path is not None]
    for part in model.parts:
        files += landmark_files(part.path)
    return _once(files)


def au_files(main: str | os.PathLike[str]) -> list[Path]:
    """List every file that a main AU description needs, itself first.

    Parameters
    ----------
    main : path-like
        A `main_dynamic_svms.txt` or `main_static_svms.txt` file.

    Returns
    -------
    list of Path
        Each file once; files that are only named but do not exist are included.
    """
    main = Path(main)
    files = [main]
    for offset, key, rest in description_lines(main):
        if key in ("AUPredictor", "PDM", "Triangulation"):
            if not rest:
                raise ModelFileError(main, offset, f"{key} names no file")
            files.append(main.parent / rest)
        if key == "AUPredictor":
            files += [files[-1].parent / name for _, name, _ in description_lines(files[-1])]
    return _once(files)


def _once(files: Iterable[Path]) -> list[Path]:
    """Drop repetitions. Links are kept as they are: where a file is linked from says what it is."""
    return list(dict.fromkeys(Path(os.path.abspath(path)) for path in files))
