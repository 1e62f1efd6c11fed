"""Which videos a batch has: folders, patterns, single files, or a table with one line a video."""

from __future__ import annotations

import csv
import glob
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from ..errors import ManifestError
from ..output.columns import HEAD
from ..video import IMAGE_SUFFIXES

PathLike = str | os.PathLike[str]

VIDEO_SUFFIXES = (
    *(".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov"),
    *(".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"),
)
MOST_BYTES = 64 * 2**20  # of a manifest; a million lines
_YES = ("yes", "true", "x", "1")
_FRAMES = re.compile(r"(\d{1,9})\s*[-:]\s*(\d{1,9})")
# Names that a result has already, whatever its groups.
_TAKEN = re.compile(r"AU\d\d_.*|(pose|gaze|eye_lmk|p)_.*|[xyzXYZ]_\d+|video|" + "|".join(HEAD))


@dataclass(frozen=True)
class BatchVideo:
    """One video of a batch.

    Attributes
    ----------
    path : str
        Absolute path of the file, or of a folder of images.
    name : str
        Of the result, without its ending, with "/" between folders; the `video` level of `read_results`.
    person : str
        Videos with the same value show one person; empty for a video that stands alone.
    neutral : str
        The person at rest: empty, the absolute path of a recording, or "first-last" for frames of the video.
    columns : tuple of (str, str)
        What else the manifest says about it.
    """

    path: str
    name: str
    person: str = ""
    neutral: str = ""
    columns: tuple[tuple[str, str], ...] = field(default=())

    @property
    def neutral_frames(self) -> tuple[int, int] | None:
        """First and last frame of the person at rest, from 1, if that is what `neutral` says."""
        return _frames(self.neutral)


def collect_videos(inputs: Sequence[PathLike], output: PathLike | None = None) -> list[BatchVideo]:
    """List the videos of a batch.

    Parameters
    ----------
    inputs : sequence of path-like
        Folders (searched with their subfolders), patterns with ``*``, ``**``, ``?`` or ``[]``, video files, folders
        of images by pattern, or manifests (.csv).
    output : path-like, optional
        Folder of the results; nothing in it is taken for an input.

    Returns
    -------
    list of BatchVideo
        Each file once, in the order of the inputs, then by name.

    Raises
    ------
    ManifestError
        An input does not exist or holds no video, or a manifest is not as described in the guide.
    """
    results = None if output is None else Path(output).resolve()
    found: dict[str, tuple[BatchVideo, PurePath]] = {}
    for given in inputs:
        for video, relative in _videos_of(str(given)):
            if results is not None and results in Path(video.path).parents and video.path not in found:
                continue
            if video.path in found and (found[video.path][0].columns or video.columns):
                raise ManifestError(f"{given}: {video.path} is listed twice; keep one line a video")
            found.setdefault(video.path, (video, relative))
    if not found:
        raise ManifestError(f"no videos in {', '.join(map(str, inputs)) or 'nothing'}")
    videos = [video for video, _ in found.values()]
    names = _result_names([(Path(video.path), relative) for video, relative in found.values()])
    return [replace(video, name=name) for video, name in zip(videos, names, strict=True)]


def people(videos: Iterable[BatchVideo]) -> list[tuple[BatchVideo, ...]]:
    """Group the videos of each person, in the order of the list; others stand alone.

    Raises
    ------
    ManifestError
        A person has more than one recording at rest, or frames that are not of the first video.
    """
    groups: dict[str, list[BatchVideo]] = {}
    for video in videos:
        groups.setdefault(f"person {video.person}" if video.person else video.path, []).append(video)
    return [_with_one_neutral(group) for group in groups.values()]


def _with_one_neutral(group: Sequence[BatchVideo]) -> tuple[BatchVideo, ...]:
    at_rest = [video for video in group if video.neutral]
    if not at_rest:
        return tuple(group)
    if len({video.neutral for video in at_rest}) > 1:
        raise ManifestError(f"{group[0].person}: give one `neutral` for all videos of a person")
    neutral = at_rest[0].neutral
    if _frames(neutral) and [video.path for video in at_rest] != [group[0].path]:
        raise ManifestError(
            f"{group[0].person}: frames as `neutral` are those of the person's first video; put that one first, "
            "or name a recording"
        )
    return tuple(replace(video, neutral=neutral) for video in group)


def _videos_of(given: str) -> list[tuple[BatchVideo, PurePath]]:
    """List the videos of one input, each with the path that its result has within the output folder."""
    path = Path(given)
    if path.is_dir():
        return [_alone(file, file.relative_to(path)) for file in _search(path)]
    if path.is_file():
        return _manifest(path) if path.suffix.lower() == ".csv" else [_alone(path, PurePath(path.name))]
    if not glob.has_magic(given):
        raise ManifestError(f"{given}: no such file or folder")
    fixed = Path(*_fixed_parts(path))
    matches = [Path(match) for match in sorted(glob.glob(given, recursive=True))]
    videos = [match for match in matches if match.suffix.lower() in VIDEO_SUFFIXES or _is_image_folder(match)]
    if not videos:
        raise ManifestError(f"{given}: no video or folder of images has such a name")
    return [_alone(match, match.relative_to(fixed)) for match in videos]


def _alone(path: Path, relative: PurePath) -> tuple[BatchVideo, PurePath]:
    return BatchVideo(str(path.resolve()), ""), relative


def _search(folder: Path) -> list[Path]:
    """List the videos below a folder, by name; nothing hidden."""
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES:
                found.append(Path(root, name))
    return found


def _fixed_parts(pattern: Path) -> list[str]:
    """Return the folders of a pattern before its first wildcard."""
    parts: list[str] = []
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return parts


def _is_image_folder(path: Path) -> bool:
    return path.is_dir() and any(file.suffix.lower() in IMAGE_SUFFIXES for file in path.iterdir())


def _manifest(path: Path) -> list[tuple[BatchVideo, PurePath]]:
    """Read a manifest; see `collect_videos`."""
    if path.stat().st_size > MOST_BYTES:
        raise ManifestError(f"{path}: larger than {MOST_BYTES // 2**20} MB, which is no list of videos")
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = text.partition("\n")[0]
        delimiter = ";" if first.count(";") > first.count(",") else ","  # spreadsheets of half of Europe
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        header = [name.strip() for name in next(lines, [])]
        rows = [
            (lines.line_num, [cell.strip() for cell in line]) for line in lines if any(map(str.strip, line))
        ]
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: not UTF-8 text (byte {error.start}); save it as CSV UTF-8") from error
    except csv.Error as error:
        raise ManifestError(f"{path}: not a table of comma-separated values ({error})") from error
    names = [name.lower() if name.lower() in ("path", "person", "neutral") else name for name in header]
    _check_header(path, names)
    videos = []
    for number, cells in rows:
        if len(cells) != len(names):
            raise ManifestError(f"{path}, line {number}: {len(cells)} values for {len(names)} columns")
        videos.append(_manifest_video(path, number, dict(zip(names, cells, strict=True))))
    for listed, count in Counter(video.path for video, _ in videos).items():
        if count > 1:
            raise ManifestError(f"{path}: {listed} is listed twice; keep one line a video")
    return videos


def _check_header(path: Path, names: Sequence[str]) -> None:
    if "path" not in names:
        raise ManifestError(f"{path}: the first line must name the columns, and one of them must be `path`")
    for name, count in Counter(names).items():
        if count > 1 or not name:
            raise ManifestError(
                f"{path}: the column {name!r} is there {count} times"
                if name
                else f"{path}: a column has no name"
            )
        if _TAKEN.fullmatch(name):
            raise ManifestError(f"{path}: results have a column {name!r} of their own; rename this one")


def _manifest_video(manifest: Path, number: int, values: dict[str, str]) -> tuple[BatchVideo, PurePath]:
    given = values.pop("path")
    if not given or "\0" in given + values.get("neutral", ""):
        raise ManifestError(f"{manifest}, line {number}: no path")
    folder = manifest.resolve().parent
    path = Path(os.path.abspath(folder / given))
    neutral = values.get("neutral", "")
    if neutral.lower() in _YES:
        neutral = str(path)
    elif neutral and not _FRAMES.fullmatch(neutral):
        neutral = os.path.abspath(folder / neutral)
        if not os.path.exists(neutral):
            raise ManifestError(
                f"{manifest}, line {number}: neutral is a recording ({neutral} does not exist), frames such as "
                "1-50, or yes for the video of this line"
            )
    _frames(neutral, f"{manifest}, line {number}: ")
    relative = path.relative_to(folder) if folder in path.parents else PurePath(path.name)
    return BatchVideo(str(path), "", values.get("person", ""), neutral, tuple(values.items())), relative


def _frames(neutral: str, where: str = "") -> tuple[int, int] | None:
    match = _FRAMES.fullmatch(neutral)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2])
    if not 1 <= first <= last:
        raise ManifestError(f"{where}frames {neutral} are not a first and a last one, counted from 1")
    return first, last


def _result_names(paths: Sequence[tuple[Path, PurePath]]) -> list[str]:
    """Name each result after its video; where two would be equal, with the ending, then with more folders."""
    names = [
        relative.with_suffix("").as_posix() if path.suffix.lower() in VIDEO_SUFFIXES else relative.as_posix()
        for path, relative in paths
    ]
    for depth in range(1, max(len(path.parts) for path, _ in paths) + 1):
        # Case is ignored, as on the file systems of Windows and macOS.
        count = Counter(name.casefold() for name in names)
        twins = [index for index, name in enumerate(names) if count[name.casefold()] > 1]
        if not twins:
            break
        for index in twins:
            path, relative = paths[index]
            names[index] = relative.as_posix() if depth == 1 else "/".join(path.parts[-depth:])
    return names
