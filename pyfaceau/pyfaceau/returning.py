"""People who leave and come back: which tracks show the same person, and their final pass as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .analyser import FaceAnalyser
from .analysis import SequenceAnalysis
from .features.medians import joint_median
from .state import State, part_of

# Correlation of median HOG descriptors above which two tracks show one person. Among eleven people in nine recordings,
# stretches of 10 to 40 frames of different people reach it in less than 0.2 % of the pairs (most: 0.81), those of the
# same person, other poses included, in 55 to 65 %.
ALIKE = 0.80
FEWEST_FRAMES = 5  # with a face, for a descriptor that says anything
# A short appearance among people who are well known is more likely one of them: 5 % of the pairs of different people
# reach this, so it must also be nearer to one of them than to any other.
SHORT = 25  # frames with a face
WELL_KNOWN = 100
SHORT_ALIKE = 0.70
SHORT_LEAD = 0.05


@dataclass(frozen=True, eq=False)
class Track:
    """One uninterrupted appearance of a face.

    Attributes
    ----------
    face_id : int
    first, last : int
        Frames between which it was in the picture.
    n_valid : int
        Frames with an accepted fit.
    descriptor : ndarray of shape (4464,), float64
        Median HOG of the aligned face.
    """

    face_id: int
    first: int
    last: int
    n_valid: int
    descriptor: NDArray[np.float64]

    @classmethod
    def of(cls, face_id: int, state: State) -> Track:
        """Describe an analyser's state."""
        n_valid, first, last = (int(n) for n in state["seen"])
        return cls(face_id, first, last, n_valid, state["median.hog.median"])


def same_people(tracks: Iterable[Track]) -> dict[int, int]:
    """Find out which tracks show the same person, by what the faces look like.

    Parameters
    ----------
    tracks : iterable of Track

    Returns
    -------
    dict of int to int
        Number of the person, which is that of their first track, by `face_id`. Nobody is in two places at once:
        tracks that overlap in time are of different people.
    """
    people: list[list[Track]] = []
    for track in sorted(tracks, key=lambda t: (-t.n_valid, t.face_id)):
        known = sorted(
            ((_likeness(track, members), index) for index, members in enumerate(people)), reverse=True
        )
        if known and (known[0][0] > ALIKE or _is_short_and_near(track, known, people)):
            people[known[0][1]].append(track)
        else:
            people.append([track])
    return {t.face_id: min(m.face_id for m in members) for members in people for t in members}


def finish_together(analysers: Sequence[FaceAnalyser], states: Sequence[State]) -> list[SequenceAnalysis]:
    """Make the final pass of several tracks of one person, as if they were one sequence.

    Parameters
    ----------
    analysers : sequence of FaceAnalyser
        In the order of time.
    states : sequence of dict
        Their states, with the histograms of the medians.

    Returns
    -------
    list of SequenceAnalysis
        Of each track: measured against the median of all, or against the one that has a baseline.
    """
    at_rest = next((n for n, analyser in enumerate(analysers) if not analyser.baseline_is_learnt), None)
    if at_rest is not None:
        median = analysers[at_rest].median
    else:
        median = joint_median([part_of(state, "median.") for state in states])
    predicted = [analyser.predicted(median) for analyser in analysers]
    offsets = analysers[at_rest or 0].offsets(_joined(predicted) if at_rest is None else predicted[at_rest])
    return [analyser.finish_with(p, offsets) for analyser, p in zip(analysers, predicted, strict=True)]


def _joined(parts: Sequence[SequenceAnalysis]) -> SequenceAnalysis:
    return SequenceAnalysis(
        np.concatenate([part.intensities for part in parts]),
        np.concatenate([part.presences for part in parts]),
        np.concatenate([part.valid for part in parts]),
    )


def _is_short_and_near(
    track: Track, known: Sequence[tuple[float, int]], people: Sequence[Sequence[Track]]
) -> bool:
    (likeness, index), second = known[0], known[1][0] if len(known) > 1 else 0.0
    well_known = sum(member.n_valid for member in people[index]) >= WELL_KNOWN
    return track.n_valid < SHORT and well_known and likeness > max(SHORT_ALIKE, second + SHORT_LEAD)


def _likeness(track: Track, members: Sequence[Track]) -> float:
    """Correlation of a track with a person; 0 if it cannot be them."""
    if track.n_valid < FEWEST_FRAMES or sum(m.n_valid for m in members) < FEWEST_FRAMES:
        return 0.0
    if any(track.first <= m.last and m.first <= track.last for m in members):
        return 0.0
    weights = [m.n_valid for m in members]
    known = np.average([m.descriptor for m in members], axis=0, weights=weights)
    return float(np.corrcoef(track.descriptor, known)[0, 1])
