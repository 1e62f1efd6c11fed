"""Fetching model files: official locations in order, resumed, checked, and moved into place whole."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .errors import ModelInstallError
from .io.atomic import atomic_write
from .manifest import ManifestFile

Progress = Callable[[str, int, int], None]
"""Called with the file's path in OpenFace's repository, bytes done, bytes in all."""

_CHUNK = 1 << 20  # of files on disk
_DOWNLOAD_CHUNK = 1 << 16  # what a broken connection can lose at most
_TIMEOUTS = (10.0, 60.0)  # seconds to connect, seconds without a byte
_ATTEMPTS = 5  # of one location, as long as each attempt brings the file further

_known_hashes: dict[Path, tuple[tuple[int, int], str]] = {}

logger = logging.getLogger(__name__)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def cached_sha256(path: Path) -> str:
    """Return the SHA-256 of a file; read again only after its size or its time of change is another one."""
    status = path.stat()
    state = (status.st_size, status.st_mtime_ns)
    known = _known_hashes.get(path)
    if known is None or known[0] != state:
        known = _known_hashes[path] = (state, sha256_of(path))
    return known[1]


def matches(path: Path, file: ManifestFile) -> bool:
    """Say whether `path` holds exactly the bytes that the manifest promises."""
    return path.is_file() and path.stat().st_size == file.size and sha256_of(path) == file.sha256


def copy_checked(source: Path, target: Path, file: ManifestFile) -> None:
    """Copy a local file, checking the copy before it takes its place.

    Raises
    ------
    ModelInstallError
        `source` is not the file of the manifest; `target` is untouched then.
    """
    digest, size = hashlib.sha256(), 0
    try:
        original = source.open("rb")
    except OSError as error:
        raise ModelInstallError(f"{source} cannot be read ({error.strerror or error})") from error
    with original, atomic_write(target) as stream:
        while size <= file.size and (chunk := original.read(_CHUNK)):
            digest.update(chunk)
            size += len(chunk)
            stream.write(chunk)
        if size != file.size or digest.hexdigest() != file.sha256:
            raise ModelInstallError(
                f"{source} is not OpenFace 2.2.0's {file.path} (SHA-256 {file.sha256}) and was not installed"
            )


class Downloader:
    """Downloads files of a manifest; remembers hosts that cannot be reached, to not wait for them again.

    Parameters
    ----------
    partial_folder : Path
        Where unfinished downloads wait to be resumed.
    progress : callable, optional
        See `Progress`.
    shared : bool
        Other processes may download into this folder at the same time: unfinished downloads are kept apart, and
        not resumed.
    """

    def __init__(
        self, partial_folder: Path, progress: Progress | None = None, *, shared: bool = False
    ) -> None:
        self.partial_folder = partial_folder
        self.progress = progress
        self._suffix = f".{os.getpid()}" if shared else ""
        self._unreachable: dict[str, str] = {}

    def fetch(self, file: ManifestFile, target: Path) -> None:
        """Download `file` to `target` from the first location that delivers the right bytes.

        Raises
        ------
        ModelInstallError
            None did; the message has each one's reason, one a line. `target` is untouched then.
        """
        import pooch
        import requests

        pooch.get_logger().setLevel(logging.WARNING)  # progress and log lines are ours
        # Outside the loop: a folder that cannot be written is no fault of a location.
        target.parent.mkdir(parents=True, exist_ok=True)
        self.partial_folder.mkdir(parents=True, exist_ok=True)
        reasons = []
        for url in file.urls:
            host = urlsplit(url).netloc
            if host not in self._unreachable:
                try:
                    self._retrieve(pooch, url, file, target)
                except (requests.ConnectionError, requests.Timeout) as error:
                    self._unreachable[host] = type(error).__name__
                except (requests.RequestException, ModelInstallError, ValueError) as failure:
                    status = getattr(getattr(failure, "response", None), "status_code", None)
                    reason = str(failure) if status is None else f"status {status}"
                    reasons.append(f"{file.path} could not be downloaded from {host}: {reason}")
                    logger.info("%s", reasons[-1])
                else:
                    return
            if host in self._unreachable:
                reasons.append(f"{host} cannot be reached ({self._unreachable[host]})")
        raise ModelInstallError("\n".join(reasons))

    def _retrieve(self, pooch: Any, url: str, file: ManifestFile, target: Path) -> None:
        pooch.retrieve(
            url,
            known_hash=f"sha256:{file.sha256}",
            fname=target.name,
            path=target.parent,
            downloader=_Resume(self.partial_folder / (file.sha256 + self._suffix), file, self.progress),
        )


class _Resume:
    """A pooch downloader that continues where an earlier attempt stopped."""

    def __init__(self, partial: Path, file: ManifestFile, progress: Progress | None) -> None:
        self.partial = partial
        self.file = file
        self.progress = progress

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        import requests

        for _ in range(_ATTEMPTS):
            before = self._size()
            try:
                self._continue(url)
            except (requests.exceptions.ChunkedEncodingError, requests.ConnectionError, requests.Timeout):
                if self._size() <= before:
                    raise
            if self._size() == self.file.size:
                os.replace(self.partial, output_file)
                return
            if self._size() <= before:
                break
        raise ModelInstallError(f"sent {self._size()} of {self.file.size} bytes; run again to continue")

    def _size(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _continue(self, url: str) -> None:
        """Append what is still missing to the partial file, or start it anew if the server cannot resume."""
        import requests

        done = self._size()
        if done == self.file.size:
            return
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={done}-"} if done else {})}
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUTS) as response:
            response.raise_for_status()
            if response.headers.get("Content-Type", "").startswith("text/html"):
                raise ModelInstallError("sent a web page instead of the file")
            if response.status_code != requests.codes.partial_content:
                done = 0
            with self.partial.open("ab" if done else "wb") as stream:
                for chunk in response.iter_content(_DOWNLOAD_CHUNK):
                    done += len(chunk)
                    if done > self.file.size:
                        stream.close()
                        self.partial.unlink()
                        raise ModelInstallError(f"sent more than the {self.file.size} bytes of the file")
                    stream.write(chunk)
                    if self.progress is not None:
                        self.progress(self.file.path, done, self.file.size)
