"""The landmark pack in the repository is complete, well formed and small."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from pyclnf import io
from weights.landmarks.data import MIRROR_68

PACK = Path(__file__).resolve().parents[2] / "pyclnf" / "pyclnf" / "models_open"
SCALES = (0.25, 0.35, 0.5, 1.0)


@pytest.fixture(scope="module")
def description() -> io.SubModelDescription:
    """Sub-model description of the pack."""
    return io.read_submodel_description(
        io.read_model_description(PACK / "main_ceclm_general.txt").landmark_detector
    )


def test_scales_come_in_the_order_the_fitter_expects(description: io.SubModelDescription):
    assert [io.read_cen(path).scale for path in description.cen] == list(SCALES)


def test_shape_model_is_symmetric_centred_and_life_sized(description: io.SubModelDescription):
    pdm = io.read_pdm(description.pdm)
    mean = pdm.mean.reshape(3, 68).T
    assert pdm.basis.shape == (204, 34)
    np.testing.assert_allclose(mean.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(mean, mean[MIRROR_68] * np.array([-1.0, 1.0, 1.0]), atol=1e-3)
    np.testing.assert_allclose(pdm.basis.T @ pdm.basis, np.eye(34), atol=1e-4)
    assert 140.0 < np.ptp(mean[:17, 0]) < 155.0
    assert (np.diff(pdm.eigenvalues) <= 0).all()
    assert (pdm.eigenvalues > 0).all()


def test_the_mean_face_has_its_mouth_shut(description: io.SubModelDescription):
    x, y, _ = io.read_pdm(description.pdm).mean.reshape(3, 68)
    np.testing.assert_allclose(y[[67, 66, 65]], y[[61, 62, 63]], atol=1e-3)
    assert x[45] - x[36] > 80.0


def test_every_pair_of_frontal_experts_is_stored_once(description: io.SubModelDescription):
    for path in description.cen:
        cen = io.read_cen(path)
        owned = [bool(expert.layers) for expert in cen.experts[0]]
        assert owned == (np.arange(68) <= MIRROR_68).tolist()
        assert all(expert.layers for expert in cen.experts[1])
        assert not any(expert.layers for expert in cen.experts[2])
        np.testing.assert_array_equal(cen.mirror_views, [0, 2, 1])


def test_bytes_of_an_expert_are_laid_out_like_openface(description: io.SubModelDescription):
    """Independent of the library's reader: walk the file with struct alone and land exactly on its end."""
    content = description.cen[0].read_bytes()
    at = 0

    def take(layout: str) -> tuple[float, ...]:
        nonlocal at
        values = struct.unpack_from("<" + layout, content, at)
        at += struct.calcsize("<" + layout)
        return values

    def matrix() -> tuple[int, int]:
        nonlocal at
        rows, cols, kind = take("iii")
        at += int(rows * cols * {4: 4, 5: 4, 6: 8, 7: 2}[int(kind)])
        return int(rows), int(cols)

    (scale,) = take("d")
    (views,) = take("i")
    assert (scale, views) == (0.25, 3)
    assert [matrix() for _ in range(3)] == [(3, 1)] * 3
    assert [matrix() for _ in range(3)] == [(68, 1)] * 3
    assert matrix()[0] * 1 == 68
    assert max(matrix()) == 3
    full = 0
    for _ in range(3 * 68):
        tag, width, height, layers = take("iiii")
        assert (tag, width, height) == (6, 11, 11)
        full += layers > 0
        size = 122
        for _ in range(int(layers)):
            take("i")
            outputs = max(matrix())
            assert matrix() == (outputs, size)
            size = outputs
        take("d")
    assert full == 107
    assert at == len(content)


def test_early_termination_has_three_numbers_for_each_view(description: io.SubModelDescription):
    assert description.early_termination is not None
    table = io.read_early_termination(description.early_termination)
    assert table.weights.shape == table.biases.shape == table.cutoffs.shape == (3,)
    assert table.cutoffs[1] == table.cutoffs[2]


def test_validator_views_mirror_each_other():
    path = io.read_model_description(PACK / "main_ceclm_general.txt").validator
    assert path is not None
    validator = io.read_validator(path)
    assert len(validator.views) == 3
    side, mirrored = validator.views[1:]
    np.testing.assert_array_equal(side.warp.mask, mirrored.warp.mask[:, ::-1])
    np.testing.assert_allclose(validator.orientations[1], validator.orientations[2] * np.array([1, -1, 1]))


def test_pack_is_small_enough_to_commit():
    assert sum(file.stat().st_size for file in PACK.rglob("*") if file.is_file()) < 24e6


def test_eye_network_is_beside_the_main_file():
    from pyclnf import LandmarkModel
    from pyclnf.open_arrays import EYES_FILE
    from pyclnf.open_eyes import OpenEyes

    OpenEyes.from_file(PACK / EYES_FILE)
    assert PACK / EYES_FILE in LandmarkModel.load(PACK / "main_ceclm_general.txt").files
