"""The three stages of MTCNN with OpenFace 2.2's order of operations and boxes, over frames of one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backends.interface import FrameBatch, NetworkOutput
from .boxes import (
    apply_regression,
    non_maximum_suppression,
    proposals,
    rectify,
    to_landmark_convention,
)
from .detection import Detection
from .pyramid import PyramidLevel, pyramid_levels

__all__ = ["CascadeSettings", "run_cascade"]

Float32 = NDArray[np.float32]

# OpenFace 2.2: FaceDetectorMTCNN.cpp, overlaps for the suppressions.
_OVERLAP_WITHIN_LEVEL = 0.5
_OVERLAP = 0.7


@dataclass(frozen=True)
class CascadeSettings:
    """What is looked for.

    Attributes
    ----------
    min_face_size : float
        Side in pixels of the smallest face.
    thresholds : tuple of three floats
        Smallest probabilities to pass PNet, RNet and ONet.
    factor : float
        Factor between two levels of the pyramid.
    """

    min_face_size: float
    thresholds: tuple[float, ...]
    factor: float


@dataclass(frozen=True)
class _Candidates:
    """Boxes (n, 4) on their way through the cascade, with scores (n,) and box offsets (n, 4)."""

    boxes: Float32
    scores: Float32
    offsets: Float32

    def __len__(self) -> int:
        return len(self.boxes)

    def select(self, index: NDArray[Any]) -> _Candidates:
        return _Candidates(self.boxes[index], self.scores[index], self.offsets[index])

    def suppress(self, threshold: float) -> _Candidates:
        return self.select(non_maximum_suppression(self.boxes, self.scores, threshold))


@lru_cache(maxsize=8)
def _levels(height: int, width: int, min_face_size: float, factor: float) -> tuple[PyramidLevel, ...]:
    return pyramid_levels(height, width, min_face_size, factor)


def run_cascade(
    batch: FrameBatch, count: int, height: int, width: int, settings: CascadeSettings
) -> list[list[Detection]]:
    """Find the faces in frames of one size.

    Parameters
    ----------
    batch : FrameBatch
        The frames, held by an engine.
    count, height, width : int
        Number of frames, and their size in pixels.
    settings : CascadeSettings
        What is looked for.

    Returns
    -------
    list of list of Detection
        For each frame its faces, best first.
    """
    levels = _levels(height, width, settings.min_face_size, settings.factor)
    outputs = batch.propose(levels) if levels else [[] for _ in range(count)]
    found = [_proposed(levels, frame_outputs, settings, (height, width)) for frame_outputs in outputs]

    which, boxes = _flat(found)
    if len(boxes):
        refined = _split(batch.refine(which, boxes), found)
        found = [
            _refined(candidates, output, settings.thresholds[1], (height, width))
            if len(candidates)
            else candidates
            for candidates, output in zip(found, refined, strict=True)
        ]
        which, boxes = _flat(found)
    if not len(boxes):
        return [[] for _ in range(count)]
    finished = _split(batch.finish(which, boxes), found)
    return [
        _finished(candidates, output, settings.thresholds[2]) if len(candidates) else []
        for candidates, output in zip(found, finished, strict=True)
    ]


def _flat(found: Sequence[_Candidates]) -> tuple[NDArray[np.intp], Float32]:
    """Boxes of all frames, and the frame of each."""
    which = np.repeat(np.arange(len(found)), [len(candidates) for candidates in found])
    return which, np.concatenate([candidates.boxes for candidates in found])


def _split(output: NetworkOutput, found: Sequence[_Candidates]) -> list[NetworkOutput]:
    """Each frame's part of an output over all candidates."""
    parts, start = [], 0
    for candidates in found:
        part = slice(start, start + len(candidates))
        start = part.stop
        points = None if output.points is None else output.points[part]
        parts.append(NetworkOutput(output.probability[part], output.regression[part], points))
    return parts


def _proposed(
    levels: Sequence[PyramidLevel],
    outputs: Sequence[NetworkOutput],
    settings: CascadeSettings,
    size: tuple[int, int],
) -> _Candidates:
    """Stage 1: what PNet saw on each level of a frame."""
    found = []
    for level, output in zip(levels, outputs, strict=True):
        proposed = _Candidates(
            *proposals(output.probability[0], output.regression[0], level.scale, settings.thresholds[0])
        )
        if len(proposed):
            found.append(proposed.suppress(_OVERLAP_WITHIN_LEVEL))
    if not found:
        nothing = np.empty((0, 4), np.float32)
        return _Candidates(nothing, np.empty(0, np.float32), nothing)
    everything = _Candidates(
        np.concatenate([part.boxes for part in found]),
        np.concatenate([part.scores for part in found]),
        np.concatenate([part.offsets for part in found]),
    )
    return _squares(everything.suppress(_OVERLAP), size)


def _refined(
    candidates: _Candidates, output: NetworkOutput, threshold: float, size: tuple[int, int]
) -> _Candidates:
    """Stage 2: what RNet says of the proposals."""
    keep = np.flatnonzero(output.probability >= threshold)
    passed = _Candidates(candidates.boxes[keep], output.probability[keep], output.regression[keep])
    return _squares(passed.suppress(_OVERLAP), size)


def _squares(candidates: _Candidates, size: tuple[int, int]) -> _Candidates:
    """Regressed squares to crop for the next stage."""
    squares = rectify(apply_regression(candidates.boxes, candidates.offsets))
    moved = _Candidates(squares, candidates.scores, candidates.offsets)
    # OpenFace throws on a box outside the frame; here it is not a candidate.
    return moved.select(_touching(squares, size))


def _touching(boxes: Float32, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Boxes that have a size and whose crop shares at least a pixel with the frame."""
    height, width = size
    x, y, w, h = boxes.T
    touching: NDArray[np.bool_] = (
        (w >= 0) & (h >= 0) & (x - 1 < width) & (y - 1 < height) & (x + w > 0) & (y + h > 0)
    )
    return touching


def _finished(candidates: _Candidates, output: NetworkOutput, threshold: float) -> list[Detection]:
    """Stage 3: what ONet says of the refined boxes, adjusted to OpenFace's convention."""
    assert output.points is not None
    keep = np.flatnonzero(output.probability >= threshold)
    squares, scores = candidates.boxes[keep], output.probability[keep]
    # Unlike in stage 2 the boxes move before the suppression.
    moved = apply_regression(squares, output.regression[keep], enlarge=True)
    best = non_maximum_suppression(moved, scores, _OVERLAP, of_smaller=True)
    # The crop starts one pixel before x and is one pixel larger than the box (see `crops`).
    origin, size = squares[best, :2] - 1, squares[best, 2:] + 1
    points = (origin[:, :, None] + output.points[keep][best] * size[:, :, None]).swapaxes(1, 2)
    boxes = to_landmark_convention(moved[best])
    return [
        Detection(boxes[i].copy(), float(scores[index]), np.ascontiguousarray(points[i], np.float32))
        for i, index in enumerate(best)
    ]
