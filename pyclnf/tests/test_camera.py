"""The camera of a frame size: what the caller gives is kept, the rest is guessed as OpenFace does."""

from __future__ import annotations

import pytest

from pyclnf import Camera

GUESS = Camera.for_size(640, 480)


def test_the_guess_is_openfaces() -> None:
    assert Camera(500.0, 500.0, 320.0, 240.0) == GUESS
    assert Camera.for_size(1280, 480) == Camera(750.0, 750.0, 640.0, 240.0)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"fx": 900.0}, (900.0, 900.0, 320.0, 240.0)),
        ({"fy": 900.0}, (900.0, 900.0, 320.0, 240.0)),
        ({"fx": 800.0, "fy": 900.0}, (800.0, 900.0, 320.0, 240.0)),
        ({"cx": 100.0}, (500.0, 500.0, 100.0, 240.0)),
        ({"cy": 100.0}, (500.0, 500.0, 320.0, 100.0)),
        ({"cx": 0.0, "cy": -5.0}, (500.0, 500.0, 0.0, -5.0)),
        ({"fy": 900.0, "cy": 100.0}, (900.0, 900.0, 320.0, 100.0)),
    ],
)
def test_no_given_value_is_discarded(given: dict[str, float], expected: tuple[float, ...]) -> None:
    assert Camera.for_size(640, 480, **given) == Camera(*expected)


@pytest.mark.parametrize("name", ["fx", "fy", "cx", "cy"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Camera.for_size(640, 480, **{name: value})


@pytest.mark.parametrize("name", ["fx", "fy"])
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_focal_lengths_that_are_not_positive_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match="positive focal lengths"):
        Camera.for_size(640, 480, **{name: value})


@pytest.mark.parametrize("size", [(0, 480), (640, 0), (-1, 5)])
def test_a_frame_without_extent_has_no_camera(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="larger than 0 px"):
        Camera.for_size(*size)
