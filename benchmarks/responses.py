"""GFLOP/s of the CEN response stage with nets of OpenFace's size: ``python -m benchmarks.responses``.

Beside it stand NumPy's products with as many threads: of the same layers one after the other, and of 2048 x 2048
matrices, which small products do not reach. PYFACEAU_INSTRUCTION_SET and OPENBLAS_CORETYPE choose the kernels.
"""

from __future__ import annotations

import argparse
import sys
from time import perf_counter

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmarks.machine import machine, save, sgemm
from pyclnf import instruction_set
from pyclnf.core.patch_experts import CENExperts, new_maps
from pyclnf.io import CENExpert, CENFile, DenseLayer

N = 68
# OpenFace 2.2: hidden layers of its CEN files, and the windows of a tracked frame.
SCALES = {0.35: ((300, 100, 50, 1), 9), 0.50: ((500, 200, 100, 1), 7)}
_RELU, _SIGMOID = 2, 0


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.responses", description=__doc__)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--json", help="write the figures there")
    arguments = parser.parse_args()
    grey = np.random.default_rng(0).integers(0, 256, (480, 640), dtype=np.uint8)
    report = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            yardstick = sgemm()
        work, time, numpy_time = 0.0, 0.0, 0.0
        for scale, (sizes, window) in SCALES.items():
            experts = CENExperts(random_experts(scale, sizes))
            flops = sum(
                2.0 * len(targets) * (window**2 // 2) * sum(layer.weight.size for layer in expert.layers)
                for expert, targets in experts.tasks(0)
            )
            work += flops
            time += _fastest(experts, grey, window, threads, arguments.runs)
            with threadpool_limits(threads):
                numpy_time += _fastest_products(experts, window, arguments.runs)
        rate, same = work / time / 1e9, work / numpy_time / 1e9
        report.append(
            {
                "instruction_set": instruction_set(),
                "threads": threads,
                "gflop": work / 1e9,
                "ms": 1e3 * time,
                "gflops": rate,
                "sgemm_same_shapes": same,
                "sgemm": yardstick,
            }
        )
        print(
            f"{instruction_set()}, {threads} threads: {work / 1e9:.2f} GFLOP a tracked frame in {1e3 * time:.2f} ms "
            f"= {rate:.0f} GFLOP/s, "
            f"{rate / same:.0%} of NumPy's products of these shapes ({same:.0f} GFLOP/s), "
            f"{rate / yardstick:.0%} of a large one ({yardstick:.0f} GFLOP/s)"
        )
    save(arguments.json, {"machine": machine(), "threads": report})
    return 0


def random_experts(scale: float, sizes: tuple[int, ...]) -> CENFile:
    """Make experts of one frontal view, each mirrored pair stored once, as in OpenFace's files."""
    rng = np.random.default_rng(1)
    mirror = np.arange(N, dtype=np.int32)
    mirror[: N // 2], mirror[N // 2 :] = np.arange(N // 2) + N // 2, np.arange(N // 2)
    full = [i < N // 2 for i in range(N)]
    experts = tuple(CENExpert(11, 11, _layers(rng, sizes) if own else (), 1.0) for own in full)
    visible = np.ones((1, N), bool)
    return CENFile(scale, np.zeros((1, 3)), visible, mirror, np.zeros(1, np.int32), (experts,))


def _layers(rng: np.random.Generator, sizes: tuple[int, ...]) -> tuple[DenseLayer, ...]:
    inputs = (122, *sizes[:-1])
    return tuple(
        DenseLayer(
            _SIGMOID if m == 1 else _RELU,
            np.zeros(m, np.float32),
            rng.normal(0, n**-0.5, (m, n)).astype(np.float32),
        )
        for m, n in zip(sizes, inputs, strict=True)
    )


def _fastest(experts: CENExperts, grey: npt.NDArray[np.uint8], window: int, threads: int, runs: int) -> float:
    shape = np.random.default_rng(2).uniform(100, 380, 2 * N).astype(np.float32)
    to_image = np.array([[2.0, -0.1], [0.1, 2.0]], np.float32)
    maps = new_maps(N, window)
    best = np.inf
    for _ in range(runs):
        start = perf_counter()
        experts.responses(grey, shape, to_image, window, 0, maps, threads)
        best = min(best, perf_counter() - start)
    return best


def _fastest_products(experts: CENExperts, window: int, runs: int) -> float:
    """Seconds of the layers' products alone, on as many columns."""
    matrices = [
        ([np.ascontiguousarray(layer.weight) for layer in expert.layers], len(targets) * (window**2 // 2))
        for expert, targets in experts.tasks(0)
    ]
    inputs = np.random.default_rng(3).normal(size=(122, 2 * (window**2 // 2))).astype(np.float32)
    best = np.inf
    for _ in range(runs):
        start = perf_counter()
        for weights, columns in matrices:
            x = inputs[:, :columns]
            for weight in weights:
                x = weight @ x
        best = min(best, perf_counter() - start)
    return best


if __name__ == "__main__":
    sys.exit(main())
