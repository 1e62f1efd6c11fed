"""Applying the models: scores, live correction, final pass."""

from __future__ import annotations

import numpy as np
import pytest

from pyfaceau.prediction import (
    AUModel,
    AUPredictor,
    LiveCorrection,
    postprocess_intensities,
    postprocess_presences,
)
from pyfaceau.prediction.history import History
from pyfaceau.prediction.linear import multiply


@pytest.fixture
def models(rng):
    """Four classes of models, out of order, with means that differ by class."""
    means = {key: rng.normal(size=20) for key in [(True, True), (True, False), (False, True), (False, False)]}

    def model(name, intensity, dynamic, **more):
        return AUModel(name, intensity, dynamic, means[intensity, dynamic], rng.normal(size=20), 0.5, **more)

    return [
        model("AU25", False, True, positive=1.0, negative=0.0),
        model("AU12", True, False),
        model("AU01", False, False, positive=0.0, negative=1.0),
        model("AU05", True, True, cutoff=0.8),
        model("AU01", True, True, cutoff=-1.0),
    ]


@pytest.mark.parametrize("shape", [(1, 1), (3, 15), (7, 16), (35, 4702)])
def test_multiply_equals_numpy(rng, shape):
    matrix, vector, out = rng.normal(size=shape), rng.normal(size=shape[1]), np.empty(shape[0])
    multiply(matrix, vector, out)
    np.testing.assert_allclose(out, matrix @ vector, rtol=1e-12, atol=1e-12)


def test_multiply_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="does not fit"):
        multiply(np.zeros((2, 3)), np.zeros(4), np.zeros(2))


def test_scores_follow_the_formula_of_each_kind_of_model(rng, models):
    predictor = AUPredictor(models)
    x, median = rng.normal(size=20), rng.normal(size=20)
    intensities, presences = predictor.split(predictor.project(x) - predictor.rest(median))

    def score(model):
        return (x - model.means - (median if model.dynamic else 0)) @ model.weights + model.bias

    by_name = {(m.name, m.intensity): m for m in models}
    assert predictor.intensity_names == ("AU01_r", "AU05_r", "AU12_r")
    assert predictor.presence_names == ("AU01_c", "AU25_c")
    expected = [score(by_name[name, True]) for name in ("AU01", "AU05", "AU12")]
    np.testing.assert_allclose(intensities, expected, atol=1e-12)
    assert presences[0] == (0.0 if score(by_name["AU01", False]) > 0 else 1.0)
    assert presences[1] == (1.0 if score(by_name["AU25", False]) > 0 else 0.0)


def test_means_of_the_first_file_of_a_class_serve_all(rng):
    first, second = (AUModel(f"AU0{k}", True, False, np.full(4, float(k)), np.ones(4), 0.0) for k in (1, 2))
    np.testing.assert_allclose(AUPredictor([first, second]).project(np.zeros(4)), -4.0)


def test_only_dynamic_intensities_with_a_cutoff_are_shifted(models):
    np.testing.assert_array_equal(AUPredictor(models).cutoffs, [np.nan, 0.8, np.nan])


def test_live_correction_starts_with_the_tenth_face():
    live = LiveCorrection(1)
    for _ in range(9):
        assert live.correct(np.array([1.01]), True)[0] == 1.01
    # The first bin whose cumulative count exceeds int(0.1 * 10) = 1 begins at -3 + 100 * 0.04 = 1.
    np.testing.assert_allclose(live.correct(np.array([1.51]), True), 0.51)


def test_live_correction_neither_counts_nor_shifts_frames_without_a_face():
    live = LiveCorrection(2)
    for _ in range(20):
        live.correct(np.array([2.0, 2.0]), True)
    before = live.state()
    np.testing.assert_array_equal(live.correct(np.zeros(2), False), 0)
    np.testing.assert_array_equal(live.state()["histogram"], before["histogram"])


def test_live_correction_clips():
    live = LiveCorrection(2)
    np.testing.assert_array_equal(live.correct(np.array([-0.5, 7.0]), True), [0, 5])


def literal_final_pass(intensities, success, cutoffs):
    """The final pass of intensities, frame by frame."""
    shifted = np.zeros_like(intensities)
    for au, cutoff in enumerate(cutoffs):
        valid = sorted(intensities[success, au])
        offset = 0.0 if np.isnan(cutoff) or not valid else valid[int(len(valid) * cutoff)]
        for frame in np.flatnonzero(success):
            shifted[frame, au] = min(max(intensities[frame, au] - offset, 0), 5)
    smooth = shifted.copy()
    for frame in range(1, len(shifted) - 1):
        smooth[frame] = shifted[frame - 1 : frame + 2].sum(0) / 3
    return smooth


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 60])
def test_final_intensities_equal_the_literal_procedure(rng, length):
    intensities = rng.normal(1, 2, (length, 3))
    success = rng.random(length) < 0.8
    cutoffs = np.array([0.3, np.nan, 0.75])
    found = postprocess_intensities(intensities, success, cutoffs)
    np.testing.assert_allclose(found, literal_final_pass(intensities, success, cutoffs), atol=1e-12)


def test_failed_frame_beside_a_valid_one_gets_a_share_of_it():
    found = postprocess_intensities(
        np.array([[3.0], [9.0], [3.0]]), np.array([True, False, True]), np.array([np.nan])
    )
    np.testing.assert_allclose(found[:, 0], [3, 2, 3])


@pytest.mark.parametrize("length", [0, 1, 4, 6, 7, 8, 60])
def test_final_presences_equal_the_literal_procedure(rng, length):
    presences = rng.integers(0, 2, (length, 4)).astype(float)
    success = rng.random(length) < 0.8
    raw = np.where(success[:, None], presences, 0)
    expected = raw.copy()
    for frame in range(3, length - 3):
        expected[frame] = raw[frame - 3 : frame + 4].sum(0) >= 4
    np.testing.assert_array_equal(postprocess_presences(presences, success), expected)


def test_history_keeps_rows_over_its_growth(rng):
    rows = rng.random((1000, 3))
    history = History(3, np.float64)
    for row in rows:
        history.append(row)
    assert len(history) == 1000
    np.testing.assert_array_equal(history.array(), rows)
