"""Running medians: compiled form against NumPy form, OpenFace's quirks, saving and restoring."""

from __future__ import annotations

import numpy as np
import pytest

from pyfaceau.features import HOG_SIZE, DescriptorMedian
from pyfaceau.features.running_median import RunningMedian
from pyfaceau.features.running_median_numpy import RunningMedian as RunningMedianNumPy


@pytest.mark.parametrize("spread", [0.02, 0.4, 3.0])
def test_equals_the_numpy_form(rng, spread):
    arguments = (50, 40, -1.0, 1.0)
    fast, slow = RunningMedian(*arguments, floor=-0.5), RunningMedianNumPy(*arguments, floor=-0.5)
    for step in range(200):
        values = rng.normal(0, spread, 50) * (1 if step % 7 else -3)
        counts = bool(rng.random() < 0.8)
        fast.update(values, counts)
        slow.update(values, counts)
        np.testing.assert_array_equal(fast.median, slow.median, err_msg=f"update {step}")
    assert fast.count == slow.count > 100


def test_median_is_the_centre_of_the_bin_where_half_is_reached():
    median = RunningMedian(1, 10, 0.0, 10.0)
    for value, expected in [(7.2, 7.2), (2.9, 2.5), (3.1, 3.5), (9.9, 3.5), (9.9, 7.5)]:
        median.update(np.array([value]))
        assert median.median[0] == pytest.approx(expected)


def test_values_outside_the_range_count_in_the_outer_bins():
    median = RunningMedian(2, 10, 0.0, 10.0)
    for _ in range(2):
        median.update(np.array([-5.0, 1e9]))
    np.testing.assert_allclose(median.median, [0.5, 9.5])


def test_without_any_value_the_median_is_the_lowest_bin():
    median = RunningMedian(3, 10, 0.0, 10.0)
    median.update(np.array([7.0, 8.0, 9.0]), False)
    np.testing.assert_allclose(median.median, 0.5)


def test_after_one_value_a_vector_that_does_not_count_replaces_the_median():
    median = RunningMedian(1, 10, 0.0, 10.0)
    median.update(np.array([7.25]))
    median.update(np.array([0.0]), False)
    assert median.median[0] == 0
    median.update(np.array([7.25]))
    assert median.median[0] == 7.5


def test_reset_forgets_everything(rng):
    used, fresh = RunningMedian(5, 20, 0.0, 1.0), RunningMedian(5, 20, 0.0, 1.0)
    for _ in range(9):
        used.update(rng.random(5))
    used.reset()
    for values in rng.random((4, 5)):
        used.update(values)
        fresh.update(values)
    np.testing.assert_array_equal(used.median, fresh.median)


def test_restored_median_goes_on_identically(rng):
    first = RunningMedian(5, 20, 0.0, 1.0)
    for values in rng.random((9, 5)):
        first.update(values)
    second = RunningMedian(5, 20, 0.0, 1.0)
    second.restore(first.state())
    np.testing.assert_array_equal(second.median, first.median)
    for values in rng.random((9, 5)):
        first.update(values)
        second.update(values)
        np.testing.assert_array_equal(second.median, first.median)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.update(histogram=state["histogram"][:, :-1]), "histogram is"),
        (lambda state: state["bin"].__setitem__(0, 20), "out of range"),
        (lambda state: state["histogram"].__setitem__((0, 0), 50), "count values each"),
        (lambda state: state["below"].__setitem__(0, 99), "below"),
    ],
)
def test_state_that_does_not_hold_together_is_refused(rng, change, message):
    median = RunningMedian(5, 20, 0.0, 1.0)
    for values in rng.random((9, 5)):
        median.update(values)
    state = median.state()
    change(state)
    with pytest.raises(ValueError, match=message):
        median.restore(state)


def full(count: int) -> dict[str, np.ndarray]:
    """State of a median of one dimension and two bins with this many values in the first bin."""
    return {
        "histogram": np.array([[count, 0]], np.int32),
        "bin": np.zeros(1, np.int32),
        "below": np.zeros(1, np.int32),
        "median": np.full(1, 0.25),
        "count": np.array(count, np.int64),
    }


def test_counts_go_to_the_largest_number_that_fits_and_no_further():
    median = RunningMedian(1, 2, 0.0, 1.0)
    median.restore(full(2**31 - 2))
    median.update(np.zeros(1))
    assert (median.count, median.median[0]) == (2**31 - 1, 0.25)
    with pytest.raises(OverflowError, match="start a new run"):
        median.update(np.zeros(1))
    median.update(np.zeros(1), False)
    assert (median.count, median.median[0]) == (2**31 - 1, 0.25)


def test_wrong_number_of_values_is_refused():
    with pytest.raises(ValueError, match="expected 5 values, got 4"):
        RunningMedian(5, 20, 0.0, 1.0).update(np.zeros(4))


def test_descriptor_median_counts_every_other_frame(rng):
    median = DescriptorMedian(3)
    frames = rng.uniform(0.1, 0.9, (6, HOG_SIZE + 3))
    refreshed = [median.update(frame, True) for frame in frames]
    assert refreshed == [True, False, True, False, True, False]
    expected = np.sort(frames[[0, 2, 4]], axis=0)[1]
    np.testing.assert_allclose(median.median[:HOG_SIZE], expected[:HOG_SIZE], atol=0.001005)
    np.testing.assert_allclose(median.median[HOG_SIZE:], expected[HOG_SIZE:], atol=0.012)


def test_descriptor_median_before_the_first_face():
    median = DescriptorMedian(3)
    median.update(np.zeros(HOG_SIZE + 3), False)
    assert not median.median[:HOG_SIZE].any()
    np.testing.assert_allclose(median.median[HOG_SIZE:], -59.994)
