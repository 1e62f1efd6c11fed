"""Fits from several Python threads and processes at once."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import synthetic_face as synthetic

from pyclnf import CLNF, LandmarkModel

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
