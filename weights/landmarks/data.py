"""Annotated face crops: loading, the split by person and the data manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

N_POINTS = 68
# iBUG order: mirror partner of each of the 68 points.
MIRROR_68: NDArray[np.int32] = np.array(
    [16 - i for i in range(17)]
    + [26 - i for i in range(10)]
    + [27, 28, 29, 30]
    + [35, 34, 33, 32, 31]
    + [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    + [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65],
    dtype=np.int32,
)
# MediaPipe indices used as anchors: outer and inner eye corners, mouth corners.
MP_OUTER_EYES = (33, 263)
TEST_PERCENT = 20
VALIDATION_PERCENT = 7


@dataclass(frozen=True)
class KeypointSet:
    """Annotated crops of a folder of the form of ``../shared/data/keypoints``.

    Attributes
    ----------
    names : tuple of str
        File names below ``images/``; the part before the last ``_`` is the person.
    landmarks : ndarray (n, 68, 2) float64
        Labels in px, iBUG order, as stored (biased, whole pixels).
    mediapipe : ndarray (n, 478, 3) float64
        MediaPipe's points, NaN where it found no face.
    folder : Path
        The folder itself.
    """

    names: tuple[str, ...]
    landmarks: NDArray[np.float64]
    mediapipe: NDArray[np.float64]
    folder: Path

    @property
    def persons(self) -> NDArray[np.str_]:
        """Person of every crop."""
        return np.array([name.rsplit("_", 1)[0] for name in self.names])

    def grey(self, index: int) -> NDArray[np.uint8]:
        """Return crop ``index`` as 8-bit grey."""
        return read_grey(self.folder / "images" / self.names[index])


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Read an image as grey with OpenFace's BGR weights; raise FileNotFoundError if unreadable."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(f"{path}: not a readable image")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def centred(mediapipe: NDArray[np.float64]) -> NDArray[np.float64]:
    """MediaPipe's stored points (..., 3) in px with pixel centres at integers: half a pixel right and down.

    Points placed by hand on pictures of five sizes (outer-eye distances of 35 to 141 px) lie (0.48, 0.50) px
    from the stored
    ones plus something that grows with the face, so what MediaPipe gives counts pixel centres at integers already, and
    the stored points are half a pixel off.
    """
    return np.asarray(mediapipe + np.array([0.5, 0.5, 0.0]))


def load_keypoints(folder: Path) -> KeypointSet:
    """Load ``landmarks.npz``, ``mediapipe.npz`` and the image list of a keypoint folder."""
    with np.load(folder / "landmarks.npz", allow_pickle=False) as labels:
        names = tuple(str(name) for name in labels["names"])
        landmarks = labels["landmarks"].astype(np.float64)
    if landmarks.shape != (len(names), N_POINTS, 2):
        raise ValueError(f"{folder}/landmarks.npz: landmarks are {landmarks.shape}, not (n, 68, 2)")
    with np.load(folder / "mediapipe.npz", allow_pickle=False) as other:
        if tuple(str(name) for name in other["names"]) != names:
            raise ValueError(f"{folder}/mediapipe.npz: names differ from landmarks.npz")
        mediapipe = centred(other["points"].astype(np.float64))
    return KeypointSet(names, landmarks, mediapipe, folder)


def split_of(person: str) -> str:
    """Assign a person to ``train``, ``validation`` or ``test`` by a hash of the name (fixed for ever)."""
    percent = int(hashlib.sha256(person.encode()).hexdigest()[:8], 16) % 100
    if percent < TEST_PERCENT:
        return "test"
    return "validation" if percent < TEST_PERCENT + VALIDATION_PERCENT else "train"


def split_mask(persons: Sequence[str] | NDArray[np.str_], part: str) -> NDArray[np.bool_]:
    """Mask of the crops whose person belongs to ``part``."""
    return np.array([split_of(str(person)) == part for person in persons])


def write_split(data: KeypointSet, path: Path) -> None:
    """Write the persons of each part to a JSON file, for the record."""
    people = sorted(set(data.persons.tolist()))
    parts = {part: [p for p in people if split_of(p) == part] for part in ("train", "validation", "test")}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(parts, indent=1) + "\n")


def write_manifest(folders: Sequence[Path], path: Path) -> None:
    """Write name, size and SHA-256 of every data file; a folder of images becomes one combined hash."""
    entries: dict[str, dict[str, str | int]] = {}
    for folder in folders:
        for file in sorted(p for p in folder.iterdir() if p.is_file()):
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            entries[f"{folder.name}/{file.name}"] = {"bytes": file.stat().st_size, "sha256": digest}
        for child in sorted(p for p in folder.iterdir() if p.is_dir()):
            combined, total, count = hashlib.sha256(), 0, 0
            for file in sorted(child.iterdir()):
                content = file.read_bytes()
                combined.update(file.name.encode() + hashlib.sha256(content).digest())
                total, count = total + len(content), count + 1
            entries[f"{folder.name}/{child.name}/"] = {
                "files": count,
                "bytes": total,
                "sha256_of_names_and_hashes": combined.hexdigest(),
            }
    path.write_text(json.dumps(entries, indent=1) + "\n")
