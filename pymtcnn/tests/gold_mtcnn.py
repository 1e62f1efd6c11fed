"""Figures of the comparison with the C++ reference's boxes: pure functions for tests and parity table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pymtcnn import MTCNN, Detection

# Every how many frames the reference's video boxes were stored.
FRAME_STEP = 30


@dataclass(frozen=True)
class ImageComparison:
    """One image against the reference.

    Attributes
    ----------
    name : str
        Image, or video and frame.
    expected, found : int
        Faces of the reference and ours.
    box_error : float
        Largest difference of x, y, width or height in pixels, faces paired in order; nan where the counts
        differ.
    score_error : float
        Largest difference of the scores; nan where the counts differ.
    """

    name: str
    expected: int
    found: int
    box_error: float
    score_error: float


@dataclass(frozen=True)
class Summary:
    """Worst case over images."""

    images: int
    faces: int
    wrong_counts: tuple[str, ...]
    box_error: float
    score_error: float


def compare(name: str, gold: NDArray[np.float32], detections: list[Detection]) -> ImageComparison:
    """Compare detections with rows ``x, y, width, height, score`` (both best first)."""
    if len(gold) != len(detections):
        return ImageComparison(name, len(gold), len(detections), np.nan, np.nan)
    if len(gold) == 0:
        return ImageComparison(name, 0, 0, 0.0, 0.0)
    boxes = np.array([detection.box for detection in detections])
    scores = np.array([detection.score for detection in detections])
    return ImageComparison(
        name,
        len(gold),
        len(detections),
        float(np.abs(boxes - gold[:, :4]).max()),
        float(np.abs(scores - gold[:, 4]).max()),
    )


def read_image(path: Path) -> NDArray[Any]:
    """Decode an image as stored (bit depth and channels)."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise FileNotFoundError(path)
    return image


def video_frames(path: Path, step: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """Every `step`-th frame of a video (or of a folder of images) with its index."""
    if path.is_dir():
        for index, file in enumerate(sorted(path.iterdir())):
            if index % step == 0:
                yield index, read_image(file)
        return
    capture = cv2.VideoCapture(str(path))
    index = 0
    while capture.grab():
        if index % step == 0:
            yield index, capture.retrieve()[1]
        index += 1
    capture.release()


def compare_images(shared: Path, detector: MTCNN) -> list[ImageComparison]:
    """All sample images; the reference stores every face in the detector's order."""
    comparisons = []
    for folder in sorted((shared / "gold/images").iterdir()):
        image = read_image(shared / "media" / f"{folder.name}.jpg")
        gold = np.load(folder / "mtcnn_boxes.npy")
        comparisons.append(compare(folder.name, gold, detector.detect(image)))
    return comparisons


def compare_videos(shared: Path, detector: MTCNN, mode: str = "clnf") -> list[ImageComparison]:
    """Every 30th frame of each video; the reference stores every face, with the frame's index in column 0."""
    comparisons = []
    for folder in sorted((shared / "gold/video" / mode).iterdir()):
        gold = np.load(folder / "mtcnn.npy")
        (path,) = [p for p in (shared / "media").iterdir() if p.stem == folder.name]
        for index, frame in video_frames(path, FRAME_STEP):
            rows = gold[gold[:, 0] == index, 1:]
            comparisons.append(compare(f"{folder.name} frame {index}", rows, detector.detect(frame)))
    return comparisons


def summarise(comparisons: Iterable[ImageComparison]) -> Summary:
    """Worst figures of several comparisons."""
    comparisons = list(comparisons)
    return Summary(
        images=len(comparisons),
        faces=sum(c.expected for c in comparisons),
        wrong_counts=tuple(c.name for c in comparisons if c.expected != c.found),
        box_error=float(np.nanmax([c.box_error for c in comparisons])),
        score_error=float(np.nanmax([c.score_error for c in comparisons])),
    )
