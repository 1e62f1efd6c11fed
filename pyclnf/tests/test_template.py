"""Template tracking: the shift of a face between two frames is found before the fit."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic_face as synthetic

from pyclnf import PDM
from pyclnf.core.optimizer import FitState
from pyclnf.core.template import FaceTemplate

PDM_MODEL = PDM.from_data(synthetic.pdm())


def state(scale: float, x: float, y: float) -> FitState:
    s = FitState.at_rest(synthetic.N_POINTS, synthetic.N_MODES)
    s.params_global = np.array([scale, 0, 0, 0, x, y], np.float32)
    return s


def moved(grey: np.ndarray, dx: int, dy: int) -> np.ndarray:
    return np.roll(grey, (dy, dx), axis=(0, 1))


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (7, -5), (-15, 12), (16, 16)])
def test_a_shifted_face_is_found_to_the_pixel_at_small_scale(dx: int, dy: int) -> None:
    grey = synthetic.image(1)
    before = state(0.3, 100, 90)
    template = FaceTemplate.of(before, PDM_MODEL, grey, 0.3)
    assert template is not None
    template.shift(before, PDM_MODEL, moved(grey, dx, dy))
    # The reference measures from the unrounded corner of the box, so up to one pixel is lost.
    np.testing.assert_allclose(before.params_global[4:], [100 + dx, 90 + dy], atol=1.0)


@pytest.mark.parametrize("scale", [0.6, 1.2])
def test_a_shifted_large_face_is_found_on_the_coarse_grid(scale: float) -> None:
    grey = synthetic.image(2, (500, 520), smooth=25)
    before = state(scale, 250, 240)
    template = FaceTemplate.of(before, PDM_MODEL, grey, 0.3)
    assert template is not None
    template.shift(before, PDM_MODEL, moved(grey, 24, -18))
    np.testing.assert_allclose(before.params_global[4:], [274, 222], atol=1 + scale / 0.3)


def test_parameters_are_replaced_not_written_to() -> None:
    grey = synthetic.image(1)
    s = state(0.3, 100, 90)
    kept = s.params_global
    template = FaceTemplate.of(s, PDM_MODEL, grey, 0.3)
    assert template is not None
    template.shift(s, PDM_MODEL, moved(grey, 9, 9))
    np.testing.assert_array_equal(kept[4:], [100, 90])


@pytest.mark.parametrize(("x", "y"), [(-500.0, 90.0), (100.0, 900.0)])
def test_a_face_outside_the_frame_gives_no_template(x: float, y: float) -> None:
    assert FaceTemplate.of(state(0.3, x, y), PDM_MODEL, synthetic.image(), 0.3) is None


@pytest.mark.parametrize(
    ("scale", "x", "y"),
    [(0.3, -15.0, 3.0), (0.3, 225.0, 199.0), (1.5, 100.0, 90.0), (0.01, 50.0, 50.0), (0.9, 0.0, 0.0)],
)
def test_faces_across_the_border_are_matched_without_harm(scale: float, x: float, y: float) -> None:
    grey = synthetic.image(3)
    s = state(scale, x, y)
    template = FaceTemplate.of(s, PDM_MODEL, grey, 0.3)
    if template is not None:
        template.shift(s, PDM_MODEL, grey)
        assert np.isfinite(s.params_global).all()
        template.shift(state(scale, -900, -900), PDM_MODEL, grey)
        template.shift(s, PDM_MODEL, np.full((200, 220), 5, np.uint8))


def test_the_tracker_follows_a_jump_with_the_template(tmp_path: object) -> None:
    from dataclasses import replace

    from test_tracker import CountingDetector

    from pyclnf import FaceTracker, FitParameters

    grey = synthetic.image(4, (300, 320))
    path = synthetic.write_model(tmp_path)  # type: ignore[arg-type]
    # A strong prior and one iteration keep the random experts from pulling the ring far.
    parameters = replace(FitParameters(), template_tracking=True, iterations=1, regularisation=1e6)
    tracker = FaceTracker(path, CountingDetector([(90.0, 90.0, 110.0, 110.0)]), parameters=parameters)
    before = tracker.track(grey)
    after = tracker.track(moved(grey, 40, 30))
    assert before.valid
    shift = (after.landmarks - before.landmarks).mean(axis=0)
    np.testing.assert_allclose(shift, [40, 30], atol=8)
