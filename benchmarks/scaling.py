"""What one machine says of many: ``python -m benchmarks.scaling VIDEO --models DIR``.

A video on many cores, and a batch with one process a core, are predicted from what can be measured on few cores: the
processor time of each thread of a run, of a batch's parent and of its workers, and the memory traffic of a process.
Memory traffic needs Valgrind (``--cachegrind``), which counts lines that a cache of the given size does not hold, and
runs AVX2 kernels at most.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import elapsed, machine, processor_time, save
from pyfaceau import AnalysisOptions, FullPythonAUPipeline, run_batch
from pyfaceau.video import open_video

_CORES = (1, 2, 8, 64)
_LINE = 64  # bytes
_ONE = """
import sys
from pyfaceau import FullPythonAUPipeline
video, models, landmarks, frames = sys.argv[1:]
pipeline = FullPythonAUPipeline(models=models, landmarks=landmarks, threads=1)
pipeline.process_video(video, max_frames=int(frames), progress=False)
"""


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("video")
    parser.add_argument("--models", default="auto")
    parser.add_argument("--landmarks", default="auto")
    parser.add_argument(
        "--files", type=int, default=4, help="copies of the video in the smaller of two batches"
    )
    parser.add_argument(
        "--cachegrind", type=float, metavar="MB", help="last-level cache that one process has"
    )
    parser.add_argument("--json", help="write the figures there")
    arguments = parser.parse_args()
    report: dict[str, Any] = {"machine": machine(), "landmarks": arguments.landmarks}
    report["run"] = _one_run(arguments)
    report["batch"] = _batch(arguments)
    report["copy_gb_s"] = _bandwidth()
    if arguments.cachegrind:
        report["memory"] = {"cache_mb": arguments.cachegrind, "mb_per_frame": _traffic(arguments)}
    report["predicted"] = [_predicted(report, cores) for cores in _CORES]
    run, batch = report["run"], report["batch"]
    print(
        f"one run: {run['core_ms']:.2f} core-milliseconds a frame; decoding {run['decoding']:.2f}, landmarks "
        f"{run['landmarks']:.2f} (of which patch responses, which are shared among threads, {run['responses']:.2f}), "
        f"pose, gaze and action units {run['units']:.2f}\n"
        f"batch: workers {batch['worker_ms']:.2f}, parent {batch['parent_ms']:.3f} core-milliseconds a frame: "
        f"serial fraction {batch['serial_fraction']:.2%}\n"
        f"memory: {report.get('memory', {}).get('mb_per_frame', float('nan')):.2f} MB a frame, "
        f"one core copies {report['copy_gb_s']:.1f} GB/s"
    )
    for row in report["predicted"]:
        print(
            "{cores:3} cores: one video {one_video:.2f} times, batch {batch:.1f} times one core; "
            "{batch_frames_per_second:.0f} frames/s, {memory_gb_s:.2f} GB/s".format(**row)
        )
    save(arguments.json, report)
    return 0


def _one_run(arguments: argparse.Namespace) -> dict[str, float]:
    """Core-milliseconds a frame of a run on one thread, and of its parts, each by its own thread's clock."""
    pipeline = FullPythonAUPipeline(models=arguments.models, landmarks=arguments.landmarks, threads=1)
    pipeline.process_video(arguments.video, max_frames=10, progress=False)
    began = processor_time()
    with open_video(arguments.video) as source:
        frames = sum(1 for _ in source)
    decoding = processor_time() - began
    began = processor_time()
    pipeline.process_video(arguments.video, progress=False)
    total = processor_time() - began
    used = {"landmarks": 0.0, "responses": 0.0, "units": 0.0}
    lock = threading.Lock()

    def count(owner: Any, method: str, name: str) -> None:
        inner = getattr(owner, method)

        def counted(*args: Any, **kwargs: Any) -> Any:
            start = time.thread_time()
            try:
                return inner(*args, **kwargs)
            finally:
                with lock:
                    used[name] += time.thread_time() - start

        setattr(owner, method, counted)

    begin = pipeline.run

    def run(*args: Any, **kwargs: Any) -> Any:
        begun = begin(*args, **kwargs)
        count(begun.tracker, "track", "landmarks")
        return begun

    pipeline.run = run  # type: ignore[method-assign]
    model = pipeline.engine.landmark_model
    for part in (model, *(part.model for part in model.parts)):
        for experts in part.scales:
            count(experts, "responses", "responses")
    count(pipeline.engine.stage, "in_sequence", "units")
    pipeline.process_video(arguments.video, progress=False)
    ms = {name: 1e3 * seconds / frames for name, seconds in used.items()}
    return {"core_ms": 1e3 * total / frames, "decoding": 1e3 * decoding / frames, **ms}


def _batch(arguments: argparse.Namespace) -> dict[str, float]:
    """Core-milliseconds a frame of a batch's parent, which is its serial part, and of its workers.

    They are what a batch of three times as many files takes more, as the start is paid once.
    """
    small, large = (_one_batch(arguments, files) for files in (arguments.files, 3 * arguments.files))
    parent, workers, frames = (b - a for a, b in zip(small, large, strict=True))
    return {
        "parent_ms": 1e3 * parent / frames,
        "worker_ms": 1e3 * workers / frames,
        "serial_fraction": parent / (parent + workers),
    }


def _one_batch(arguments: argparse.Namespace, files: int) -> tuple[float, float, int]:
    """Seconds of processor time of the parent and of its worker, and frames."""
    options = AnalysisOptions(models=arguments.models, landmarks=arguments.landmarks, threads=1)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as output:
        for number in range(files):
            shutil.copy(arguments.video, Path(folder, f"v{number}{Path(arguments.video).suffix}"))
        own, workers, frames = processor_time(), processor_time(children=True), 0

        def report(progress: Any, ended: Any) -> None:
            nonlocal frames
            frames += sum(entry.frames for entry in ended)

        run_batch([folder], output, options, workers=1, report=report)
        return processor_time() - own, processor_time(children=True) - workers, frames


def _bandwidth() -> float:
    """GB/s that one core reads and writes, by copying what no cache holds."""
    source = np.ones(1 << 27, np.uint8)
    target = np.empty_like(source)
    return 2 * source.size / min(elapsed(lambda: np.copyto(target, source)) for _ in range(5)) / 1e9


def _traffic(arguments: argparse.Namespace) -> float:
    """MB a frame that do not stay in a cache of the given size: the difference between a long run and a short one."""
    size = 1 << int(arguments.cachegrind * 2**20 - 1).bit_length()
    lines, frames = [], (6, 26)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Haswell"}
    environment.setdefault("PYFACEAU_INSTRUCTION_SET", "avx2")
    for count in frames:
        with tempfile.TemporaryDirectory() as folder:
            command = ["valgrind", "--tool=cachegrind", "--cache-sim=yes", f"--LL={size},16,{_LINE}"]
            command += [f"--cachegrind-out-file={folder}/out", sys.executable, "-W", "ignore", "-c", _ONE]
            command += [arguments.video, str(arguments.models), str(arguments.landmarks), str(count)]
            subprocess.run(command, check=True, capture_output=True, env=environment)
            text = Path(folder, "out").read_text(encoding="utf-8")
        names = re.search(r"^events: (.*)$", text, re.MULTILINE)
        sums = re.search(r"^summary: (.*)$", text, re.MULTILINE)
        if names is None or sums is None:
            raise SystemExit("cachegrind's file has no summary")
        total = dict(zip(names[1].split(), map(int, sums[1].split()), strict=True))
        lines.append(total["ILmr"] + total["DLmr"] + total["DLmw"])
    return _LINE * (lines[1] - lines[0]) / (frames[1] - frames[0]) / 1e6


def _predicted(report: dict[str, Any], cores: int) -> dict[str, float]:
    """Speed on so many cores, of one video and of a batch with one process a core."""
    run, batch = report["run"], report["batch"]
    # Three threads take turns with frames, and patch responses are shared among those that are left.
    serial = run["landmarks"] - run["responses"]
    helpers = max(1, cores - 2)
    steps = (run["decoding"], run["units"], serial + run["responses"] / helpers)
    one_video = max(max(steps), run["core_ms"] / cores)
    whole = batch["worker_ms"] + batch["parent_ms"]
    step = max(batch["parent_ms"], batch["worker_ms"] / cores)
    rate = 1e3 / step
    return {
        "cores": cores,
        "one_video": run["core_ms"] / one_video,
        "batch": min(cores, whole / step),
        "batch_frames_per_second": rate,
        "memory_gb_s": rate * report.get("memory", {}).get("mb_per_frame", float("nan")) / 1e3,
    }


if __name__ == "__main__":
    sys.exit(main())
