"""The figures that pyfaceau packages are those of the models' card."""

from __future__ import annotations

import math

from weights.quality import PACKAGED, quality, text


def test_packaged_figures_are_those_of_the_card():
    assert PACKAGED.read_text() == text(), "run `python -m weights.quality`"


def test_a_unit_without_agreement_or_figure_is_a_hint():
    column = {"AU01": 0.19, "AU02": 0.2, "AU04": math.nan, "mean": 0.2}
    figures = {
        "videos": {"mean with gold": column, "mean with mediapipe": column},
        "clips_left_out": column,
        "rendered_people_left_out": column,
    }
    units = quality(figures)["units"]
    assert {unit: each["hint"] for unit, each in units.items()} == {"AU01": True, "AU02": False, "AU04": True}
    assert units["AU04"]["openface"] is None
