"""Action-unit models that are carried over to another shape model, made specific and brought to rest."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numba", reason="the training environment has numba and scikit-learn")
pytest.importorskip("sklearn")
from pyclnf.io import PDMFile
from pyfaceau.prediction.files import AUModel
from weights.au import carry, recentre
from weights.au.labels import PRESENCES, is_calm
from weights.au.regression import HOG_SIZE

MODES = 6


@pytest.fixture
def basis() -> np.ndarray:
    """Basis (204, 6) of the old shape model."""
    return np.linalg.qr(np.random.default_rng(0).normal(size=(204, MODES)))[0]


def _model(name: str, seed: int, dynamic: bool) -> AUModel:
    rng = np.random.default_rng(seed)
    size = HOG_SIZE + 204 + MODES
    means = np.zeros(size) if dynamic else np.random.default_rng(9).normal(size=size)
    return AUModel(name, True, dynamic, means, rng.normal(size=size), 0.3, 0.5 if dynamic else None)


def _features(hog: np.ndarray, parameters: np.ndarray, basis: np.ndarray) -> np.ndarray:
    return np.concatenate([hog, parameters @ basis.T, parameters], axis=1)


def _scores(model: AUModel, features: np.ndarray) -> np.ndarray:
    return (features - model.means) @ model.weights + model.bias


@pytest.mark.parametrize("dynamic", [False, True])
def test_carried_model_gives_the_old_score_from_new_parameters(basis, dynamic):
    rng = np.random.default_rng(1)
    mapping = rng.normal(size=(MODES + 1, MODES))
    new_basis = np.linalg.qr(rng.normal(size=(204, MODES)))[0]
    hog, new = rng.normal(size=(20, HOG_SIZE)), rng.normal(size=(20, MODES))
    old = np.column_stack([new, np.ones(20)]) @ mapping
    model = _model("AU01", 2, dynamic)
    before = _scores(model, _features(hog, old, basis))
    after = _scores(carry.carried(model, mapping, basis), _features(hog, new, new_basis))
    if dynamic:  # its constants go with the median
        before, after = before - before[0], after - after[0]
    np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("dynamic", [False, True])
def test_models_follow_a_mean_and_modes_that_change(basis, dynamic):
    rng = np.random.default_rng(5)
    spread = np.linspace(9.0, 1.0, MODES)
    before = PDMFile(rng.normal(size=204) * 30, basis, spread)
    turn = np.linalg.qr(rng.normal(size=(MODES, MODES)))[0]
    moved = np.arange(1.0, MODES + 1)
    after = PDMFile(before.mean + basis @ moved, basis @ turn, spread)
    mapping = recentre.parameter_map(before, after)
    hog, new = rng.normal(size=(20, HOG_SIZE)), rng.normal(size=(20, MODES))
    old = (after.mean + new @ after.basis.T - before.mean) @ before.basis  # of the same shapes
    model = _model("AU25", 6, dynamic)
    wanted = _scores(model, _features(hog, old, basis))
    found = _scores(carry.carried(model, mapping, basis), _features(hog, new, after.basis))
    if dynamic:  # its constants go with the median
        wanted, found = wanted - wanted[0], found - found[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-6)


def test_a_model_of_other_shapes_is_refused(basis):
    before = PDMFile(np.zeros(204), basis, np.ones(MODES))
    others = np.random.default_rng(6).normal(size=204)
    with pytest.raises(ValueError, match="other shapes"):
        recentre.parameter_map(before, PDMFile(others, basis, np.ones(MODES)))
    with pytest.raises(ValueError, match="other shapes"):
        recentre.parameter_map(before, PDMFile(before.mean, np.roll(basis, 1, axis=0), np.ones(MODES)))


def test_parameter_map_finds_a_linear_relation():
    rng = np.random.default_rng(3)
    new = rng.normal(size=(500, MODES)) * 20
    true = rng.normal(size=(MODES + 1, MODES))
    old = np.column_stack([new, np.ones(500)]) @ true
    np.testing.assert_allclose(carry.parameter_map(old, new), true, atol=0.02)


def test_share_of_the_smile_is_taken_off_the_score(basis):
    models = {
        "AU10": _model("AU10", 4, False),
        "AU12": _model("AU12", 5, False),
        "AU17": _model("AU17", 6, False),
    }
    features = np.random.default_rng(7).normal(size=(10, HOG_SIZE + 204 + MODES))
    out = carry.without_smile(models, {"AU10": 0.4})
    expected = _scores(models["AU10"], features) - 0.4 * _scores(models["AU12"], features)
    np.testing.assert_allclose(_scores(out["AU10"], features), expected)
    assert out["AU17"] is models["AU17"]


def test_models_with_other_means_cannot_be_subtracted():
    models = {"AU10": _model("AU10", 4, False), "AU12": _model("AU12", 5, True)}
    with pytest.raises(ValueError, match="AU10 and AU12"):
        carry.without_smile(models, {"AU10": 0.4})


def test_rest_offset_brings_calm_scores_to_the_level():
    values = np.random.default_rng(8).normal(0.8, 0.5, 400)
    weights = np.ones(400)
    offset = carry.rest_offset(values, weights, 0.12)
    assert np.clip(values - offset, 0, 5).mean() == pytest.approx(0.12, abs=1e-3)
    assert carry.rest_offset(values - 5, weights, 0.12) == 0.0


def test_smiling_or_blinking_faces_are_not_calm():
    sums = np.zeros((3, 18))
    sums[1, PRESENCES.index("AU12")] = 1.0
    sums[2, PRESENCES.index("AU45")] = 1.5
    assert is_calm(sums).tolist() == [True, False, False]
