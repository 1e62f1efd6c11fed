"""The compiled backend when memory runs out, when a worker fails, and when frames are not what they seem."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from pymtcnn import _core
from pymtcnn.image import as_bgr

RUN_OUT = """
import numpy as np
from pymtcnn import _core

rng = np.random.default_rng(0)
network = _core.Network(3)
network.add_convolution(rng.normal(size=(8, 3, 3, 3)).astype("f4"), np.zeros(8, "f4"))
batch = rng.normal(size=(6, 3, 40, 40)).astype("f4")
_core._fail_allocations(True)
for threads in (1, 3):
    try:
        network.run(batch, threads)
    except MemoryError:
        print("MemoryError")
_core._fail_allocations(False)
print(np.array_equal(network.run(batch, 3), network.run(batch, 1)))
"""


def test_memory_that_runs_out_is_an_error_and_no_abort(tmp_path) -> None:
    # In a new process, whose threads have no memory from earlier calls.
    result = subprocess.run(
        [sys.executable, "-c", RUN_OUT], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (result.returncode, result.stdout.split()) == (0, ["MemoryError", "MemoryError", "True"]), (
        result.stderr
    )


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_exceptions_cross_the_pool_and_the_first_one_counts(threads: int) -> None:
    with pytest.raises(RuntimeError, match=r"item 3$"):
        _core._throw_in_pool(20, threads, 3)


def unaligned_frame() -> np.ndarray:
    memory = np.zeros(20 * 30 * 12 + 1, np.uint8)
    frame = memory[1:].view(np.float32).reshape(20, 30, 3)
    frame[:] = np.random.default_rng(0).uniform(0, 255, frame.shape)
    assert not frame.flags.aligned
    return frame


def test_unaligned_frames_are_refused_by_the_kernels_and_copied_at_the_door() -> None:
    frame = unaligned_frame()
    with pytest.raises(ValueError, match="aligned"):
        _core.resize(frame, 10, 10)
    pixels = as_bgr(frame)
    assert pixels.flags.aligned
    np.testing.assert_array_equal(pixels, frame)
    np.testing.assert_array_equal(_core.resize(pixels, 10, 10), _core.resize(frame.copy(), 10, 10))


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_matrix_is_taken_as_a_plain_array(dtype: type) -> None:
    plain = np.arange(48, dtype=dtype).reshape(6, 8)
    np.testing.assert_array_equal(as_bgr(np.matrix(plain)), as_bgr(plain))
