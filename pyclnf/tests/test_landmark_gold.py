"""Landmarks, stage by stage, against stored outputs of the C++ reference."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs OpenCV to read images and videos")
import gold_landmarks as gold
from gold_tracks import MARGIN, NOISE

pytestmark = pytest.mark.parity
MODES = list(gold.MAIN_FILES)


def worst_build(mode: str, figure: str) -> float:
    """How far builds of the reference are from the gold outputs, px: the worst of the videos."""
    builds = json.loads(NOISE.read_text(encoding="utf-8"))["tracked"].values()
    return max(
        figures[figure]
        for build in builds
        for video, figures in build.items()
        if video.startswith(f"{mode}/")
    )


@pytest.fixture(scope="module")
def material(shared: Path) -> Path:
    if not (shared / "gold" / "images").is_dir():
        pytest.skip("needs gold/ in the reference material")
    return shared


def test_shape_model_operations_equal_the_reference(material: Path) -> None:
    for operation, error in gold.pdm_errors(material).items():
        assert error <= 1e-4, operation


@pytest.mark.parametrize("mode", MODES)
def test_response_maps_equal_the_reference(material: Path, instruction_set: str, mode: str) -> None:
    for sample, error in gold.response_errors(material, mode).items():
        assert error <= 1e-3, sample


@pytest.mark.parametrize("mode", MODES)
def test_reference_frames_equal_the_reference(material: Path, mode: str) -> None:
    assert gold.similarity_errors(material, mode) <= 1e-5


@pytest.mark.parametrize("mode", MODES)
def test_certainties_equal_the_reference(material: Path, instruction_set: str, mode: str) -> None:
    assert gold.validator_disagreements(material, mode) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("multi_view", [False, True])
def test_every_face_of_the_sample_images_is_where_the_reference_has_it(
    material: Path, mode: str, multi_view: bool
) -> None:
    faces = gold.image_errors(material, mode, multi_view)
    assert len(faces) == 19
    assert {f.name: f.error for f in faces if f.error > gold.SAME_FIT} == {}
    assert len([f.name for f in faces if f.is_bistable]) <= 1
    assert [f.name for f in faces if not f.same_verdict] == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("video", gold.VIDEOS)
class TestVideos:
    """Each video is tracked once, for all of these."""

    @pytest.fixture
    def errors(self, material: Path, video: str, mode: str) -> gold.VideoErrors:
        pytest.importorskip("pymtcnn", reason="needs the detector")
        return gold.video_errors(material, video)[mode]

    def test_tracking_stays_within_the_references_own_noise(
        self, errors: gold.VideoErrors, mode: str
    ) -> None:
        assert errors.free.mean() <= MARGIN * worst_build(mode, "mean")
        assert np.percentile(errors.free, 99) <= MARGIN * worst_build(mode, "p99")

    def test_one_step_from_the_references_state_ends_where_the_reference_ends(
        self, errors: gold.VideoErrors
    ) -> None:
        assert len(errors.step) > 0.8 * len(errors.free)
        assert errors.step.mean() <= 0.03

    def test_success_and_certainty_are_the_references(self, errors: gold.VideoErrors) -> None:
        assert errors.same_success.mean() >= 0.995
        assert errors.same_certainty.mean() >= gold.least_equal_certainties(len(errors.same_certainty))
