"""Landmarks of several faces through a video: a fixed number of trackers that take and give up faces."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .clnf import load_model
from .config import FitParameters
from .core.image import to_grey
from .core.model import LandmarkModel
from .fit import FaceFit
from .identity import Identities
from .overlap import Box, bounding_box, same_face
from .tracking import FaceDetector, FaceTracker

# OpenFace 2.2: FaceLandmarkVidMulti.cpp
MAX_FACES = 4
_SEARCH_EVERY = 8  # frames, counted from the first; only while a tracker is free
_FAILURES_ALLOWED = 6  # in a row; in the frame after the last of them, the face is given up


@dataclass(frozen=True, eq=False)
class TrackedFace:
    """One of the faces in a frame.

    Attributes
    ----------
    face_id : int
        Which face, from 0; see `stable_ids` of :class:`MultiFaceTracker` for how long it lasts.
    fit : FaceFit
        ``fit.success`` is False where the face is being lost; OpenFace writes such rows too.
    """

    face_id: int
    fit: FaceFit


class _Slot:
    """A tracker and whether it holds a face."""

    def __init__(self, tracker: FaceTracker) -> None:
        self.tracker = tracker
        self.release()

    def release(self) -> None:
        self.tracker.reset()
        self.fit: FaceFit | None = None
        self.failures = 0

    def fit_frame(self, grey: npt.NDArray[np.uint8], box: Box | None = None) -> None:
        self.fit = self.tracker.track(grey, box)
        self.failures = 0 if self.fit.success else self.failures + 1


class MultiFaceTracker:
    """Tracks the landmarks of several faces from frame to frame.

    Parameters
    ----------
    model : str, path-like or LandmarkModel
        See :class:`~pyclnf.CLNF`. Loaded once, whatever the number of faces.
    detector : FaceDetector, optional
        Finds the faces; ``pymtcnn.MTCNN()`` by default.
    max_faces : int
        Most faces at a time.
    parameters : FitParameters, optional
        OpenFace's for this model by default. `reinitialise_every` has no effect.
    threads : int
        Threads per fit; results do not depend on it.
    stable_ids : bool
        False: `face_id` is the number of the tracker, as in OpenFace, so that a newcomer gets the number of a
        face that has gone. True: a newcomer gets a new number, a face that comes back soon and near where it
        was lost gets its old one, and two trackers do not stay on one face; see
        :class:`pyclnf.identity.Identities`.

    Raises
    ------
    ValueError
        If `max_faces` is less than 1.

    Notes
    -----
    Behaves like OpenFace's ``FaceLandmarkVidMulti``. In every eighth frame, if a tracker is free, faces are
    detected; those that overlap a tracked face are passed over, and each other one starts a free tracker, the
    best detection first. A tracker follows its face without looking for it again, and after six failures in a
    row it is free.

    Examples
    --------
    >>> tracker = MultiFaceTracker("open", max_faces=2)      # doctest: +SKIP
    >>> [face.face_id for face in tracker.track(frame)]      # doctest: +SKIP
    [0, 1]
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | LandmarkModel = "auto",
        detector: FaceDetector | None = None,
        *,
        max_faces: int = MAX_FACES,
        parameters: FitParameters | None = None,
        threads: int = 1,
        stable_ids: bool = False,
    ) -> None:
        if max_faces < 1:
            raise ValueError(f"max_faces must be at least 1, got {max_faces}")
        self.model = load_model(model)
        settings = replace(parameters or FitParameters.for_model(self.model.path), reinitialise_every=0)
        first = FaceTracker(self.model, detector, parameters=settings, threads=threads)
        self.detector = first.detector
        others = (
            FaceTracker(self.model, self.detector, parameters=settings, threads=threads)
            for _ in range(max_faces - 1)
        )
        self._slots = [_Slot(tracker) for tracker in (first, *others)]
        self._identities = Identities() if stable_ids else None
        self.reset()

    def reset(self) -> None:
        """Forget all faces, as before the first frame of a video."""
        self._frame = 0
        for slot in self._slots:
            slot.release()
        if self._identities is not None:
            self._identities.reset()

    def track(self, frame: npt.NDArray[Any]) -> list[TrackedFace]:
        """Fit the faces of the next frame.

        Parameters
        ----------
        frame : ndarray, shape (rows, cols[, 3 or 4]), uint8 or uint16
            BGR, BGRA or grey.

        Returns
        -------
        list of TrackedFace
            In the order of the trackers; empty where there is no face.

        Raises
        ------
        ValueError, TypeError
            If the frame is not as described.
        """
        grey = to_grey(frame)
        found = self._new_faces(frame)
        started = []
        for number, slot in enumerate(self._slots):
            if slot.failures >= _FAILURES_ALLOWED:
                slot.release()
            if slot.fit is not None:
                slot.fit_frame(grey)
            elif found:
                slot.fit_frame(grey, found.pop(0))
                started.append(number)
        self._frame += 1
        return self._faces(started)

    def _new_faces(self, frame: npt.NDArray[Any]) -> list[Box]:
        """Find faces that no tracker holds."""
        held = [bounding_box(slot.fit.landmarks) for slot in self._slots if slot.fit is not None]
        if self._frame % _SEARCH_EVERY or len(held) == len(self._slots):
            return []
        found = [_as_box(detection.box) for detection in self.detector.detect(frame)]
        return [box for box in found if not any(same_face(box, other) for other in held)]

    def _faces(self, started: list[int]) -> list[TrackedFace]:
        fits = {number: slot.fit for number, slot in enumerate(self._slots) if slot.fit is not None}
        if self._identities is None:
            return [TrackedFace(number, fit) for number, fit in fits.items()]
        seen = {number: (bounding_box(fit.landmarks), fit.success) for number, fit in fits.items()}
        ids = self._identities.update(seen, started)
        for number in fits.keys() - ids.keys():
            self._slots[number].release()
        return [TrackedFace(ids[number], fit) for number, fit in fits.items() if number in ids]


def _as_box(values: npt.NDArray[np.float32]) -> Box:
    x, y, width, height = (float(v) for v in values)
    return x, y, width, height
