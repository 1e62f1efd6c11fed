"""The packaged link from action units to the shape model is what its program makes of the expressions."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from weights.drawn_face.fit import PACKAGED, fit

ICT = Path(os.environ.get("PYFACEAU_SHARED", Path(__file__).resolve().parents[3] / "shared")) / (
    "data/ict_facekit/ict_facekit_light.npz"
)


def test_the_packaged_link_is_the_fitted_one():
    if not ICT.is_file():
        pytest.skip("needs ICT-FaceKit in ../shared")
    units, parameters, left = fit(ICT)
    with np.load(PACKAGED, allow_pickle=False) as data:
        assert data["units"].tolist() == units
        np.testing.assert_allclose(data["parameters"], parameters, atol=1e-3)
    assert left.max() < 0.6
    assert left[units.index("AU26")] < 0.1
