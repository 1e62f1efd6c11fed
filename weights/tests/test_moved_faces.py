"""Blinks and head turns that were drawn on people whom no training has seen."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numba")

from weights.judge import DRAWN_SIZE, boxes
from weights.landmarks.london import load_london, resized
from weights.landmarks.prepare import london_people
from weights.moved import OPENINGS, mouth_gaps, moved_figures
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


def test_drawn_mouths_are_as_open_as_told_and_the_pack_follows(shared):
    london = load_london(shared / "data" / "london")
    people = [london.people.index(person) for person in london_people("judge")[:3]]
    placed = [
        resized(london.image(london.people[k]), london.points[k], london.eye_distance[k], DRAWN_SIZE)
        for k in people
    ]
    model = load_ict(shared / "data" / "ict_facekit" / "ict_facekit_light.npz")
    pictures = [image for image, _ in placed]
    truth, found = mouth_gaps(model, "open", pictures, boxes(pictures), [hand for _, hand in placed])
    assert truth.shape == found.shape == (3, len(OPENINGS))
    assert (truth[:, 0] < 0.02).all()
    assert (np.diff(truth[:, :3]) > 0.01).all()  # lips part
    assert (np.diff(truth[:, 4:]) > 0.01).all()  # the jaw falls
    assert (found[:, 0] < 0.03).all()
    assert min(np.corrcoef(a, b)[0, 1] for a, b in zip(truth, found, strict=True)) > 0.8
    assert found[:, 5].mean() > found[:, 0].mean() + 0.05
