"""Tracks of several faces: how far two runs over one video are apart, and how far two builds of the reference are.

The track of a face that is lost is chaotic. Its fit wanders over the background, where the last bit of a response
decides whether it passes the validator once more and so lives six frames longer. From there on two builds of the
reference itself part, and so do the instruction sets here. What may be asked is therefore in two parts: the same faces
and verdicts up to the frame where a face of two builds is a pixel apart for good, and over the whole video no more
disagreement than among builds.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import numpy.typing as npt

Faces = dict[int, tuple[bool, npt.NDArray[np.float64]]]
"""Of each face of a frame: success, and landmarks (68, 2) in px."""

NOISE = Path(__file__).resolve().parents[2] / "tests/data/reference_noise.json"
# Only a few builds were compared, so the next one may disagree somewhat more than the worst of them.
MARGIN = 1.5
# A face that turns away can be a pixel apart for a frame or two and come back.
_FOR_GOOD = 3


@dataclass(frozen=True)
class Apart:
    """How far two runs over one video are apart.

    Attributes
    ----------
    parted : int
        First frame, counted from 1, with other faces or another verdict; one past the last frame if there is none.
    pixel : int
        First frame with a face more than a pixel away, in the next two frames too; likewise.
    calm : float
        Mean landmark distance of a face before the frame `parted`, px.
    other_ids, other_count : float
        Share of frames with other face numbers, and with another number of faces.
    other_success : float
        Share of faces, of those in the same frame in both, with another verdict.
    other_rows : float
        Share of rows, of the run that has more, that the other has not.
    median, mean : float
        Of the mean landmark distance of faces that both follow, all frames, px.
    """

    parted: int
    pixel: int
    calm: float
    other_ids: float
    other_count: float
    other_success: float
    other_rows: float
    median: float
    mean: float


def apart(a: Mapping[int, Faces], b: Mapping[int, Faces]) -> Apart:
    """Compare two runs, given as faces of each frame."""
    last = max(*a, *b)
    parted = pixel = last + 1
    astray = 0
    calm: list[float] = []
    distances: list[float] = []
    same_ids: list[bool] = []
    same_count: list[bool] = []
    same_success: list[bool] = []
    for frame in range(1, last + 1):
        first, second = a.get(frame, {}), b.get(frame, {})
        same_ids.append(sorted(first) == sorted(second))
        same_count.append(len(first) == len(second))
        common = sorted(set(first) & set(second))
        verdicts = [first[face][0] == second[face][0] for face in common]
        gaps = {face: _distance(first[face][1], second[face][1]) for face in common}
        same_success += verdicts
        distances += [gaps[face] for face in common if first[face][0] and second[face][0]]
        if parted > last and not (same_ids[-1] and all(verdicts)):
            parted = frame
        astray = astray + 1 if max(gaps.values(), default=0) > 1 else 0
        if astray == _FOR_GOOD and pixel > last:
            pixel = frame - _FOR_GOOD + 1
        if parted > last:
            calm += gaps.values()
    rows = [sum(map(len, run.values())) for run in (a, b)]
    return Apart(
        parted=parted,
        pixel=pixel,
        calm=float(np.mean(calm)),
        other_ids=1 - float(np.mean(same_ids)),
        other_count=1 - float(np.mean(same_count)),
        other_success=1 - float(np.mean(same_success)),
        other_rows=1 - len(same_success) / max(rows),
        median=float(np.median(distances)),
        mean=float(np.mean(distances)),
    )


def _distance(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    return float(np.linalg.norm(a - b, axis=1).mean())


def read_tracks(path: Path) -> dict[int, Faces]:
    """Read a CSV that FaceLandmarkVidMulti wrote."""
    if path.suffix == ".gz":
        with gzip.open(path, "rt", newline="") as file:
            return _read(file)
    with path.open(newline="") as file:
        return _read(file)


def _read(file: TextIO) -> dict[int, Faces]:
    rows = csv.reader(file)
    names = [name.strip() for name in next(rows)]
    number, face, success = (names.index(name) for name in ("frame", "face_id", "success"))
    x, y = names.index("x_0"), names.index("y_0")
    frames: dict[int, Faces] = {}
    for row in rows:
        landmarks = np.array([row[x : x + 68], row[y : y + 68]], np.float64).T
        frames.setdefault(int(row[number]), {})[int(row[face])] = (row[success].strip() == "1", landmarks)
    return frames


def builds_apart() -> list[Apart]:
    """How far the builds of the reference are apart, each pair of them."""
    pairs = json.loads(NOISE.read_text(encoding="utf-8"))["multi_face"]["pairs"]
    return [Apart(**figures) for figures in pairs.values()]


def noise_of(builds: Mapping[str, Path]) -> dict[str, dict[str, float]]:
    """Compare each pair of the builds' files."""
    runs = {name: read_tracks(path) for name, path in builds.items()}
    names = list(runs)
    return {f"{a}, {b}": asdict(apart(runs[a], runs[b])) for i, a in enumerate(names) for b in names[i + 1 :]}
