"""People who come back: recognised by what they look like, and measured as one sequence."""

from __future__ import annotations

from itertools import islice

import cv2
import numpy as np
import pandas as pd
import pytest

from pyfaceau import FullPythonAUPipeline
from pyfaceau.demo import DEMO_CLIP
from pyfaceau.people import MEMORY_FOR_RETURN, People
from pyfaceau.returning import Track, same_people
from pyfaceau.video import open_video

N = 40


@pytest.fixture(scope="module")
def frames():
    with open_video(DEMO_CLIP) as source:
        return [cv2.resize(frame.image, None, fx=0.75, fy=0.75) for frame in islice(source, 20, 20 + N)]


def looks(person: int, noise: float = 0.1) -> np.ndarray:
    """A descriptor: what all faces share, what is this person's own, and chance."""
    everybody = np.random.default_rng(0).random(400)
    own = np.random.default_rng(person).random(400)
    return everybody + own + noise * np.random.default_rng().random(400)


def test_same_looks_at_other_times_are_one_person():
    tracks = [
        Track(0, 1, 500, 500, looks(1)),
        Track(1, 1, 200, 200, looks(2)),
        Track(2, 250, 300, 50, looks(2)),
        Track(3, 310, 400, 80, looks(3)),
        Track(4, 420, 500, 70, looks(2)),
    ]
    assert same_people(tracks) == {0: 0, 1: 1, 2: 1, 3: 3, 4: 1}


def test_nobody_is_in_two_places_at_once():
    tracks = [Track(0, 1, 100, 100, looks(1, 0)), Track(1, 50, 150, 100, looks(1, 0))]
    assert same_people(tracks) == {0: 0, 1: 1}


def test_glimpses_say_nothing():
    tracks = [Track(0, 1, 100, 100, looks(1, 0)), Track(1, 120, 123, 4, looks(1, 0))]
    assert same_people(tracks) == {0: 0, 1: 1}


@pytest.mark.parametrize("baseline", [None, (1, 20)])
def test_two_appearances_of_one_person_are_measured_as_one_sequence(choice, frames, baseline):
    """The final pass over both gives what it gives for one sequence, but for smoothing across the seam."""
    pipeline = FullPythonAUPipeline(**choice)
    fits = [pipeline.process_frame(frame).fit for frame in frames]
    apart = People(pipeline.engine.action_units, recognise=True, baseline=baseline)
    whole = People(pipeline.engine.action_units, baseline=baseline)
    for number, (frame, fit) in enumerate(zip(frames, fits, strict=True), start=1):
        whole.analyser(0).process(frame, fit.landmarks, True, number)
        if (
            baseline is None or number <= N // 2
        ):  # a newcomer after the baseline frames warns, see test_runs.py
            apart.analyser(0 if number <= N // 2 else 5).process(frame, fit.landmarks, True, number)
        if number == N // 2:
            apart.settle([], [])
    if baseline is not None:
        with pytest.warns(UserWarning, match="no face in the baseline frames"):
            _ = [
                apart.analyser(5).process(frames[n], fits[n].landmarks, True, n + 1) for n in range(N // 2, N)
            ]
    assert apart.returned() == {5: 0}
    found = apart.finish([np.repeat([0, 5], N // 2)]).intensities
    expected = whole.finish([np.zeros(N, int)]).intensities
    away_from_seam = [row for row in range(N) if row not in (N // 2 - 1, N // 2)]
    np.testing.assert_array_equal(found[0][away_from_seam], expected[0][away_from_seam])


def test_person_who_leaves_for_long_gets_the_number_back(choice, frames):
    """Away for longer than trackers remember, and back elsewhere in the picture."""
    empty = np.full_like(frames[0], 90)
    shown = [np.hstack([frame, empty]) for frame in frames]
    shown += [np.hstack([empty, empty])] * 48
    shown += [np.hstack([empty, frame]) for frame in frames[::-1]]
    pipeline = FullPythonAUPipeline(**choice, max_faces=2, include=("pose", "landmarks"))
    table = pipeline.process_frames(shown, fps=25.0)
    assert table["face_id"].unique().tolist() == [0]
    assert table.attrs["returned_faces"] == {"1": 0}
    assert table.attrs["people"] == [0]
    alone = FullPythonAUPipeline(**choice, max_faces=2, recognise=False).process_frames(shown, fps=25.0)
    assert alone["face_id"].unique().tolist() == [0, 1]
    assert "returned_faces" not in alone.attrs


def test_those_who_wait_to_be_recognised_take_bounded_memory(choice, frames):
    pipeline = FullPythonAUPipeline(**choice)
    fit = pipeline.process_frame(frames[0]).fit
    people = People(pipeline.engine.action_units, recognise=True)
    for face_id in range(60):
        for _ in range(12):
            people.analyser(face_id).process(frames[0], fit.landmarks, True)
        people.settle([], [])
        for state in people._away.values():  # as if each had been there for long
            state.setdefault("ballast", np.zeros(MEMORY_FOR_RETURN // 20, np.uint8))
    waiting = sum(array.nbytes for state in people._away.values() for array in state.values())
    assert waiting < 1.1 * MEMORY_FOR_RETURN
    assert 59 in people._away
    assert 0 in people._gone


@pytest.mark.parity
def test_three_people_of_the_reference_video_are_three(shared):
    pipeline = FullPythonAUPipeline(shared / "openface", "clnf", max_faces=4)
    table: pd.DataFrame = pipeline.process_video(shared / "media/multi_face.avi", progress=False)
    assert table.attrs["people"] == [0, 1, 2]
    assert table.loc[table["success"] == 1, "face_id"].isin([0, 1, 2]).mean() > 0.97
