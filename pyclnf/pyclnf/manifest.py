"""The list of OpenFace's model files: path, size, SHA-256, groups and official locations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

MANIFEST_FILE = "openface-2.2.0.json"


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
        What needs it: "clnf", "ceclm", "au", "mtcnn", "validator", or "extra" for nothing.
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
    """All model files of one OpenFace version.

    Attributes
    ----------
    version : str
        OpenFace's version.
    licence_name, licence_summary, licence_url : str
        The terms of the files.
    files : tuple of ManifestFile
        Sorted by path.
    """

    version: str
    licence_name: str
    licence_summary: str
    licence_url: str
    files: tuple[ManifestFile, ...]

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
    return Manifest(data["version"], licence["name"], licence["summary"], licence["url"], files)


@lru_cache(maxsize=1)
def openface_manifest() -> Manifest:
    """Return the manifest of OpenFace 2.2.0 that is packaged with pyclnf."""
    return parse_manifest(resources.files(__package__).joinpath(MANIFEST_FILE).read_text(encoding="utf-8"))
