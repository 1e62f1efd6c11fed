"""FaceAnalyser: a sequence equals the literal procedure; failures, resetting, saving, single images."""

from __future__ import annotations

import numpy as np
import pytest

import pyfaceau.analyser
from pyclnf import PDM
from pyfaceau.analyser import FaceAnalyser
from pyfaceau.features.running_median_numpy import RunningMedian
from pyfaceau.prediction import AUPredictor, postprocess_intensities, postprocess_presences, read_au_models

SUCCESS = [False, True, False, True, True, True, False, True, True, True, True, False, True, True, True, True]


@pytest.fixture
def sequence(frames, landmarks_of, rng):
    """Frames, landmarks and success of a short sequence."""
    landmarks = [
        landmarks_of(x=150 + k, y=140 - k, rotation=(0.02 * k, -0.1, 0.05), local=rng.normal(0, 4, 3))
        for k in range(len(SUCCESS))
    ]
    return list(zip(frames(len(SUCCESS)), landmarks, SUCCESS, strict=True))


@pytest.fixture
def main_file(write_models, dynamic_predictors):
    return write_models(dynamic_predictors)


def analyse(analyser, sequence):
    return [analyser.process(*step) for step in sequence]


def literal_scores(model, features, median):
    return (features - model.means - (median if model.dynamic else 0)) @ model.weights + model.bias


def literal_sequence(main_file, results, max_repredicted):
    """Online and final values by the procedure of OpenFace, from HOG and shape parameters of each frame."""
    models = read_au_models(main_file).models
    intensity_models = sorted((m for m in models if m.intensity), key=lambda m: m.name)
    presence_models = sorted((m for m in models if not m.intensity), key=lambda m: m.name)
    basis = PDM.from_file(read_au_models(main_file).pdm).basis.astype(float)
    hog_median = RunningMedian(4464, 1000, -0.005, 1.0, floor=0.0)
    geometry_median = RunningMedian(207, 10000, -60, 60)
    online, kept = [], []
    for count, result in enumerate(results, start=1):
        geometry = np.concatenate([basis @ result.params_local.astype(float), result.params_local])
        hog = result.hog.ravel().astype(float)
        if count % 2 == 1:
            hog_median.update(hog, result.valid)
            geometry_median.update(geometry, result.valid)
        x, median = np.r_[hog, geometry], np.r_[hog_median.median, geometry_median.median]
        online.append(([0.0] * len(intensity_models), [0.0] * len(presence_models)))
        if result.valid:
            online[-1] = values(intensity_models, presence_models, x, median)
            if len(kept) < max_repredicted:
                kept.append((count - 1, x))
    final = list(online)
    for index, x in kept:
        final[index] = values(intensity_models, presence_models, x, median)
    success = np.array([r.valid for r in results])
    cutoffs = np.array([np.nan if m.cutoff is None else m.cutoff for m in intensity_models])
    return (
        online,
        postprocess_intensities(np.array([i for i, _ in final]), success, cutoffs),
        postprocess_presences(np.array([p for _, p in final]), success),
    )


def values(intensity_models, presence_models, x, median):
    return (
        [literal_scores(m, x, median) for m in intensity_models],
        [m.positive if literal_scores(m, x, median) > 0 else m.negative for m in presence_models],
    )


@pytest.mark.parametrize("max_repredicted", [3000, 5])
def test_sequence_equals_the_literal_procedure(monkeypatch, main_file, sequence, max_repredicted):
    monkeypatch.setattr(pyfaceau.analyser, "MAX_REPREDICTED", max_repredicted)
    analyser = FaceAnalyser.from_files(main_file)
    results = analyse(analyser, sequence)
    final = analyser.finish()
    online, final_intensities, final_presences = literal_sequence(main_file, results, max_repredicted)
    for result, (intensities, presences) in zip(results, online, strict=True):
        np.testing.assert_allclose(result.intensities, intensities, atol=1e-9)
        np.testing.assert_array_equal(result.presences, presences)
    np.testing.assert_allclose(final.intensities, final_intensities, atol=1e-9)
    np.testing.assert_array_equal(final.presences, final_presences)
    np.testing.assert_array_equal(final.valid, SUCCESS)


def test_values_are_not_all_alike(main_file, sequence):
    analyser = FaceAnalyser.from_files(main_file)
    analyse(analyser, sequence)
    final = analyser.finish()
    assert (final.intensities.std(0) > 0.01).all()
    assert final.intensities.min() >= 0
    assert final.intensities.max() <= 5


def test_frame_without_a_face_holds_zeros_and_needs_no_image(main_file, sequence):
    analyser = FaceAnalyser.from_files(main_file)
    analyse(analyser, sequence[:4])
    result = analyser.process(None, None, False)
    assert not result.valid
    for array in (result.intensities, result.presences, result.aligned_face, result.hog, result.params_local):
        assert not array.any()


def test_frame_that_is_refused_leaves_the_sequence_as_it_was(main_file, sequence):
    analyser, other = FaceAnalyser.from_files(main_file), FaceAnalyser.from_files(main_file)
    analyse(analyser, sequence[:5])
    analyse(other, sequence[:5])
    with pytest.raises(ValueError, match="needs its image and its landmarks"):
        analyser.process(None, None, True)
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        analyser.process(np.zeros((50, 50), np.uint8), sequence[0][1], True)
    for mine, its in zip(analyse(analyser, sequence[5:]), analyse(other, sequence[5:]), strict=True):
        np.testing.assert_array_equal(mine.intensities, its.intensities)


def test_reset_gives_the_results_of_a_new_analyser(main_file, sequence):
    analyser = FaceAnalyser.from_files(main_file)
    first = analyse(analyser, sequence)
    analyser.reset()
    assert analyser.n_frames == 0
    for before, after in zip(first, analyse(analyser, sequence), strict=True):
        np.testing.assert_array_equal(before.intensities, after.intensities)


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("cut", [0, 1, 9])
def test_restored_analyser_goes_on_identically(main_file, sequence, live, cut):
    analyser = FaceAnalyser.from_files(main_file, live=live)
    whole = analyse(analyser, sequence)
    interrupted = FaceAnalyser.from_files(main_file, live=live)
    analyse(interrupted, sequence[:cut])
    state = interrupted.state()
    assert all(isinstance(array, np.ndarray) and array.dtype != object for array in state.values())
    resumed = FaceAnalyser.from_files(main_file, live=live)
    analyse(resumed, sequence[3:8])  # what it did before must not matter
    resumed.restore(state)
    for expected, found in zip(whole[cut:], analyse(resumed, sequence[cut:]), strict=True):
        np.testing.assert_array_equal(found.intensities, expected.intensities)
        np.testing.assert_array_equal(found.presences, expected.presences)
    np.testing.assert_array_equal(resumed.finish().intensities, analyser.finish().intensities)


def test_live_values_are_clipped_and_the_history_is_not_corrected(main_file, sequence):
    live, plain = FaceAnalyser.from_files(main_file, live=True), FaceAnalyser.from_files(main_file)
    shown = np.array([result.intensities for result in analyse(live, sequence)])
    raw = np.array([result.intensities for result in analyse(plain, sequence)])
    assert raw.min() < 0
    assert shown.min() >= 0
    assert shown.max() <= 5
    np.testing.assert_array_equal(live.finish().intensities, plain.finish().intensities)


def test_finishing_twice_gives_the_same(main_file, sequence):
    analyser = FaceAnalyser.from_files(main_file)
    analyse(analyser, sequence)
    np.testing.assert_array_equal(analyser.finish().intensities, analyser.finish().intensities)


def test_sequence_without_frames_or_faces(main_file):
    analyser = FaceAnalyser.from_files(main_file)
    assert analyser.finish().intensities.shape == (0, 3)
    for _ in range(5):
        analyser.process(None, None, False)
    final = analyser.finish()
    assert final.presences.shape == (5, 2)
    assert not final.intensities.any()


def test_static_models_are_not_shifted_by_a_sequence(write_models, static_predictors, sequence):
    analyser = FaceAnalyser.from_files(write_models(static_predictors))
    results = analyse(analyser, sequence)
    raw = np.array([result.intensities for result in results])
    expected = postprocess_intensities(raw, np.array(SUCCESS), np.full(2, np.nan))
    np.testing.assert_allclose(analyser.finish().intensities, expected, atol=1e-12)


def test_single_image_is_clipped_and_keeps_no_state(write_models, static_predictors, sequence):
    analyser = FaceAnalyser.from_files(write_models(static_predictors))
    frame, landmarks, _ = sequence[1]
    first = analyser.analyse_image(frame, landmarks)
    in_sequence = analyser.process(frame, landmarks, True)
    np.testing.assert_array_equal(first.intensities, np.clip(in_sequence.intensities, 0, 5))
    np.testing.assert_array_equal(first.presences, in_sequence.presences)
    assert analyser.n_frames == 1


def test_single_image_with_dynamic_models_is_refused(main_file, sequence):
    with pytest.raises(ValueError, match="static"):
        FaceAnalyser.from_files(main_file).analyse_image(*sequence[1][:2])


def test_models_for_other_features_are_refused(pdm, triangulation, write_models, dynamic_predictors):
    models = read_au_models(write_models(dynamic_predictors)).models
    fewer_modes = PDM(pdm.mean, pdm.basis[:, :2], pdm.eigenvalues[:2])
    with pytest.raises(ValueError, match="do not belong together"):
        FaceAnalyser(fewer_modes, triangulation, AUPredictor(models))
