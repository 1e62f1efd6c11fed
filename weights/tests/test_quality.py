"""The figures that pyfaceau packages are those of the models' card."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path

import pytest

from weights.quality import (
    PACKAGED,
    README,
    STATIC_INTENSITIES,
    STATIC_PRESENCES,
    quality,
    readme_table,
    text,
    with_table,
)


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


def test_table_of_the_readme_is_that_of_the_card():
    readme = README.read_text()
    assert with_table(readme, readme_table(json.loads(text()))) == readme, "run `python -m weights.quality`"


def test_static_units_are_those_of_openface():
    shared = Path(os.environ.get("PYFACEAU_SHARED", README.parents[1] / "shared"))
    listed = shared / "openface/2.2.0/originals/lib/local/FaceAnalyser/AU_predictors/AU_all_best.txt"
    if not listed.is_file():
        pytest.skip("OpenFace's models are not here")
    for kind, static in (("svr_combined", STATIC_INTENSITIES), ("svm_combined", STATIC_PRESENCES)):
        found = re.findall(rf"{kind}/AU_\d+_static\S* (AU\d\d)", listed.read_text())
        assert set(found) == static
