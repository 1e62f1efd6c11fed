"""What an input is: a video, numbered images that are a sequence, or photographs; and what lies in folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

from ._warning import warn
from .errors import InputWarning, VideoError
from .video import IMAGE_SUFFIXES, PHOTO_SUFFIXES, natural_key, read_image

Kind = Literal["video", "sequence", "photos"]
ImagesAs = Literal["auto", "sequence", "photos"]
# Files that are looked for in folders; a file that is named is opened whatever its ending.
VIDEO_SUFFIXES = frozenset(
    {
        ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".asf", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts",
        ".flv", ".3gp", ".ogv", ".mxf", ".vob", ".gif",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Input:
    """One thing to analyse, with one result.

    Attributes
    ----------
    kind : {"video", "sequence", "photos"}
    path : Path
        Video file, or folder of images; for photographs that were named one by one, the first of them.
    name : Path
        Of the result, without ending, below the folder of results.
    photos : tuple of Path
        The photographs, for that kind.
    remark : str
        What an ambiguous folder is taken for, and how to have it otherwise; may be empty.
    """

    kind: Kind
    path: Path
    name: Path
    photos: tuple[Path, ...] = ()
    remark: str = ""


def find_inputs(paths: Sequence[Path], images_as: ImagesAs = "auto") -> list[Input]:
    """Sort out files and folders.

    A folder of videos stands for its videos and those of its subfolders. Photographs that are named one by one
    share one table. Results of folders keep the folders' tree; results that would have the same name keep as much of
    it as tells them apart.

    Parameters
    ----------
    paths : sequence of Path
        Videos, images, folders. Files that do not exist are kept: opening them says so.
    images_as : {"auto", "sequence", "photos"}
        What the images of a folder are. "auto": a sequence if their names differ only in numbers without gaps and
        their sizes are the same, else photographs.

    Returns
    -------
    list of Input

    Raises
    ------
    VideoError
        A folder holds nothing to analyse, or both images and videos.
    """
    found: list[Input] = []
    photos = [path for path in paths if path.suffix.lower() in PHOTO_SUFFIXES and not path.is_dir()]
    if photos and images_as == "sequence":
        raise VideoError(f"{photos[0]}: a sequence is a folder of images; give the folder")
    for path in paths:
        if path.is_dir():
            inside = _inside(path, path, images_as)
            if not inside:
                raise VideoError(f"{path}: the folder holds no videos and no images")
            found += inside
        elif path not in photos:
            found.append(Input("video", path, Path(path.resolve().stem)))
    if photos:
        name = photos[0].stem if len(photos) == 1 else "photos"
        found.append(Input("photos", photos[0], Path(name), tuple(photos)))
    return _apart(found)


def images_in(folder: Path, suffixes: Iterable[str] = PHOTO_SUFFIXES) -> list[Path]:
    """List the images of a folder, in the order of their names and numbers.

    Raises
    ------
    VideoError
        The folder cannot be read.
    """
    return sorted((path for path in _entries(folder) if path.suffix.lower() in suffixes), key=natural_key)


def is_numbered(images: Sequence[Path]) -> bool:
    """Whether the names of images differ only in numbers that count on evenly, and their sizes are the same.

    Parameters
    ----------
    images : sequence of Path
        In their order.

    Returns
    -------
    bool
        False for less than two. Sizes are those of the first and the last one, if they can be read.
    """
    matches = [re.fullmatch(r"(.*?)(\d+)(\D*)", path.stem) for path in images]
    if len(images) < 2 or len({None if m is None else (m[1], m[3]) for m in matches}) > 1:
        return False
    numbers = [int(m[2]) for m in matches if m is not None]
    if len({b - a for a, b in pairwise(numbers)}) != 1:
        return False
    try:
        return read_image(images[0]).shape == read_image(images[-1]).shape
    except VideoError:  # said with its name when its turn comes
        return True


def check_sequence(path: Path) -> None:
    """Say so if what is to be a sequence does not look like one.

    Warns
    -----
    InputWarning
        A folder whose images are not numbered, or with videos beside them.

    Raises
    ------
    VideoError
        A single image, which needs static models.
    """
    if not path.is_dir():
        if path.suffix.lower() in PHOTO_SUFFIXES and path.exists():
            raise VideoError(
                f"{path}: a single image is no video, and dynamic action units would be measured against itself; "
                "use process_images"
            )
        return
    images = images_in(path, IMAGE_SUFFIXES)
    videos = [entry for entry in _entries(path) if _is_video(entry)]
    if images and videos:
        _warn(f"{path}: {_count(len(videos), 'video')} beside the images passed over")
    if len(images) > 1 and not is_numbered(images):
        _warn(
            f"{path}: the images are not numbered evenly, or differ in size, and are taken for a sequence in the order "
            "of their names; use process_images if they are photographs"
        )


def _warn(message: str) -> None:
    warn(message, InputWarning)


def _inside(folder: Path, root: Path, images_as: ImagesAs) -> list[Input]:
    """Find what a folder holds; results are named by their place below its root."""
    entries = sorted(_entries(folder), key=natural_key)
    images = images_in(folder)
    videos = [entry for entry in entries if _is_video(entry)]
    name = Path(folder.resolve().name) if folder == root else folder.relative_to(root)
    if images and videos:
        if images_as == "auto":
            raise VideoError(
                f"{folder}: holds {_count(len(images), 'image')} and {_count(len(videos), 'video')}; name the "
                "videos, or say with --as photos or --as sequence what the images are"
            )
        _warn(f"{folder}: {_count(len(videos), 'video')} beside the images passed over")
    if images:
        return [_of_images(folder, name, images, images_as)]
    found = [Input("video", video, video.relative_to(root).with_suffix("")) for video in videos]
    for entry in entries:
        if entry.is_dir():
            found += _inside(entry, root, images_as)
    return found


def _of_images(folder: Path, name: Path, images: Sequence[Path], images_as: ImagesAs) -> Input:
    remark = ""
    kind: Kind = "photos"
    readable = all(path.suffix.lower() in IMAGE_SUFFIXES for path in images)  # as a sequence
    if images_as == "sequence" or (images_as == "auto" and readable and is_numbered(images)):
        kind = "sequence"
    if images_as == "auto" and len(images) > 1:
        what, other = ("a sequence", "photos") if kind == "sequence" else ("single photographs", "sequence")
        why = "numbered" if kind == "sequence" else "not numbered evenly, or of different size"
        remark = f"{folder}: {len(images)} images, {why}, are taken for {what} (--as {other} to change that)"
    return Input(kind, folder, name, tuple(images) if kind == "photos" else (), remark)


def _apart(inputs: list[Input]) -> list[Input]:
    """Name results by their place below the common folder where shorter names are the same."""
    names = [each.name for each in inputs]
    if len(set(names)) == len(names):
        return inputs
    places = [each.path.resolve() for each in inputs]
    common = Path(os.path.commonpath([place.parent for place in places]))
    return [
        replace(
            each,
            name=place.relative_to(common) if place.is_dir() else place.relative_to(common).with_suffix(""),
        )
        for each, place in zip(inputs, places, strict=True)
    ]


def _entries(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise VideoError(f"{folder}: cannot be read ({error.strerror or error})") from error


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
