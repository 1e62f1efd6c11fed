"""Lists of model files: path, size, SHA-256, groups and official locations. Each package brings its part."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

MANIFEST_FILE = "openface-2.2.0.json"
"""Name of a package's part of OpenFace 2.2.0's manifest."""


@dataclass(frozen=True)
class ManifestFile:
    """One model file.

    Attributes
    ----------
    path : str
        Path in OpenFace's repository, with forward slashes.
    size : int
        Bytes.
    sha256 : str
        Hexadecimal digest.
    groups : tuple of str
        What needs it, such as "clnf"; "extra" for nothing.
    urls : tuple of str
        Official locations, best first.
    """

    path: str
    size: int
    sha256: str
    groups: tuple[str, ...]
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    """The model files of one version, all of them or those of one package.

    Attributes
    ----------
    version : str
        OpenFace's version.
    licence_name, licence_summary, licence_url : str
        The terms of the files.
    files : tuple of ManifestFile
        Sorted by path.
    folders : tuple of str
        Beginnings of paths, ending in "/", that may be left out: where OpenFace's programs stand, their models lie
        beside them.
    """

    version: str
    licence_name: str
    licence_summary: str
    licence_url: str
    files: tuple[ManifestFile, ...]
    folders: tuple[str, ...] = ()

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of all groups, sorted."""
        return tuple(sorted({group for file in self.files for group in file.groups}))

    def select(self, *groups: str) -> tuple[ManifestFile, ...]:
        """Return the files of some groups.

        Raises
        ------
        ValueError
            Unknown group.
        """
        unknown = set(groups) - set(self.groups)
        if unknown:
            raise ValueError(
                f"no group of model files named {sorted(unknown)}; there are {list(self.groups)}"
            )
        return tuple(file for file in self.files if set(groups) & set(file.groups))

    def file(self, path: str) -> ManifestFile:
        """Return one file by its path in OpenFace's repository.

        Raises
        ------
        ValueError
            Unknown path.
        """
        for file in self.files:
            if file.path == path:
                return file
        raise ValueError(f"{path} is not one of OpenFace {self.version}'s model files")


def parse_manifest(text: str) -> Manifest:
    """Parse a manifest's JSON."""
    data = json.loads(text)
    files = tuple(
        ManifestFile(
            entry["path"],
            entry["size"],
            entry["sha256"],
            tuple(entry["groups"]),
            tuple(entry.get("urls") or (base + entry["path"] for base in data["base_urls"])),
        )
        for entry in data["files"]
    )
    licence = data["licence"]
    return Manifest(
        data["version"],
        licence["name"],
        licence["summary"],
        licence["url"],
        files,
        tuple(data.get("folders", ())),
    )


def package_manifest(package: str) -> Manifest:
    """Return the part of OpenFace 2.2.0's manifest that a package brings.

    Parameters
    ----------
    package : str
        Name of an installed package, such as "pyclnf".
    """
    return parse_manifest(resources.files(package).joinpath(MANIFEST_FILE).read_text(encoding="utf-8"))


def combine(*parts: Manifest) -> Manifest:
    """Join the parts that packages bring.

    Raises
    ------
    ValueError
        They are of different versions or licences, or two of them list one file.
    """
    terms = {(part.version, part.licence_name, part.licence_summary, part.licence_url) for part in parts}
    if len(terms) > 1:
        raise ValueError("parts of a manifest must be of one version and one licence")
    files = sorted((file for part in parts for file in part.files), key=lambda file: file.path)
    paths = [file.path for file in files]
    twice = sorted({path for path in paths if paths.count(path) > 1})
    if twice:
        raise ValueError(f"two parts of the manifest list {', '.join(twice)}")
    folders = tuple(dict.fromkeys(folder for part in parts for folder in part.folders))
    return Manifest(*next(iter(terms)), tuple(files), folders)
