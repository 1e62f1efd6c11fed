"""The action-unit stage against the reference, fed with the reference's landmarks."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def figures(shared, gold_au):
    return {figure.stage: figure for figure in gold_au.figures(shared)}


@pytest.mark.parametrize(
    "part",
    ["FHOG", "aligned faces from", "HOG median", "intensities", "presences", "aligned faces of still images"],
)
def test_figures_reach_their_bars(figures, part):
    chosen = [figure for stage, figure in figures.items() if part in stage]
    assert chosen
    for figure in chosen:
        assert figure.passed, f"{figure.stage}: {figure.value:.6g} ({figure.detail}), bar {figure.bar}"


def test_every_video_was_compared(shared, gold_au):
    assert len(gold_au.video_folders(shared)) == 8


def test_sampled_faces_are_equal_to_the_last_pixel(shared, gold_au):
    for mode, name in gold_au.video_folders(shared):
        run = gold_au.run_video(shared, mode, name)
        # Aimed at is 0; one pixel in 10,000 allows for another machine's last bit in a sum.
        assert run.differing_pixels.max() <= 1e-4, f"{mode}/{name}: {run.differing_pixels}"


# Newer FFmpeg decodes 20 frames of multi_face.avi differently in one to three pixels, which moves intensities
# of those frames by up to 0.02; the other videos decode alike everywhere.
@pytest.mark.parametrize(
    ("name", "bar"),
    [("default", 1e-4), ("changeLighting", 1e-4), ("2015-10-15-15-14", 1e-4), ("multi_face", 0.02)],
)
def test_final_intensities_are_equal_to_all_printed_digits(shared, gold_au, name, bar):
    for mode in gold_au.MODES:
        run = gold_au.run_video(shared, mode, name)
        assert np.abs(run.final.intensities - run.gold_final_intensities).max() < bar, mode
