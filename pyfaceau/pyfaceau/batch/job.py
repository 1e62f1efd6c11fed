"""What passes between the batch and its workers: plain, frozen, and picklable."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import VideoError
from ..options import AnalysisOptions
from ..rotation import Rotation
from .manifest import BatchVideo

_BLOCK = 2**20

FileState = Literal["done", "failed"]


@dataclass(frozen=True)
class Identity:
    """The bytes of an input.

    Attributes
    ----------
    size : int
        Bytes; of a folder, of all its files.
    mtime_ns : int
        Time of the last change, the latest of a folder's files.
    sha256 : str
        Of the content; of a folder, of the names and contents of its files.
    """

    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class Setup:
    """What all jobs of a batch have in common.

    Attributes
    ----------
    options : AnalysisOptions
    model_sha256 : dict of str to str
        What every worker must have.
    max_frames : int or None
    rotate : {"auto", 0, 90, 180, 270}
    checkpoint_s : float
        Most seconds of work between two checkpoints.
    batch : str
        Name of this run of the batch.
    go : str or None
        File whose removal tells the workers to stop; None where they do not share a disk with the batch.
    carry : bool
        Results travel back with the outcome instead of being written by the worker.
    suffix : {".csv", ".parquet"}
    elsewhere : bool
        The workers may be other machines than the one that began the batch.
    """

    options: AnalysisOptions
    model_sha256: Mapping[str, str]
    max_frames: int | None
    rotate: Rotation
    checkpoint_s: float
    batch: str
    go: str | None
    carry: bool
    suffix: str
    elsewhere: bool = False


@dataclass(frozen=True)
class Job:
    """One video, or all videos of one person.

    Attributes
    ----------
    key : str
    videos : tuple of BatchVideo
    targets : tuple of str
        Path or fsspec address of each result.
    known : dict of str to Identity
        Inputs whose bytes have been hashed before.
    finished : str
        Fingerprint of results that are in their places; empty if there are none.
    work : str or None
        Folder of its checkpoints; None for a temporary one of the worker's.
    """

    key: str
    videos: tuple[BatchVideo, ...]
    targets: tuple[str, ...]
    known: Mapping[str, Identity]
    finished: str
    work: str | None

    @property
    def inputs(self) -> list[str]:
        """Paths of everything that is read."""
        neutral = self.videos[0].neutral
        recording = [neutral] if neutral and self.videos[0].neutral_frames is None else []
        return [*dict.fromkeys([video.path for video in self.videos] + recording)]


@dataclass(frozen=True)
class VideoOutcome:
    """What became of one video.

    Attributes
    ----------
    path : str
    state : {"done", "failed"}
    why : str
        Of a failure.
    lasting : bool
        The failure lies in the bytes of the video; another attempt gives the same.
    frames, with_face : int
    files : dict of str to int
        Files of the result with their sizes.
    content : dict of str to bytes
        Files that travel back.
    """

    path: str
    state: FileState
    why: str = ""
    lasting: bool = False
    frames: int = 0
    with_face: int = 0
    files: Mapping[str, int] | None = None
    content: Mapping[str, bytes] | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes
    ----------
    key : str
    state : {"ended", "unchanged", "stopped"}
        "unchanged": the finished results stand. "stopped": saved, to go on later.
    videos : tuple of VideoOutcome
    identities : dict of str to Identity
    fingerprint : str
    made_with : dict
        Versions and instruction sets.
    analysed : int
        Frames that were analysed this time.
    seconds : float
        It took.
    trace : str
        Of an error that was not foreseen.
    warnings : tuple of str
    """

    key: str
    state: Literal["ended", "unchanged", "stopped"]
    videos: tuple[VideoOutcome, ...] = ()
    identities: Mapping[str, Identity] | None = None
    fingerprint: str = ""
    made_with: Mapping[str, Any] | None = None
    analysed: int = 0
    seconds: float = 0.0
    trace: str = ""
    warnings: tuple[str, ...] = ()


def stat_of(path: str) -> tuple[int, int]:
    """Size and time of change of an input.

    Raises
    ------
    VideoError
        It is not there or may not be read.
    """
    try:
        files = _files(path)
        stats = [file.stat() for file in files]
    except OSError as error:
        raise VideoError(f"{path}: {error.strerror or error}") from error
    return sum(s.st_size for s in stats), max((s.st_mtime_ns for s in stats), default=0)


def identify(path: str, known: Identity | None, pulse: Callable[[], None]) -> Identity:
    """Hash an input, unless it is known with the same size and time of change.

    Parameters
    ----------
    path : str
    known : Identity, optional
    pulse : callable
        Called now and then; may raise.

    Raises
    ------
    VideoError
        It is not there or may not be read.
    """
    size, mtime_ns = stat_of(path)
    if known is not None and (known.size, known.mtime_ns) == (size, mtime_ns):
        return known
    digest = hashlib.sha256()
    try:
        for file in _files(path):
            if os.path.isdir(path):
                digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
            with file.open("rb") as stream:
                while block := stream.read(_BLOCK):
                    digest.update(block)
                    pulse()
    except OSError as error:
        raise VideoError(f"{path}: {error.strerror or error}") from error
    return Identity(size, mtime_ns, digest.hexdigest())


def fingerprint(job: Job, setup: Setup, identities: Mapping[str, Identity]) -> str:
    """Hash everything that the results of a job depend on: bytes, models, options.

    Parameters
    ----------
    job : Job
    setup : Setup
    identities : mapping
        Of those inputs that can be read.
    """
    neutral = job.videos[0].neutral
    at_rest = identities[neutral].sha256 if neutral in identities else neutral
    content = {
        "videos": [identities[v.path].sha256 if v.path in identities else "" for v in job.videos],
        "names": [os.path.basename(v.path) for v in job.videos],
        "person": bool(job.videos[0].person),
        "neutral": at_rest,
        "options": setup.options.as_dict(),
        "models": dict(setup.model_sha256),
        "max_frames": setup.max_frames,
        "rotate": setup.rotate,
        "suffix": setup.suffix,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _files(path: str) -> list[Path]:
    folder = Path(path)
    return sorted(file for file in folder.iterdir() if file.is_file()) if folder.is_dir() else [folder]
