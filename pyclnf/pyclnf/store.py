"""The model store: finds, installs and verifies the files of a manifest, whatever they are for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ._lock import exclusive
from .download import Downloader, Progress, copy_checked, matches
from .errors import INSTALL_COMMAND, MissingModelError, ModelInstallError, install_remedy
from .manifest import Manifest, ManifestFile

ENVIRONMENT_VARIABLE = "OPENFACE_MODELS_DIR"
# The folder that other OpenFace-in-Python packages use too, so that one installation serves all.
DATA_FOLDER = "OpenFaceModels"

_LOCK_FILE = ".lock"
_PARTIAL_FOLDER = ".partial"

FileState = Literal["ok", "missing", "wrong"]


@dataclass(frozen=True)
class FileStatus:
    """State of one model file.

    Attributes
    ----------
    file : ManifestFile
        The file.
    location : Path or None
        Where it was found.
    state : {"ok", "missing", "wrong"}
        "wrong": its bytes are not those that the manifest promises.
    """

    file: ManifestFile
    location: Path | None
    state: FileState


class ModelStore:
    """The files of a manifest on this machine.

    Looks in ``$OPENFACE_MODELS_DIR/2.2.0/originals`` first, then in the user's data folder
    (``OpenFaceModels/2.2.0/originals``); below that, files lie as in OpenFace's repository.

    Parameters
    ----------
    manifest : Manifest
        The files.
    folder : path-like, optional
        Look only here: a folder of that layout (with or without ``2.2.0/originals``), an OpenFace
        checkout, or the folder of an OpenFace program (with ``model`` and ``AU_predictors``).
    command : str
        What installs the files; errors name it.

    Examples
    --------
    >>> import tempfile
    >>> from pyclnf import ModelStore
    >>> from pyclnf.manifest import package_manifest
    >>> store = ModelStore(package_manifest("pyclnf"), folder=tempfile.mkdtemp())
    >>> [root.name for root in store.roots][0]  # where OpenFace's files are looked for
    'originals'
    """

    def __init__(
        self,
        manifest: Manifest,
        folder: str | os.PathLike[str] | None = None,
        command: str = INSTALL_COMMAND,
    ) -> None:
        self.manifest = manifest
        self.command = command
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
        return next((path for root in self.roots if (path := self._locate(root, name)) is not None), None)

    def resolve(self, name: str) -> Path:
        """Return where a file is.

        Parameters
        ----------
        name : str
            Path in OpenFace's repository.

        Raises
        ------
        ValueError
            The manifest lists no such file.
        MissingModelError
            It is not installed; the message names the command that installs it.
        """
        path = self.find(self.manifest.file(name).path)
        if path is None:
            raise MissingModelError([name], self._searched(), install_remedy(self.command))
        return path

    def complete(self, group: str, main: str) -> Path:
        """Return a file from the first folder that holds all files of a group.

        Descriptions name their siblings by relative path, so the siblings have to lie in the same folder.

        Parameters
        ----------
        group : str
            A group of the manifest.
        main : str
            The file; path in OpenFace's repository.

        Raises
        ------
        MissingModelError
            No folder holds all; names exactly the files that the most complete one lacks.
        """
        names = [file.path for file in self.manifest.select(group)]
        for root in self.roots:
            path = self._locate(root, main)
            if path is not None and all(self._locate(root, name) is not None for name in names):
                return path
        raise MissingModelError(self.missing(group), self._searched(), install_remedy(self.command))

    def missing(self, *groups: str) -> tuple[str, ...]:
        """Return the files of some groups that the most complete folder lacks (paths as in OpenFace)."""
        names = [file.path for file in self.manifest.select(*groups)]
        lacking = [tuple(n for n in names if self._locate(root, n) is None) for root in self.roots]
        return min(lacking, key=len)

    def name_of(self, path: Path) -> str | None:
        """Return the path in OpenFace's repository of a file that lies in one of the folders, or None.

        Parameters
        ----------
        path : Path
            Absolute. Links are not followed: where a file is linked from says what it is.
        """
        known = {file.path for file in self.manifest.files}
        for root in map(_absolute, self.roots):
            if path.is_relative_to(root):
                inside = path.relative_to(root).as_posix()
                names = [inside, *(folder + inside for folder in self.manifest.folders)]
                return next((name for name in names if name in known), inside)
        return None

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
        groups: Iterable[str],
        accept_license: bool = False,
        source_dir: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
    ) -> tuple[Path, ...]:
        """Get the files of some groups, from their official locations or from a folder.

        One installation at a time: a second one into the same folder waits, and finds the files in place.

        Parameters
        ----------
        groups : iterable of str
            Which files; see `Manifest.groups`.
        accept_license : bool
            The user's consent to the licence of the files; nothing happens without it.
        source_dir : path-like, optional
            Copy from this folder (same layout, an OpenFace checkout or program folder), no network. Links that
            lead out of it are refused.
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
        wanted = self.manifest.select(*groups)
        files = tuple(file for file in wanted if not matches(self.install_root / file.path, file))
        if not files:
            return ()
        try:
            with self._one_at_a_time() as alone:
                partial = self.install_root.parent / _PARTIAL_FOLDER
                downloader = Downloader(partial, progress, shared=not alone)
                return self._install(files, source_dir, downloader, progress)
        except OSError as error:
            raise ModelInstallError(
                f"cannot write to {self.install_root} ({error.strerror or error}); set "
                f"{ENVIRONMENT_VARIABLE} to a folder that you may write to, or unset it"
            ) from error

    def _one_at_a_time(self) -> AbstractContextManager[bool]:
        return exclusive(self.install_root.parent / _LOCK_FILE)

    def _install(
        self,
        files: tuple[ManifestFile, ...],
        source_dir: str | os.PathLike[str] | None,
        downloader: Downloader,
        progress: Progress | None,
    ) -> tuple[Path, ...]:
        added: list[Path] = []
        failures: list[str] = []
        for file in files:
            target = self.install_root / file.path
            if matches(target, file):  # by another installation, while this one waited
                continue
            try:
                self._install_one(file, target, source_dir, downloader)
            except ModelInstallError as error:
                failures.append(str(error))
                continue
            added.append(target)
            if progress is not None:
                progress(file.path, file.size, file.size)
        if failures:
            # Many files fail for one reason where a machine is offline: each reason is told once.
            raise ModelInstallError(
                "\n".join(
                    [
                        f"{len(failures)} of {len(files)} files could not be installed:",
                        *dict.fromkeys(line for failure in failures for line in failure.splitlines()),
                    ]
                )
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
            source = ModelStore(self.manifest, source_dir).find(file.path)
            if source is None:
                raise ModelInstallError(f"{file.path} is not in {source_dir}")
            if not source.resolve().is_relative_to(Path(source_dir).resolve()):
                raise ModelInstallError(
                    f"{source} is a link that leads out of {source_dir}; put the file itself there"
                )
            copy_checked(source, target, file)
            return
        elsewhere = self.find(file.path)
        if elsewhere is not None and matches(elsewhere, file):
            copy_checked(elsewhere, target, file)
            return
        downloader.fetch(file, target)

    def _locate(self, root: Path, name: str) -> Path | None:
        """Find a file by its path in OpenFace's repository, or by its place beside OpenFace's programs."""
        for folder in ("", *self.manifest.folders):
            if name.startswith(folder) and (path := root / name[len(folder) :]).is_file():
                return path
        return None

    def _searched(self) -> str:
        return "Searched: " + ", ".join(str(root) for root in self.roots)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))


def _user_data_folder() -> Path:
    import platformdirs

    return platformdirs.user_data_path(DATA_FOLDER, appauthor=False)
