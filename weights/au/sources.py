"""The annotated material: crops, clips, their 68 points and MediaPipe's blendshapes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from weights.landmarks.data import centred, load_keypoints, split_of
from weights.landmarks.london import hand_targets, load_london, resized
from weights.landmarks.prepare import london_people, make_labels

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]
#: Outer-eye distances (px) at which the London pictures are real training faces, and at which they are drawn from.
LONDON_SIZES, LONDON_DRAWN_SIZE = (60.0, 130.0), 130.0


@dataclass(frozen=True)
class Frame:
    """One picture with what is known about its face.

    Attributes
    ----------
    subject : person (crops) or clip
    part : ``train``, ``validation`` or ``test``, fixed by the person's name
    image : (H, W, 3) uint8 BGR
    points : (68, 2) float64 px
    mediapipe : (478, 3) float64, MediaPipe's points
    blendshapes : (52,) float64, MediaPipe's
    index : number of the crop, or of the frame in its clip
    """

    subject: str
    part: str
    image: U8
    points: F64
    mediapipe: F64
    blendshapes: F64
    index: int


def blendshape_names(data: Path) -> tuple[str, ...]:
    """Names of MediaPipe's blendshapes, in the order of `Frame.blendshapes`."""
    with np.load(data / "keypoints" / "mediapipe.npz", allow_pickle=False) as stored:
        return tuple(str(name) for name in stored["blendshape_names"])


def crops(data: Path) -> Iterator[Frame]:
    """Crops of ``keypoints`` with trusted labels where MediaPipe found the face."""
    faces = load_keypoints(data / "keypoints")
    labels, _ = make_labels(faces)
    with np.load(data / "keypoints" / "mediapipe.npz", allow_pickle=False) as stored:
        blendshapes = stored["blendshapes"].astype(np.float64)
    usable = labels.trusted & ~np.isnan(blendshapes).any(axis=1)
    for i in np.flatnonzero(usable):
        person = str(faces.persons[i])
        image = cv2.imread(str(faces.folder / "images" / faces.names[i]), cv2.IMREAD_COLOR)
        if image is None:
            raise FileNotFoundError(f"{faces.folder / 'images' / faces.names[i]}: not a readable image")
        yield Frame(
            person,
            split_of(person),
            np.asarray(image, np.uint8),
            labels.fused[i],
            faces.mediapipe[i],
            blendshapes[i],
            int(i),
        )


def london(data: Path, mesh: Path, sizes: Sequence[float] = LONDON_SIZES) -> Iterator[Frame]:
    """Calm and smiling pictures of the London people for training, at each of `sizes` (outer-eye distance, px).

    Points are those placed by hand where there are such; the file `mesh` holds MediaPipe's points and blendshapes.
    """
    people = load_london(data / "london")
    _, mapping = make_labels(load_keypoints(data / "keypoints"))
    with np.load(mesh, allow_pickle=False) as stored:
        at = {str(name): k for k, name in enumerate(stored["names"])}
        found, blendshapes = (
            centred(stored["points"].astype(np.float64)),
            stored["blendshapes"].astype(np.float64),
        )
    for person in london_people("train"):
        hand = people.points[people.people.index(person)]
        for smiling in (False, True):
            row = at[f"{person}_{'smiling' if smiling else 'neutral'}.jpg"]
            if np.isnan(found[row]).any():
                continue
            points = mapping(found[row : row + 1])[0]
            if not smiling:
                exact = hand_targets(hand, points)
                points = np.where(np.isnan(exact), points, exact)
            now = float(np.linalg.norm(points[45] - points[36]))
            for size in sizes:
                image, placed = resized(people.image(person, smiling), points, now, size)
                yield Frame(
                    f"london_{person}", "train", image, placed, found[row], blendshapes[row], int(smiling)
                )


def clips(data: Path) -> Iterator[Frame]:
    """All frames of ``clips`` where MediaPipe found the face; points through the map learnt on the crops."""
    _, mapping = make_labels(load_keypoints(data / "keypoints"))
    for path in sorted((data / "clips").glob("*.avi")):
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as stored:
            mediapipe = centred(stored["points"].astype(np.float64))
            blendshapes = stored["blendshapes"].astype(np.float64)
        reader = cv2.VideoCapture(str(path))
        for index in range(len(mediapipe)):
            there, image = reader.read()
            if not there:
                break
            if np.isnan(mediapipe[index]).any():
                continue
            points = mapping(mediapipe[index : index + 1])[0]
            picture = np.asarray(image, np.uint8)
            yield Frame(path.stem, "train", picture, points, mediapipe[index], blendshapes[index], index)
