"""The open pack is fitted by what its description says, not by what its file is called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import synthetic_face as synthetic

from pyclnf import CLNF, FaceFit, FitParameters, LandmarkModel
from pyclnf.models import open_model_path

FRAME = synthetic.image(3, (240, 260))
BOX = (60.0, 60.0, 120.0, 125.0)


@pytest.fixture(scope="module")
def packaged() -> LandmarkModel:
    return LandmarkModel.load(open_model_path())


def renamed(folder: Path, *, settings: bool = True) -> LandmarkModel:
    """The open pack, linked under another name for its main file."""
    pack = open_model_path().parent
    for path in pack.iterdir():
        if path.name != open_model_path().name:
            (folder / path.name).symlink_to(path)
    lines = open_model_path().read_text().splitlines()
    text = "\n".join(line for line in lines if settings or not line.startswith("FitSettings"))
    (folder / "main_renamed.txt").write_text(text + "\n")
    return LandmarkModel.load(folder / "main_renamed.txt")


def fitted(model: LandmarkModel, wild: bool = False) -> FaceFit:
    return CLNF(model, parameters=FitParameters.for_model(model, wild=wild)).fit(FRAME, BOX)


@pytest.mark.parametrize("wild", [False, True])
def test_the_open_pack_renamed_gives_identical_landmarks(
    tmp_path: Path, packaged: LandmarkModel, wild: bool
) -> None:
    model = renamed(tmp_path)
    assert FitParameters.for_model(model, wild=wild) == FitParameters.for_model(packaged, wild=wild)
    a, b = fitted(packaged, wild), fitted(model, wild)
    np.testing.assert_array_equal(a.landmarks, b.landmarks)
    np.testing.assert_array_equal(a.params_local, b.params_local)


def test_its_landmarks_depend_on_those_settings(tmp_path: Path, packaged: LandmarkModel) -> None:
    moved = np.abs(fitted(renamed(tmp_path, settings=False)).landmarks - fitted(packaged).landmarks)
    assert moved.max() > 0.1


def test_its_settings_are_those_of_openfaces_ceclm(packaged: LandmarkModel) -> None:
    expected = replace(FitParameters(), sigma=2.25, regularisation=22.5)
    assert FitParameters.for_model(packaged) == expected
    assert FitParameters.for_model(open_model_path()) == expected
