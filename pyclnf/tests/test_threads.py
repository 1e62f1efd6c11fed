"""Fits from several Python threads and processes at once."""

from __future__ import annotations

import dataclasses
import gc
import multiprocessing
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
import synthetic_face as synthetic
from test_tracker import CountingDetector, assert_same

from pyclnf import CLNF, FaceFit, FaceTracker, LandmarkModel, MultiFaceTracker

BOX = (45.0, 40.0, 130.0, 120.0)


def fitted(model: LandmarkModel, seed: int) -> np.ndarray:
    return CLNF(model, threads=2).fit(synthetic.image(seed), BOX).landmarks


@pytest.mark.parametrize("kind", ["cen", "ccnf"])
def test_fits_in_parallel_threads_equal_fits_one_by_one(tmp_path: Path, kind: str) -> None:
    model = LandmarkModel.load(synthetic.write_model(tmp_path, kind))
    alone = [fitted(model, seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: fitted(model, seed), range(8)))
    np.testing.assert_array_equal(together, alone)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning"
)  # Python warns of forks while threads run: just that is tested
def test_a_forked_process_fits_although_its_parents_threads_are_gone(tmp_path: Path) -> None:
    model = LandmarkModel.load(synthetic.write_model(tmp_path))
    expected = fitted(model, 0)
    queue = multiprocessing.get_context("fork").SimpleQueue()
    process = multiprocessing.get_context("fork").Process(target=lambda: queue.put(fitted(model, 0)))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    np.testing.assert_array_equal(queue.get(), expected)


@pytest.mark.parametrize("kind", ["cen", "ccnf"])
def test_trackers_in_two_threads_share_one_model(tmp_path: Path, kind: str) -> None:
    """The model is fresh: both threads need its compiled parts at once."""
    path = synthetic.write_model(tmp_path, kind, part=True)
    videos = [[synthetic.image(10 * k + i) for i in range(6)] for k in range(2)]

    def tracked(tracker: FaceTracker, video: list[np.ndarray], start: Barrier) -> list[FaceFit]:
        start.wait(60)
        return [tracker.track(frame) for frame in video]

    def run(together: bool) -> list[list[FaceFit]]:
        model = LandmarkModel.load(path)
        trackers = [FaceTracker(model, CountingDetector(), threads=2) for _ in videos]
        start = Barrier(2 if together else 1)
        with ThreadPoolExecutor(2 if together else 1) as pool:
            return list(pool.map(tracked, trackers, videos, [start] * 2))

    alone = run(together=False)
    for _ in range(5):
        for fits, expected in zip(run(together=True), alone, strict=True):
            for fit, one in zip(fits, expected, strict=True):
                assert_same(fit, one)


def test_what_a_model_holds_cannot_be_written(tmp_path: Path) -> None:
    for kind in ("cen", "ccnf"):
        model = LandmarkModel.load(synthetic.write_model(tmp_path / kind, kind))
        experts = model.scales[0]
        for array in (experts.visibility, experts.confidence, experts.centres, model.pdm.mean):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0
        with pytest.raises(dataclasses.FrozenInstanceError):
            model.validator = None  # type: ignore[misc]


def test_a_tracker_does_not_grow_from_video_to_video(tmp_path: Path) -> None:
    """Measured by what Python and NumPy hold; a tracker's buffers are there after its first video."""
    model = LandmarkModel.load(synthetic.write_model(tmp_path))
    tracker = MultiFaceTracker(model, CountingDetector(), max_faces=2)
    video = [synthetic.image(k) for k in range(4)] + [np.full((200, 220), 90, np.uint8)] * 8

    def show_often(times: int) -> int:
        for _ in range(times):
            for frame in video:
                tracker.track(frame)
            tracker.reset()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = show_often(3)
        assert show_often(12) - before < 20_000
    finally:
        tracemalloc.stop()
