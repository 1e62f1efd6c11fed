"""One face, and which faces of an image to take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

__all__ = ["Detection", "Selection", "choose_face", "select_faces"]

Selection = Literal["best", "largest", "nearest"]


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

    Examples
    --------
    >>> import numpy as np
    >>> from pymtcnn import Detection
    >>> face = Detection(np.array([60, 125, 227, 221], np.float32), 0.99, np.zeros((5, 2), np.float32))
    >>> x, y, width, height = face.box
    >>> float(width)
    227.0
    """

    box: NDArray[np.float32]
    score: float
    points: NDArray[np.float32]


def select_faces(
    detections: Sequence[Detection],
    by: Selection = "best",
    count: int | None = None,
    point: Sequence[float] | None = None,
) -> list[Detection]:
    """Take some of the faces of an image.

    Parameters
    ----------
    detections : sequence of Detection
        Faces of one image.
    by : {"best", "largest", "nearest"}, default "best"
        What comes first: the highest score, the widest box (OpenFace's rule), or the box whose centre is nearest to
        `point`. Equals keep their order.
    count : int, optional
        How many to take; all by default.
    point : (x, y), optional
        In pixels, for ``"nearest"``.

    Returns
    -------
    list of Detection
        At most `count` faces in the order asked for.

    Raises
    ------
    ValueError
        `by` is unknown, `count` is negative, or `point` is missing for "nearest" or given without it.

    Examples
    --------
    >>> import numpy as np
    >>> from pymtcnn import Detection, select_faces
    >>> nothing = np.zeros((5, 2), np.float32)
    >>> faces = [Detection(np.array([x, 0, w, w], np.float32), s, nothing) for x, w, s in [(0, 50, 0.9), (90, 70, 0.8)]]
    >>> [face.score for face in select_faces(faces, "largest", 1)]
    [0.8]
    >>> [face.score for face in select_faces(faces, "nearest", point=(20, 20))]
    [0.9, 0.8]
    """
    if by not in get_args(Selection):
        raise ValueError(f"by is {by!r}; pass one of {get_args(Selection)}")
    if count is not None and count < 0:
        raise ValueError(f"count is {count}; pass a number from 0 up, or nothing for all faces")
    if (by == "nearest") != (point is not None):
        raise ValueError('pass point=(x, y) with by="nearest", and only then')
    if by == "best":
        ordered = sorted(detections, key=lambda face: -face.score)
    elif by == "largest":
        ordered = sorted(detections, key=lambda face: -float(face.box[2]))
    else:
        assert point is not None
        x, y = point
        ordered = sorted(detections, key=lambda face: _distance(face, x, y))
    return ordered[:count]


def _distance(face: Detection, x: float, y: float) -> float:
    left, top, width, height = (float(v) for v in face.box)
    return math.hypot(left + width / 2 - x, top + height / 2 - y)


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
        Without `preference` the face with the widest box, the first of several. None if there is no face.

    Examples
    --------
    >>> from pymtcnn import choose_face
    >>> choose_face([]) is None
    True
    """
    if preference is None:
        chosen = select_faces(detections, "largest", 1)
    else:
        chosen = select_faces(detections, "nearest", 1, preference)
    return chosen[0] if chosen else None
