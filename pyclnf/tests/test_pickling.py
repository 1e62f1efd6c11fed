"""Models, trackers and fits go to other processes and come back; a model goes as its path and is loaded once."""

from __future__ import annotations

import copy
import gc
import multiprocessing
import os
import pickle
import weakref
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic_face as synthetic
from dot_faces import model as dot_model
from test_tracker import BOX, FACE, VIDEO, CountingDetector, assert_same

from pyclnf import CLNF, PDM, FaceFit, FaceTracker, LandmarkModel, ModelFileError, MultiFaceTracker
from pyclnf.core.optimizer import Fitter
from pyclnf.errors import MissingModelError


@pytest.fixture(scope="module")
def worker() -> Iterator[ProcessPoolExecutor]:
    """A process that shares nothing with this one."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def landmark_model(tmp_path_factory: pytest.TempPathFactory) -> LandmarkModel:
    return LandmarkModel.load(synthetic.write_model(tmp_path_factory.mktemp("pickled"), part=True))


def continued(tracker: Any, frames: list[np.ndarray]) -> tuple[Any, Any]:
    fits = [tracker.track(frame) for frame in frames]
    return tracker, fits


def shape_of(pdm: PDM, g: np.ndarray, p: np.ndarray) -> tuple[PDM, np.ndarray]:
    return pdm, pdm.project(g, p)


def landmarks_of(clnf: CLNF) -> tuple[CLNF, FaceFit]:
    return clnf, clnf.fit(FACE, BOX)


def fitted_with(model: LandmarkModel) -> np.ndarray:
    return CLNF(model, multi_view=True).fit(FACE, BOX).landmarks


def are_one(models: list[LandmarkModel]) -> bool:
    return all(other is models[0] for other in models)


def identity(model: LandmarkModel) -> int:
    return id(model)


def test_a_pdm_crosses_to_another_process(worker: ProcessPoolExecutor) -> None:
    pdm = PDM.from_data(synthetic.pdm())
    g, p = synthetic.pose(1)
    returned, points = worker.submit(shape_of, pdm, g, p).result()
    np.testing.assert_array_equal(points, pdm.project(g, p))
    for name in ("mean", "basis", "eigenvalues"):
        np.testing.assert_array_equal(getattr(returned, name), getattr(pdm, name))


def test_a_model_crosses_to_another_process_as_its_path(
    worker: ProcessPoolExecutor, landmark_model: LandmarkModel
) -> None:
    assert len(pickle.dumps(landmark_model)) < 1000
    result = worker.submit(fitted_with, landmark_model).result()
    np.testing.assert_array_equal(result, fitted_with(landmark_model))


def test_a_worker_loads_a_model_once(worker: ProcessPoolExecutor, landmark_model: LandmarkModel) -> None:
    twice = [pickle.loads(pickle.dumps(landmark_model)) for _ in range(2)]
    assert worker.submit(are_one, twice).result()
    first = worker.submit(identity, landmark_model).result()
    assert worker.submit(identity, landmark_model).result() == first, "it stays from task to task"


def test_a_model_in_memory_is_the_one_that_is_unpickled(landmark_model: LandmarkModel) -> None:
    assert pickle.loads(pickle.dumps(landmark_model)) is landmark_model
    assert copy.copy(landmark_model) is landmark_model
    assert copy.deepcopy(landmark_model) is landmark_model


def test_threads_that_unpickle_a_model_at_once_share_one(tmp_path: Path) -> None:
    model = LandmarkModel.load(synthetic.write_model(tmp_path))
    pickled = pickle.dumps(model)
    del model
    gc.collect()
    with ThreadPoolExecutor(4) as pool:
        assert are_one(list(pool.map(pickle.loads, [pickled] * 8)))


def test_only_a_few_unpickled_models_are_kept(tmp_path: Path) -> None:
    alive = []
    for k in range(4):
        model = LandmarkModel.load(synthetic.write_model(tmp_path / str(k)))
        pickled = pickle.dumps(model)
        del model
        alive.append(weakref.ref(pickle.loads(pickled)))
    gc.collect()
    assert [reference() is not None for reference in alive] == [False, False, True, True]


def test_a_model_whose_file_was_written_again_is_loaded_again(tmp_path: Path) -> None:
    path = synthetic.write_model(tmp_path)
    model = LandmarkModel.load(path)
    pickled = pickle.dumps(model)
    early = tmp_path / "early.txt"
    early.write_text(early.read_text().replace("1000", "2000"))
    os.utime(early, ns=(0, 10**18))  # whatever the clock's steps
    again = pickle.loads(pickled)
    assert again is not model
    assert again.early_termination.cutoffs[0] == 2000
    early.unlink()
    with pytest.raises(MissingModelError, match=r"early\.txt"):
        pickle.loads(pickled)


def test_a_model_with_other_files_than_those_pickled_is_refused(tmp_path: Path) -> None:
    path = synthetic.write_model(tmp_path)
    pickled = pickle.dumps(LandmarkModel.load(path))
    with path.open("a") as file:
        file.write("# one line more\n")
    with pytest.raises(ModelFileError, match="not those of the model that was pickled"):
        pickle.loads(pickled)


def test_a_model_put_together_by_hand_cannot_be_pickled(landmark_model: LandmarkModel) -> None:
    for model in (dot_model(), replace(landmark_model, validator=None)):
        with pytest.raises(pickle.PicklingError, match=r"LandmarkModel\.load"):
            pickle.dumps(model)


def test_a_clnf_crosses_to_another_process(
    worker: ProcessPoolExecutor, landmark_model: LandmarkModel
) -> None:
    clnf = CLNF(landmark_model, multi_view=True, threads=2)
    clnf.fit(FACE, BOX)
    returned, fit = worker.submit(landmarks_of, clnf).result()
    assert_same(fit, clnf.fit(FACE, BOX))
    assert (returned.multi_view, returned.threads, returned.parameters) == (True, 2, clnf.parameters)
    assert returned.model is landmark_model


def test_a_tracker_goes_on_in_another_process_and_comes_back(
    worker: ProcessPoolExecutor, landmark_model: LandmarkModel
) -> None:
    alone = FaceTracker(landmark_model, CountingDetector())
    expected = [alone.track(frame) for frame in VIDEO]
    tracker = FaceTracker(landmark_model, CountingDetector())
    fits = [tracker.track(frame) for frame in VIDEO[:7]]
    tracker, elsewhere = worker.submit(continued, tracker, VIDEO[7:17]).result()
    fits += [*elsewhere, *(tracker.track(frame) for frame in VIDEO[17:])]
    for fit, one in zip(fits, expected, strict=True):
        assert_same(fit, one)


@pytest.mark.parametrize("stable_ids", [False, True])
def test_a_tracker_of_several_faces_goes_on_in_another_process(
    worker: ProcessPoolExecutor, landmark_model: LandmarkModel, stable_ids: bool
) -> None:
    def tracker() -> MultiFaceTracker:
        boxes = [BOX, (5.0, 5.0, 60.0, 60.0)]
        return MultiFaceTracker(
            landmark_model, CountingDetector(boxes), max_faces=3, threads=2, stable_ids=stable_ids
        )

    alone, other = tracker(), tracker()
    expected = [alone.track(frame) for frame in VIDEO]
    faces = [other.track(frame) for frame in VIDEO[:6]]
    other, rest = worker.submit(continued, other, VIDEO[6:]).result()
    assert any(len(found) == 2 for found in expected)
    for found, wanted in zip([*faces, *rest], expected, strict=True):
        assert [face.face_id for face in found] == [face.face_id for face in wanted]
        for a, b in zip(found, wanted, strict=True):
            assert_same(a.fit, b.fit)


def test_a_copy_of_a_tracker_goes_its_own_way(landmark_model: LandmarkModel) -> None:
    tracker = FaceTracker(landmark_model, CountingDetector())
    tracker.track(FACE)
    twin = copy.copy(tracker)
    assert twin.model is tracker.model
    assert twin.detector is tracker.detector
    assert copy.deepcopy(tracker).detector is not tracker.detector
    before = tracker.state()
    twin.track(VIDEO[2])
    for name, array in tracker.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_fitter_is_copied_with_its_state_and_without_its_buffers(landmark_model: LandmarkModel) -> None:
    fitter = Fitter(landmark_model, CLNF(landmark_model).parameters)
    fitter.start(BOX)
    small = len(pickle.dumps(fitter))
    fitter.detect(FACE, (11, 9, 7))
    assert len(pickle.dumps(fitter)) == small
    twin = copy.deepcopy(fitter)
    fitter.detect(VIDEO[2], (0, 9, 7))
    twin.detect(VIDEO[2], (0, 9, 7))
    for name, array in fitter.state().items():
        np.testing.assert_array_equal(twin.state()[name], array)


def test_a_fit_survives_pickling(landmark_model: LandmarkModel) -> None:
    fit = CLNF(landmark_model).fit(FACE, BOX)
    for other in (pickle.loads(pickle.dumps(fit)), copy.copy(fit), copy.deepcopy(fit)):
        assert_same(other, fit)
        assert [part.name for part in other.parts] == ["inner"]


def test_the_arrays_of_a_pdm_are_its_own_and_cannot_be_written() -> None:
    data = synthetic.pdm()
    mean = data.mean.copy()
    pdm = PDM(mean, data.basis, data.eigenvalues)
    g, p = synthetic.pose(1)
    before = pdm.project(g, p)
    mean[:] = 0
    np.testing.assert_array_equal(pdm.project(g, p), before)
    for array in (pdm.mean, pdm.basis, pdm.eigenvalues, pdm.mean_points):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
