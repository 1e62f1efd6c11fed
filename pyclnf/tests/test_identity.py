"""Identities of faces, from boxes alone: losses, returns, crossings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyclnf.identity import Identities
from pyclnf.overlap import Box, bounding_box, doubled, intersection_over_union, same_face

SIDE = 60.0


def at(x: float, y: float = 100.0, side: float = SIDE) -> Box:
    return (x, y, side, side)


class People:
    """Feeds frames to the identities and keeps track of which slots are new."""

    def __init__(self, **options) -> None:
        self.identities = Identities(**options)
        self.slots: set[int] = set()

    def see(self, good: dict[int, Box], failing: dict[int, Box] | None = None) -> dict[int, int]:
        faces = {slot: (box, True) for slot, box in good.items()}
        faces |= {slot: (box, False) for slot, box in (failing or {}).items()}
        out = self.identities.update(faces, faces.keys() - self.slots)
        self.slots = set(out)
        return out


def test_overlap_of_boxes_is_that_of_their_areas():
    assert intersection_over_union((0, 0, 4, 2), (2, 0, 4, 2)) == pytest.approx(4 / 12)
    assert intersection_over_union((0, 0, 4, 2), (0, 0, 4, 2)) == 1
    assert intersection_over_union((0, 0, 4, 2), (4, 0, 4, 2)) == 0
    assert intersection_over_union((0, 0, 0, 0), (0, 0, 0, 0)) == 0


@given(
    st.tuples(*[st.floats(-50, 50)] * 2, *[st.floats(0.5, 50)] * 2), st.floats(-50, 50), st.floats(0.5, 50)
)
def test_same_face_is_the_rule_of_the_reference(a, x, width):
    """There the intersection is divided by the union less the intersection, and compared with a half."""
    b = (x, a[1] + 1, width, a[3])
    shared = max(min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]), 0) * max(a[3] - 1, 0)
    ratio = shared / max(a[2] * a[3] + b[2] * b[3] - 2 * shared, 1e-12)
    if abs(ratio - 0.5) > 1e-6:
        assert same_face(a, b) == (ratio > 0.5)


def test_bounding_box_of_landmarks_and_its_double():
    box = bounding_box(np.array([[1, 5], [3, 4], [2, 8]], np.float32))
    assert box == (1, 4, 2, 4)
    assert doubled(box) == (0, 2, 4, 8)


def test_newcomers_are_numbered_in_order():
    people = People()
    assert people.see({0: at(0), 1: at(200)}) == {0: 0, 1: 1}
    assert people.see({0: at(0), 1: at(200), 2: at(400)}) == {0: 0, 1: 1, 2: 2}


def test_number_of_somebody_gone_is_not_given_again():
    people = People()
    people.see({0: at(0), 1: at(200)})
    people.see({1: at(200)})
    assert people.see({0: at(400), 1: at(200)}) == {0: 2, 1: 1}


def test_face_that_comes_back_soon_and_near_keeps_its_number_in_any_slot():
    people = People()
    people.see({0: at(0), 1: at(200)})
    people.see({0: at(0)})
    assert people.see({0: at(0), 3: at(240)}) == {0: 0, 3: 1}


def test_face_that_comes_back_far_away_is_somebody_new():
    people = People()
    people.see({0: at(0)})
    people.see({})
    assert people.see({0: at(1.5 * SIDE)}) == {0: 1}


def test_face_of_quite_another_size_is_somebody_new():
    people = People()
    people.see({0: at(0)})
    people.see({})
    assert people.see({0: at(0, side=2.5 * SIDE)}) == {0: 1}


@pytest.mark.parametrize(("absent", "expected"), [(9, 0), (10, 1)])
def test_face_is_remembered_for_so_many_frames(absent, expected):
    people = People(remembered=10)
    people.see({0: at(0)})
    for _ in range(absent):
        people.see({})
    assert people.see({0: at(0)}) == {0: expected}


def test_walking_face_is_expected_where_it_walks_to():
    people = People()
    for frame in range(10):
        people.see({0: at(15 * frame)})
    for _ in range(8):
        people.see({})
    assert people.see({0: at(15 * 18)}) == {0: 0}


def test_failing_fit_does_not_move_the_person():
    people = People()
    people.see({0: at(0)})
    for frame in range(6):
        people.see({}, failing={0: at(30 * frame)})
    people.see({})
    assert people.see({1: at(0)}) == {1: 0}


def test_two_who_were_lost_side_by_side_get_their_own_numbers_back():
    people = People()
    people.see({0: at(0), 1: at(50)})
    people.see({})
    # The first newcomer may be either of them, the second only one.
    assert people.see({0: at(40), 1: at(-10)}) == {0: 1, 1: 0}


def test_face_found_again_takes_its_number_from_the_slot_that_is_losing_it():
    people = People()
    people.see({0: at(0)})
    people.see({}, failing={0: at(150)})
    assert people.see({1: at(10)}, failing={0: at(200)}) == {1: 0}


def test_slot_that_jumps_onto_a_tracked_face_is_given_up_and_its_person_can_come_back():
    people = People()
    people.see({0: at(0), 1: at(200)})
    assert people.see({0: at(0), 1: at(5)}) == {0: 0}
    assert people.see({0: at(0), 1: at(200)}) == {0: 0, 1: 1}


def test_slot_that_jumps_onto_a_new_face_begins_a_new_number():
    people = People()
    people.see({0: at(0)})
    assert people.see({0: at(300)}) == {0: 1}
    assert people.see({0: at(300), 1: at(0)}) == {0: 1, 1: 0}


def test_newcomer_on_a_tracked_face_is_given_up():
    people = People()
    people.see({0: at(0)})
    assert people.see({0: at(0), 1: at(10)}) == {0: 0}


@pytest.mark.parametrize("speed", [2, 5, 12])
def test_crossing_of_two_who_walk_while_both_fits_follow_the_one_in_front(speed):
    """Person 0 walks right, in front; person 1 walks left and is hidden meanwhile."""
    people = People()
    slots: dict[int, str] = {0: "front", 1: "back"}
    frames = int(400 / speed)
    for frame in range(frames + 1):
        where = {"front": at(speed * frame), "back": at(400 - speed * frame)}
        hidden = abs(where["front"][0] - where["back"][0]) < 0.6 * SIDE
        if hidden:
            slots = dict.fromkeys(slots, "front")
        elif frame % 8 == 0 and "back" not in slots.values():
            slots[next(n for n in range(4) if n not in slots)] = "back"
        out = people.see({slot: where[who] for slot, who in slots.items()})
        slots = {slot: slots[slot] for slot in out}
    assert {slots[slot]: number for slot, number in out.items()} == {"front": 0, "back": 1}


def test_two_who_pass_without_hiding_each_other_keep_their_numbers():
    people = People()
    for x in range(0, 400, 4):
        assert people.see({0: at(x, 100), 1: at(400 - x, 120)}) == {0: 0, 1: 1}


def test_reset_forgets_everybody():
    people = People()
    people.see({0: at(0), 1: at(200)})
    people.identities.reset()
    people.slots.clear()
    assert people.see({3: at(0)}) == {3: 0}


def test_negative_memory_is_refused():
    with pytest.raises(ValueError, match="must not be negative"):
        Identities(remembered=-1)


_boxes = st.builds(at, st.floats(0, 300), st.floats(0, 50), st.floats(20, 80))
_frames = st.lists(
    st.dictionaries(st.integers(0, 3), st.tuples(_boxes, st.booleans()), max_size=4), max_size=30
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(_frames)
def test_in_no_frame_do_two_slots_share_a_number(frames):
    people = People()
    highest = -1
    for faces in frames:
        out = people.see(
            {slot: box for slot, (box, success) in faces.items() if success},
            {slot: box for slot, (box, success) in faces.items() if not success},
        )
        assert out.keys() <= faces.keys()
        assert len(set(out.values())) == len(out)
        newest = max(out.values(), default=-1)
        assert newest <= highest + len(faces)
        highest = max(highest, newest)
