"""Which person is which: identities that never pass to somebody else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ._state import State, StateLike, StateReader, below, count, read_whole
from .overlap import Box, doubled, intersection_over_union, same_face

REMEMBERED = 30  # frames for which a lost face keeps its identity, about a second of video
_INERTIA = 0.5  # weight of the past in a face's velocity; evens out the jitter of landmarks


@dataclass
class _Person:
    """Where somebody was last seen for certain, and how they moved.

    Attributes
    ----------
    face_id : int
    box : Box
        Of the last good fit that overlapped nobody else's.
    velocity : tuple of float
        Of the box, px per frame.
    frame : int
        When that was.
    """

    face_id: int
    box: Box
    velocity: tuple[float, float]
    frame: int

    def places(self, frame: int) -> tuple[Box, Box]:
        """Where to expect the person: where they were, and where they would be if they kept moving in the same way."""
        x, y, width, height = self.box
        ahead = frame - self.frame
        return self.box, (x + self.velocity[0] * ahead, y + self.velocity[1] * ahead, width, height)

    def is_expected_at(self, box: Box, frame: int) -> bool:
        return any(same_face(box, place) for place in self.places(frame))

    def may_be_back_at(self, box: Box, frame: int) -> float:
        """Overlap of doubled boxes, as a face may move by its width before it is found again; 0 if small."""
        wide = [doubled(place) for place in self.places(frame)]
        best = max(wide, key=lambda place: intersection_over_union(doubled(box), place))
        return intersection_over_union(doubled(box), best) if same_face(doubled(box), best) else 0.0

    def move_to(self, box: Box, frame: int) -> None:
        ahead = frame - self.frame
        if ahead > 0:
            x, y = (
                (box[axis] + box[axis + 2] / 2 - self.box[axis] - self.box[axis + 2] / 2) / ahead
                for axis in (0, 1)
            )
            vx, vy = self.velocity
            self.velocity = (_INERTIA * vx + (1 - _INERTIA) * x, _INERTIA * vy + (1 - _INERTIA) * y)
        self.box, self.frame = box, frame


@dataclass
class _Restored:
    """A checked state of identities."""

    frame: int
    following: int
    held: dict[int, _Person]
    lost: dict[int, _Person]


class Identities:
    """Gives lasting identities to the faces in a tracker's slots.

    A new face gets a new number, unless it appears near the place where somebody of about its size was lost
    not long ago. A slot whose fit jumps elsewhere, as when its face goes behind another, does not take its
    identity along.

    Parameters
    ----------
    remembered : int
        Frames for which a lost face may come back under its number.

    Notes
    -----
    Only positions and sizes decide: somebody who takes the place of a person who has just gone counts as that person.
    """

    def __init__(self, remembered: int = REMEMBERED) -> None:
        if remembered < 0:
            raise ValueError(f"remembered must not be negative, got {remembered}")
        self.remembered = remembered
        self.reset()

    def reset(self) -> None:
        """Forget everybody; numbers start from 0 again."""
        self._frame = 0
        self._next = 0
        self._held: dict[int, _Person] = {}  # by slot
        self._lost: dict[int, _Person] = {}  # by face_id

    def state(self) -> State:
        """Copy who is where and who was lost, as plain arrays."""
        held = below("held", {"slot": np.array([*self._held], np.int64), **_as_arrays(self._held.values())})
        lost = below("lost", _as_arrays(self._lost.values()))
        return {"frame": count(self._frame), "next": count(self._next), **held, **lost}

    def restore(self, state: StateLike) -> None:
        """Go on from what :meth:`state` returned.

        Raises
        ------
        KeyError, ValueError
            If an entry is missing, impossible, or unknown; the identities are left as they were.
        """
        self.adopt(read_whole(state, self.read))

    def read(self, state: StateReader) -> _Restored:
        """Check a state and return it for :meth:`adopt`."""
        frame, following = state.count("frame"), state.count("next")
        held, lost = state.nested("held"), state.nested("lost")
        slots = [int(slot) for slot in held.array("slot", (None,), np.int64)]
        if len({*slots}) != len(slots) or min(slots, default=0) < 0:
            raise held.error("slot", "must hold different numbers, none negative")
        people = _people(held, len(slots), frame), _people(lost, None, frame)
        ids = [person.face_id for group in people for person in group]
        if len({*ids}) != len(ids) or not all(0 <= number < following for number in ids):
            raise state.error("next", "must exceed every face_id, and each face_id must occur once")
        return _Restored(
            frame, following, dict(zip(slots, people[0], strict=True)), {p.face_id: p for p in people[1]}
        )

    def adopt(self, read: _Restored) -> None:
        """Go on from what :meth:`read` returned."""
        self._frame, self._next = read.frame, read.following
        self._held, self._lost = read.held, read.lost

    def update(self, faces: Mapping[int, tuple[Box, bool]], started: Collection[int]) -> dict[int, int]:
        """Identities of one frame.

        Parameters
        ----------
        faces : mapping of int to (Box, bool)
            Of each slot that holds a face: the box of its landmarks, and whether the fit is good.
        started : collection of int
            Slots that took a newly detected face in this frame.

        Returns
        -------
        dict of int to int
            Identity by slot. A slot that is missing is to be given up: another one tracks its face.
        """
        self._frame += 1
        boxes = {slot: box for slot, (box, _) in faces.items()}
        good = {slot for slot, (_, success) in faces.items() if success}
        self._lose(slot for slot in [*self._held] if slot not in faces or slot in started)
        strayed = [
            slot
            for slot, person in self._held.items()
            if slot in good and not person.is_expected_at(boxes[slot], self._frame)
        ]
        self._lose(strayed)
        self._forget()
        steady = {slot: boxes[slot] for slot in self._held if slot in good}
        newcomers = {
            slot: boxes[slot]
            for slot in sorted([*strayed, *started])
            if not any(same_face(boxes[slot], other) for other in steady.values())
        }
        self._recognise(newcomers, good)
        steady |= {slot: box for slot, box in newcomers.items() if slot in good}
        for slot, box in steady.items():
            # Where two fits coincide, one may be on the other's face: no evidence of where anybody is.
            if not any(same_face(box, other) for number, other in steady.items() if number != slot):
                self._held[slot].move_to(box, self._frame)
        return {slot: person.face_id for slot, person in sorted(self._held.items())}

    @property
    def expected(self) -> frozenset[int]:
        """Identities that may appear in the next frames: those in the picture and those that may come back."""
        return frozenset(person.face_id for person in self._held.values()) | frozenset(self._lost)

    def _lose(self, slots: Iterable[int]) -> None:
        for slot in slots:
            person = self._held.pop(slot)
            self._lost[person.face_id] = person

    def _forget(self) -> None:
        self._lost = {n: p for n, p in self._lost.items() if self._frame - p.frame <= self.remembered}

    def _recognise(self, newcomers: Mapping[int, Box], good: Collection[int]) -> None:
        """Give newcomers the identities of those who were lost, or are failing in another slot, nearby."""
        holders = {person.face_id: slot for slot, person in self._held.items() if slot not in good}
        missing = self._lost | {number: self._held[slot] for number, slot in holders.items()}
        matches = [
            (person.may_be_back_at(box, self._frame), slot, number)
            for slot, box in newcomers.items()
            for number, person in missing.items()
        ]
        for overlap, slot, number in sorted(matches, key=lambda match: -match[0]):
            if overlap > 0 and slot not in self._held and number in missing:
                self._held.pop(holders.get(number, slot), None)
                self._lost.pop(number, None)
                self._held[slot] = missing.pop(number)
        for slot, box in newcomers.items():
            if slot not in self._held:
                self._held[slot] = _Person(self._next, box, (0.0, 0.0), self._frame)
                self._next += 1


def _as_arrays(people: Collection[_Person]) -> State:
    """One entry per attribute, in the order of the people: it decides between equal overlaps."""
    return {
        "face_id": np.array([person.face_id for person in people], np.int64),
        "box": np.array([person.box for person in people], np.float64).reshape(-1, 4),
        "velocity": np.array([person.velocity for person in people], np.float64).reshape(-1, 2),
        "frame": np.array([person.frame for person in people], np.int64),
    }


def _people(state: StateReader, number: int | None, now: int) -> list[_Person]:
    ids = state.array("face_id", (number,), np.int64)
    boxes = state.array("box", (len(ids), 4), np.float64)
    velocities = state.array("velocity", (len(ids), 2), np.float64)
    frames = state.array("frame", (len(ids),), np.int64)
    if (boxes[:, 2:] < 0).any():
        raise state.error("box", "must not have a negative size")
    if (frames < 0).any() or (frames > now).any():
        raise state.error("frame", f"must lie between 0 and the present frame, {now}")
    return [
        _Person(int(i), (x, y, width, height), (vx, vy), int(frame))
        for i, (x, y, width, height), (vx, vy), frame in zip(
            ids, boxes.tolist(), velocities.tolist(), frames, strict=True
        )
    ]
