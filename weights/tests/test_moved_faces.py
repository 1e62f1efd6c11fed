"""Blinks and head turns that were drawn on people whom no training has seen."""

from __future__ import annotations

import pytest

pytest.importorskip("numba")

from weights.judge import DRAWN_SIZE, boxes
from weights.landmarks.london import load_london, resized
from weights.landmarks.prepare import london_people
from weights.moved import moved_figures
from weights.render.ict import load_ict


def test_drawn_blinks_and_turns_are_what_the_pack_sees(shared):
    london = load_london(shared / "data" / "london")
    people = [london.people.index(person) for person in london_people("judge")[:2]]
    pictures = [
        resized(london.image(london.people[k]), london.points[k], london.eye_distance[k], DRAWN_SIZE)[0]
        for k in people
    ]
    model = load_ict(shared / "data" / "ict_facekit" / "ict_facekit_light.npz")
    figures = moved_figures(model, pictures, boxes(pictures))
    assert (figures.au45 > 0.9).all()
    assert (figures.opening > 0.9).all()
    assert (figures.pitch[:, 0] > 0.9).all()
    assert (figures.pitch[:, 1] > 0.55).all()
    assert (figures.yaw[:, 0] > 0.97).all()
