"""The MTCNN cascade with OpenFace 2.2's parameters, order of operations and boxes."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backends import Backend, create_backend
from .boxes import (
    CELL,
    apply_regression,
    non_maximum_suppression,
    proposals,
    rectify,
    to_landmark_convention,
)
from .image import as_bgr
from .pyramid import Frame, PyramidLevel, pyramid_levels
from .weights import DetectorWeights, load_weights

__all__ = ["MTCNN", "Detection", "choose_face"]

Float32 = NDArray[np.float32]

# OpenFace 2.2: FaceDetectorMTCNN.cpp and its callers, which never override them.
DEFAULT_MIN_FACE_SIZE = 60
DEFAULT_THRESHOLDS = (0.6, 0.7, 0.7)

# OpenFace 2.2: FaceDetectorMTCNN.cpp, overlaps for the suppressions.
_OVERLAP_WITHIN_LEVEL = 0.5
_OVERLAP = 0.7


@dataclass(frozen=True, eq=False)
class Detection:
    """One face.

    Attributes
    ----------
    box : ndarray of float32, shape (4,)
        x, y, width, height in pixels, adjusted to the extent of the 68 landmarks as OpenFace does. The origin
        is the centre of the top-left pixel; the box may reach beyond the image.
    score : float
        ONet's probability of a face, 0..1.
    points : ndarray of float32, shape (5, 2)
        ONet's x and y in pixels of the eye at the left of the image, the eye at the right, the nose tip and
        the mouth corners at the left and at the right. OpenFace does not use them.
    """

    box: Float32
    score: float
    points: Float32


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
def _levels(height: int, width: int, min_face_size: float) -> tuple[PyramidLevel, ...]:
    return pyramid_levels(height, width, min_face_size)


def _touching(boxes: Float32, frame: Frame) -> NDArray[np.bool_]:
    """Boxes that have a size and whose crop shares at least a pixel with the frame."""
    height, width, _ = frame.shape
    x, y, w, h = boxes.T
    touching: NDArray[np.bool_] = (
        (w >= 0) & (h >= 0) & (x - 1 < width) & (y - 1 < height) & (x + w > 0) & (y + h > 0)
    )
    return touching


class MTCNN:
    """Face detector: OpenFace 2.2's MTCNN.

    Parameters
    ----------
    backend : str, default "auto"
        What runs the networks: ``"native"`` (compiled), ``"numpy"``, or ``"auto"`` for the best available one.
    weights : path-like or DetectorWeights, optional
        OpenFace's ``MTCNN_detector.txt`` or the folder with ``PNet.dat``, ``RNet.dat`` and ``ONet.dat``.
        By default the same weights from the installed ``mtcnn`` package.
    min_face_size : float, default 60
        Side in pixels of the smallest face to look for, at least 12. Time grows with its inverse square.
    thresholds : sequence of three floats, default (0.6, 0.7, 0.7)
        Smallest probabilities to pass PNet, RNet and ONet, each in 0..1.
    threads : int, default 1
        Threads that work on one image. Results do not depend on it. The NumPy backend always uses one.

    Attributes
    ----------
    backend : str
        Name of the backend in use.
    threads : int
        Threads that work on one image.
    weights : DetectorWeights
        The networks with their sources and SHA-256.

    Raises
    ------
    BackendError
        The backend does not exist or cannot run here.
    WeightsError
        A weights file is missing or damaged.
    ValueError
        `min_face_size`, `thresholds` or `threads` are out of range.

    Notes
    -----
    `detect` may be called from several threads. With the NumPy backend the calls take turns in the networks.

    References
    ----------
    K. Zhang, Z. Zhang, Z. Li, Y. Qiao: Joint Face Detection and Alignment Using Multitask Cascaded
    Convolutional Networks. IEEE Signal Processing Letters 23(10), 2016.

    T. Baltrusaitis, A. Zadeh, Y. C. Lim, L.-P. Morency: OpenFace 2.0: Facial Behavior Analysis Toolkit.
    IEEE FG 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from pymtcnn import MTCNN
    >>> MTCNN().detect(np.zeros((480, 640, 3), np.uint8))
    []
    """

    def __init__(
        self,
        backend: str = "auto",
        weights: str | os.PathLike[str] | DetectorWeights | None = None,
        min_face_size: float = DEFAULT_MIN_FACE_SIZE,
        thresholds: Sequence[float] = DEFAULT_THRESHOLDS,
        threads: int = 1,
    ) -> None:
        if not CELL <= min_face_size < math.inf:
            raise ValueError(f"min_face_size is {min_face_size}; pass a number of pixels from {CELL} up")
        if len(thresholds) != 3 or not all(0 <= threshold <= 1 for threshold in thresholds):
            raise ValueError(
                f"thresholds are {thresholds!r}; pass three numbers in 0..1, one for each network"
            )
        if threads < 1:
            raise ValueError(f"threads is {threads}; pass a number from 1 up")
        self.threads = int(threads)
        self.min_face_size = float(min_face_size)
        self.thresholds = tuple(float(threshold) for threshold in thresholds)
        self.weights = weights if isinstance(weights, DetectorWeights) else load_weights(weights)
        self._networks: Backend = create_backend(backend, self.weights, self.threads)

    def __reduce__(self) -> tuple[type[MTCNN], tuple[object, ...]]:
        # A copy in another process gets its own networks and workspaces.
        return MTCNN, (self.backend, self.weights, self.min_face_size, self.thresholds, self.threads)

    @property
    def backend(self) -> str:
        """Name of the backend in use."""
        return self._networks.name

    def __repr__(self) -> str:
        return (
            f"MTCNN(backend={self.backend!r}, weights={os.path.dirname(self.weights.pnet.source)!r}, "
            f"min_face_size={self.min_face_size:g}, thresholds={self.thresholds}, threads={self.threads})"
        )

    def detect(self, image: NDArray[Any]) -> list[Detection]:
        """Find the faces in an image.

        Parameters
        ----------
        image : ndarray, shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)
            Grey, BGR or BGRA pixels: uint8, uint16 (divided by 256) or float32 on the scale 0..255.

        Returns
        -------
        list of Detection
            Best score first; empty where there is no face or the image is smaller than `min_face_size`.

        Raises
        ------
        TypeError
            `image` is no array or has another dtype.
        ValueError
            `image` is empty, has another shape, or holds values that are not finite.
        """
        frame = as_bgr(image)
        candidates = self._propose(frame)
        if len(candidates):
            candidates = self._refine(frame, candidates)
        return self._output(frame, candidates) if len(candidates) else []

    def _propose(self, frame: Frame) -> _Candidates:
        """Stage 1: PNet on every pyramid level."""
        height, width, _ = frame.shape
        levels = _levels(height, width, self.min_face_size)
        found = []
        for level, output in zip(levels, self._networks.propose(frame, levels), strict=True):
            proposed = _Candidates(
                *proposals(output.probability[0], output.regression[0], level.scale, self.thresholds[0])
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
        return self._squares(everything.suppress(_OVERLAP), frame)

    def _refine(self, frame: Frame, candidates: _Candidates) -> _Candidates:
        """Stage 2: RNet on the proposals."""
        output = self._networks.refine(frame, candidates.boxes)
        keep = np.flatnonzero(output.probability >= self.thresholds[1])
        passed = _Candidates(candidates.boxes[keep], output.probability[keep], output.regression[keep])
        return self._squares(passed.suppress(_OVERLAP), frame)

    @staticmethod
    def _squares(candidates: _Candidates, frame: Frame) -> _Candidates:
        """Regressed squares to crop for the next stage."""
        squares = rectify(apply_regression(candidates.boxes, candidates.offsets))
        moved = _Candidates(squares, candidates.scores, candidates.offsets)
        # OpenFace throws on a box outside the frame; here it is no candidate.
        return moved.select(_touching(squares, frame))

    def _output(self, frame: Frame, candidates: _Candidates) -> list[Detection]:
        """Stage 3: ONet on the refined boxes, and the adjustment to OpenFace's convention."""
        output = self._networks.finish(frame, candidates.boxes)
        assert output.points is not None
        keep = np.flatnonzero(output.probability >= self.thresholds[2])
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


def choose_face(
    detections: Sequence[Detection], preference: Sequence[float] | None = None
) -> Detection | None:
    """Pick the one face to track, as OpenFace does for videos of a single person.

    Parameters
    ----------
    detections : sequence of Detection
        Faces of one image, best first.
    preference : (x, y), optional
        Point in pixels: take the face whose box centre is nearest to it.

    Returns
    -------
    Detection or None
        Without `preference` the face with the widest box; of equals the first. None if there is no face.
    """
    if not detections:
        return None
    if preference is None:
        return max(detections, key=lambda detection: float(detection.box[2]))
    x, y = preference

    def distance(detection: Detection) -> float:
        left, top, width, height = (float(v) for v in detection.box)
        return math.hypot(left + width / 2 - x, top + height / 2 - y)

    return min(detections, key=distance)
