"""Landmarks that no face has: action units are defined, nothing warns, and single frames do not spoil a sequence."""

from __future__ import annotations

import numpy as np
import pytest

from pyclnf import PDM
from pyfaceau.analyser import FaceAnalyser
from pyfaceau.prediction import AUPredictor, read_au_models

POINT = np.full((68, 2), 50.0)
LINE = np.c_[np.linspace(1, 90, 68), np.full(68, 40.0)]


def impossible(face):
    return {
        "all in one point": POINT,
        "on a line": LINE,
        "smaller than a pixel": face * 1e-4,
        "outside of the image": face + 1e5,
        "at the border": face - face.min(axis=0) - 60,
        "larger than all images": face * 1e6,
        "almost infinite": face + 3e38,
        "mirrored": face * [-1, 1] + [300, 0],
        "rigid points in one": np.where(np.arange(68)[:, None] < 48, 50.0, face),
    }


KINDS = tuple(impossible(POINT))


@pytest.fixture
def static(write_models, static_predictors):
    return FaceAnalyser.from_files(write_models(static_predictors))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(300, 280), (1, 1), (2, 300)])
def test_units_of_landmarks_that_no_face_has_are_finite(static, landmarks_of, frames, kind, size):
    frame = frames(1)[0][: size[0], : size[1]]
    result = static.analyse_image(frame, impossible(landmarks_of())[kind].astype(np.float32))
    assert np.isfinite(result.intensities).all()
    assert np.isin(result.presences, (0, 1)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_sequence_goes_on_after_landmarks_that_no_face_has(static, landmarks_of, frames, kind):
    face = landmarks_of().astype(np.float32)
    before, after = frames(1)[0], frames(1)[0]
    expected = static.process(after, face, True)
    static.reset()
    static.process(before, impossible(face)[kind].astype(np.float32), True)
    found = static.process(after, face, True)
    np.testing.assert_array_equal(found.intensities, expected.intensities)
    assert np.isfinite(static.finish().intensities).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_landmarks_that_are_not_finite_are_refused_and_leave_no_trace(static, landmarks_of, frames, value):
    landmarks = landmarks_of().astype(np.float32)
    landmarks[3, 1] = value
    for call in (static.analyse_image, lambda *a: static.process(*a, True)):
        with pytest.raises(ValueError, match="finite"):
            call(frames(1)[0], landmarks)
    assert static.n_frames == 0


def test_a_triangulation_without_triangles_masks_everything(
    pdm, write_models, static_predictors, landmarks_of, frames
):
    models = read_au_models(write_models(static_predictors))
    analyser = FaceAnalyser(PDM.from_file(models.pdm), np.empty((0, 3), np.int32), AUPredictor(models.models))
    result = analyser.analyse_image(frames(1)[0], landmarks_of())
    assert not result.aligned_face.any()
    assert np.isfinite(result.intensities).all()
