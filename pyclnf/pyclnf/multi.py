"""Landmarks of several faces through a video: a fixed number of trackers that take and give up faces."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ._state import Rebuilding, State, StateLike, StateReader, below, count, flag, rebuilt
from .clnf import load_model
from .config import FitParameters
from .core.model import LandmarkModel
from .fit import FaceFit, face_fit
from .identity import Identities
from .image import Frame, whole
from .overlap import Box, bounding_box, is_box, same_face
from .picture import Grey, GreyFrame
from .tracking import FaceDetector, FaceTracker, _Restored

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
        ``fit.valid`` is False where the face is being lost; OpenFace writes such rows too.

    Examples
    --------
    See :class:`MultiFaceTracker`.
    """

    face_id: int
    fit: FaceFit


@dataclass(frozen=True, eq=False)
class _RestoredSlot:
    """A checked state of a slot that holds a face."""

    failures: int
    tracked: bool
    tracker: _Restored


class _Slot:
    """A tracker and whether it holds a face."""

    def __init__(self, tracker: FaceTracker) -> None:
        self.tracker = tracker
        self.release()

    def release(self) -> None:
        self.tracker.reset()
        self.fit: FaceFit | None = None
        self.failures = 0

    def state(self) -> State:
        if self.fit is None:
            return {"holds": flag(False)}
        own = {"holds": flag(True), "failures": count(self.failures), "tracked": flag(self.fit.tracked)}
        return own | below("tracker", self.tracker.state())

    def read(self, state: StateReader) -> _RestoredSlot | None:
        """Check a state; None stands for a slot without a face."""
        if not state.flag("holds"):
            return None
        tracker = self.tracker._read(state.nested("tracker"))
        return _RestoredSlot(state.count("failures"), state.flag("tracked"), tracker)

    def adopt(self, read: _RestoredSlot | None) -> None:
        self.release()
        if read is not None:
            self.failures = read.failures
            self.tracker._adopt(read.tracker)
            self.fit = face_fit(self.tracker._fitter, read.tracked)

    def fit_frame(self, frame: Frame, grey: Grey, box: Box | None = None) -> None:
        self.fit = self.tracker.track_grey(frame, grey, box)
        self.failures = 0 if self.fit.valid else self.failures + 1


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
        face that has left. True: a newcomer gets a new number, a face that soon comes back near the place where it was
        lost keeps its number, and two trackers never stay on one face; see :class:`pyclnf.identity.Identities`.

    Raises
    ------
    ValueError
        If `max_faces` is less than 1.

    Notes
    -----
    Behaves like OpenFace's ``FaceLandmarkVidMulti``. In every eighth frame, if a tracker is free, faces are detected.
    Those that overlap a tracked face are ignored; each of the others starts a free tracker, the best detection first. A
    tracker follows its face without searching for it again, and is free after six failures in a row.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> from pyclnf import MultiFaceTracker
    >>> boxes = [SimpleNamespace(box=(x, 60, 120, 130)) for x in (20, 180)]
    >>> detector = SimpleNamespace(detect=lambda image: boxes)  # or pymtcnn.MTCNN(), which is the default
    >>> tracker = MultiFaceTracker("open", detector, max_faces=2)
    >>> [face.face_id for face in tracker.track(np.zeros((240, 320), np.uint8))]
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
        self.parameters = parameters or FitParameters.for_model(self.model)
        self.threads = threads
        settings = replace(self.parameters, reinitialise_every=0)
        first = FaceTracker(self.model, detector, parameters=settings, threads=threads)
        self.detector = first.detector
        others = (
            FaceTracker(self.model, self.detector, parameters=settings, threads=threads)
            for _ in range(max_faces - 1)
        )
        self._slots = [_Slot(tracker) for tracker in (first, *others)]
        self._identities = Identities() if stable_ids else None
        self._grey = GreyFrame()
        self.reset()

    def __reduce__(self) -> Rebuilding:
        arguments = {
            "model": self.model,
            "detector": self.detector,
            "max_faces": len(self._slots),
            "parameters": self.parameters,
            "threads": self.threads,
            "stable_ids": self._identities is not None,
        }
        return rebuilt, (type(self), arguments, self.state())

    def reset(self) -> None:
        """Forget all faces, as before the first frame of a video."""
        self._frame = 0
        for slot in self._slots:
            slot.release()
        if self._identities is not None:
            self._identities.reset()

    def state(self) -> State:
        """Copy everything that the next frames depend on.

        Returns
        -------
        dict of str to ndarray
            Plain arrays. A tracker with the same model and options that takes them with :meth:`restore` goes on with
            identical results. The detector is not part of it.
        """
        state = {"frame": count(self._frame)}
        for number, slot in enumerate(self._slots):
            state |= below(f"slots.{number}", slot.state())
        if self._identities is not None:
            state |= below("identities", self._identities.state())
        return state

    def restore(self, state: StateLike) -> None:
        """Go on from what :meth:`state` returned.

        Parameters
        ----------
        state : mapping of str to ndarray
            Of a tracker with the same model, parameters, `max_faces` and `stable_ids`.

        Raises
        ------
        KeyError, ValueError
            If an entry is missing, does not fit, or is unknown; the tracker is left as it was.
        """
        reader = StateReader(state)
        frame = reader.count("frame")
        slots = [slot.read(reader.nested(f"slots.{number}")) for number, slot in enumerate(self._slots)]
        if self._identities is not None:
            entries = reader.nested("identities")
            people = self._identities.read(entries)
            if any(slot >= len(slots) or slots[slot] is None for slot in people.held):
                raise entries.error("held.slot", "must name slots that hold a face")
        reader.expect_end()
        self._frame = frame
        for slot, read in zip(self._slots, slots, strict=True):
            slot.adopt(read)
        if self._identities is not None:
            self._identities.adopt(people)

    def track(self, frame: Frame) -> list[TrackedFace]:
        """Fit the faces of the next frame.

        Parameters
        ----------
        frame : ndarray, shape (rows, cols[, 3 or 4]), uint8 or uint16, or Picture
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
        grey = self._grey.of(frame)
        found = self._new_faces(frame)
        started = []
        for number, slot in enumerate(self._slots):
            if slot.failures >= _FAILURES_ALLOWED:
                slot.release()
            if slot.fit is not None:
                slot.fit_frame(frame, grey)
            elif found:
                slot.fit_frame(frame, grey, found.pop(0))
                started.append(number)
        self._frame += 1
        return self._faces(started)

    @property
    def expected_ids(self) -> frozenset[int] | None:
        """Numbers of the faces that are followed or may come back; None without `stable_ids`."""
        return None if self._identities is None else self._identities.expected

    def _new_faces(self, frame: Frame) -> list[Box]:
        """Find faces that no tracker holds."""
        held = [bounding_box(slot.fit.landmarks) for slot in self._slots if slot.fit is not None]
        if self._frame % _SEARCH_EVERY or len(held) == len(self._slots):
            return []
        found = [_as_box(d.box) for d in self.detector.detect(whole(frame)) if is_box(d.box)]
        return [box for box in found if not any(same_face(box, other) for other in held)]

    def _faces(self, started: list[int]) -> list[TrackedFace]:
        fits = {number: slot.fit for number, slot in enumerate(self._slots) if slot.fit is not None}
        if self._identities is None:
            return [TrackedFace(number, fit) for number, fit in fits.items()]
        seen = {number: (bounding_box(fit.landmarks), fit.valid) for number, fit in fits.items()}
        ids = self._identities.update(seen, started)
        for number in fits.keys() - ids.keys():
            self._slots[number].release()
        return [TrackedFace(ids[number], fit) for number, fit in fits.items() if number in ids]


def _as_box(values: npt.NDArray[np.float32]) -> Box:
    x, y, width, height = (float(v) for v in values)
    return x, y, width, height
