"""Kernels when memory runs out, when a worker fails, and when arrays are not what they seem."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import synthetic_face as synthetic

from pyclnf import _core
from pyclnf.image import to_grey, to_uint8

RUN_OUT = """
import numpy as np
from pyclnf import _core

rng = np.random.default_rng(0)
bank = _core.CenBank(40)
for landmark in range(40):
    layers = [(rng.normal(size=(64, 122)).astype("f4"), np.zeros(64, "f4"), 2)]
    layers += [(rng.normal(size=(1, 64)).astype("f4"), np.zeros(1, "f4"), 0)]
    bank.add(layers, [(landmark, False)])
grey = rng.integers(0, 256, (90, 120), np.uint8)
shape = rng.uniform(20, 70, 80).astype("f4")

def maps(threads):
    out = np.zeros((40, 9, 16), "f4")
    bank.responses(grey, shape, 1.0, 0.0, 9, out, threads)
    return out

_core._fail_allocations(True)
for threads in (1, 3):
    try:
        maps(threads)
    except MemoryError:
        print("MemoryError")
_core._fail_allocations(False)
print(np.array_equal(maps(3), maps(1)))
"""


def test_memory_that_runs_out_is_an_error_and_no_abort(tmp_path):
    # In a new process, whose threads have no memory from earlier calls.
    result = subprocess.run(
        [sys.executable, "-c", RUN_OUT], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (result.returncode, result.stdout.split()) == (0, ["MemoryError", "MemoryError", "True"]), (
        result.stderr
    )


@pytest.mark.skipif("libasan" in os.environ.get("LD_PRELOAD", ""), reason="AddressSanitizer needs terabytes")
def test_a_request_beyond_all_memory_is_an_error(tmp_path):
    code = """
import resource
import numpy as np
from pyclnf import _core
a, b = np.zeros((1, 1 << 22), "f4"), np.zeros((1 << 22, 1), "f4")
resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))  # the padded product takes that much alone
try:
    _core.sgemm(a, b)
except MemoryError:
    print("MemoryError")
"""
    pytest.importorskip("resource", reason="limits of a process are a matter of POSIX")
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (result.returncode, result.stdout) == (0, "MemoryError\n"), result.stderr


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("failing", [0, 5])
def test_exceptions_cross_the_pool_and_the_first_one_counts(threads, failing):
    for _ in range(20):
        with pytest.raises(RuntimeError, match=f"item {failing}$"):
            _core._throw_in_pool(40, threads, failing)


def test_pool_works_on_after_an_exception():
    with pytest.raises(RuntimeError):
        _core._throw_in_pool(8, 2, 0)
    _core._throw_in_pool(8, 2, 8)


def ccnf_bank(landmarks: np.ndarray, points: int = 4) -> Callable[[], np.ndarray]:
    rng = np.random.default_rng(3)
    n = len(landmarks)
    weights = rng.normal(0, 0.1, (n, 3, 121)).astype(np.float32)
    zeros = np.zeros((n, 3), np.float32)
    bank = _core.CcnfBank(landmarks, weights, zeros, weights.sum(2), zeros + 1, points)
    grey, shape = synthetic.image(), np.linspace(20, 90, 2 * points, dtype=np.float32)

    def maps() -> np.ndarray:
        out = np.zeros((points, 9, 16), np.float32)
        bank.responses(grey, shape, 1.0, 0.0, 9, np.ones(n, np.float32), out, 1)
        return out

    return maps


def test_a_landmark_list_that_changes_later_changes_nothing():
    landmarks = np.array([0, 2, 3], np.int32)
    maps = ccnf_bank(landmarks)
    before = maps()
    landmarks[:] = (1 << 28, -7, 1)
    np.testing.assert_array_equal(maps(), before)


def test_indices_of_the_validators_warp_that_change_later_change_nothing():
    one = np.ones(4, np.float32)
    vertices, index = np.array([[0, 1, 2]], np.int32), np.arange(4, dtype=np.int32)
    triangle, zeros = np.zeros(4, np.int32), np.zeros((1, 3), np.float32)
    view = _core.ValidatorView(2, 2, 0.0, 0.0, vertices, index, triangle, zeros, zeros, 0 * one, one, 3)
    landmarks = np.array([5, 9, 5, 5, 5, 9], np.float32)
    before = view.crop(synthetic.image(), landmarks)
    for indices in (vertices, index, triangle):
        indices[:] = 1 << 28
    np.testing.assert_array_equal(view.crop(synthetic.image(), landmarks), before)


def unaligned(array: np.ndarray) -> np.ndarray:
    """The same numbers one byte off."""
    memory = np.zeros(array.nbytes + 1, np.uint8)
    copy = memory[1:].view(array.dtype).reshape(array.shape)
    copy[:] = array
    assert not copy.flags.aligned
    return copy


def test_unaligned_input_gives_the_same_numbers():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 40)).astype(np.float32), rng.normal(size=(40, 9)).astype(np.float32)
    np.testing.assert_array_equal(_core.sgemm(unaligned(a), unaligned(b)), _core.sgemm(a, b))
    points = rng.normal(size=(6, 2)).astype(np.float32)
    np.testing.assert_array_equal(
        _core.align_similarity(unaligned(points), points), _core.align_similarity(points, points)
    )


def test_unaligned_maps_to_write_to_are_refused():
    bank = _core.SvrBank(2)
    out = unaligned(np.zeros((2, 9, 16), np.float32))
    with pytest.raises(ValueError, match="aligned"):
        bank.responses(synthetic.image(), np.zeros(4, np.float32), 1.0, 0.0, 9, out, 1)


def stretched(shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray:
    """An image of far more rows than there is memory for: one row in all places."""
    return np.lib.stride_tricks.as_strided(np.zeros(3, np.uint8), shape, strides)


def test_sizes_that_do_not_fit_an_int_are_refused():
    colour = stretched((1 << 25, 1, 3), (0, 3, 1))
    with pytest.raises(ValueError, match="2\\^24"):
        _core.to_grey(colour)
    with pytest.raises(ValueError, match="2\\^24"):
        _core.warp_inverse_u8(colour, np.eye(2, 3), 4, 4)
    with pytest.raises(ValueError, match="2\\^24"):
        _core.sample_area(stretched((1 << 25, 1), (0, 1)), 0, 0, 1, 0, 5, False)
    points = np.zeros(((1 << 24) + 1, 2), np.float32)
    with pytest.raises(ValueError, match="2\\^24"):
        _core.align_similarity(points, points)


@pytest.mark.parametrize("function", [to_uint8, to_grey])
@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_a_matrix_is_taken_as_a_plain_array(function):
    plain = np.arange(48, dtype=np.uint8).reshape(6, 8)
    found = function(np.matrix(plain))
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, plain)
    assert found[:, :, None].shape == (6, 8, 1)
