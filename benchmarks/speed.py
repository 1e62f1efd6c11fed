"""Frames a second end to end and milliseconds a stage: ``python -m benchmarks.speed VIDEO --models DIR``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np


def main() -> int:
    """Run the command line."""
    arguments = _parser().parse_args()
    start = time.perf_counter()
    from pyfaceau import FullPythonAUPipeline
    from pyfaceau.profiling import Profile
    from pyfaceau.video import open_video

    imported = time.perf_counter() - start
    pipeline = FullPythonAUPipeline(
        models=arguments.models,
        landmarks=arguments.landmarks,
        include=("gaze", "pose", "landmarks", "aus") if arguments.gaze else ("pose", "landmarks", "aus"),
        threads=arguments.threads,
    )
    ready = time.perf_counter() - start
    pipeline.process_video(arguments.video, max_frames=1, progress=False)
    first = time.perf_counter() - start
    began = time.perf_counter()
    with open_video(arguments.video) as source:
        frames = sum(1 for _ in source)
    decoding = (time.perf_counter() - began) / frames
    runs = []
    for _ in range(arguments.runs):
        began = time.perf_counter()
        table = pipeline.process_video(arguments.video, progress=False)
        runs.append(len(table) / (time.perf_counter() - began))
    profile = Profile(pipeline)
    pipeline.process_video(arguments.video, progress=False)
    report: dict[str, Any] = {
        "machine": _machine(),
        "video": Path(arguments.video).name,
        # Names only: results are shared, paths are not.
        "models": Path(arguments.models).name,
        "landmarks": "/".join(Path(arguments.landmarks).parts[-2:]),
        "threads": arguments.threads,
        "frames": len(table),
        "frames_per_second": {"median": statistics.median(runs), "runs": runs},
        "decoding_ms": 1e3 * decoding,
        "import_s": imported,
        "ready_s": ready,
        "first_result_s": first,
        "peak_rss_mb": _peak_rss(),
        "sgemm_2048_gflops": _sgemm(),
        "stages_ms_per_frame": {s.name: s.total / len(table) for s in profile.stages()},
    }
    print(
        f"{report['video']}, {report['landmarks']}: {report['frames_per_second']['median']:.1f} frames/s "
        f"(median of {len(runs)}; {min(runs):.1f} to {max(runs):.1f}), first result after {first:.2f} s, "
        f"import {imported:.2f} s, peak {report['peak_rss_mb']:.0f} MB"
    )
    print(profile.table(len(table)))
    if arguments.reference:
        with tempfile.TemporaryDirectory() as folder:
            report["reference"] = _reference(arguments, len(table), folder)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("video")
    parser.add_argument("--models", default="auto", help="as for FullPythonAUPipeline")
    parser.add_argument("--landmarks", default="auto", help="auto, clnf, ceclm or the path of a main file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--gaze", action="store_true", help="compute gaze too, as the C++ program does")
    parser.add_argument("--json", help="write the figures there")
    parser.add_argument(
        "--reference",
        metavar="COMMAND",
        help="command of the C++ FeatureExtraction with its options, run on the same video in turn with ours",
    )
    return parser


def _reference(arguments: argparse.Namespace, frames: int, folder: str) -> dict[str, Any]:
    """Wall time of whole processes in turn: ours, the reference's, ours, ..."""
    ours = [
        sys.executable,
        "-m",
        "pyfaceau",
        "extract",
        arguments.video,
        "-q",
        "--models",
        str(arguments.models),
    ]
    ours += ["--landmarks", str(arguments.landmarks), "--threads", str(arguments.threads), "-o", folder]
    theirs = [*arguments.reference.split(), "-f", arguments.video]
    times: dict[str, list[float]] = {"ours": [], "reference": []}
    for _ in range(arguments.runs):
        for name, command in (("ours", ours), ("reference", theirs)):
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - began)
    ratios = [r / o for o, r in zip(times["ours"], times["reference"], strict=True)]
    print(
        f"whole command: ours {statistics.median(times['ours']):.2f} s, "
        f"reference {statistics.median(times['reference']):.2f} s, "
        f"{statistics.median(ratios):.2f} times as fast (pair by pair {min(ratios):.2f} to {max(ratios):.2f})"
    )
    return {"seconds": times, "ratios": ratios, "frames": frames}


def _sgemm() -> float:
    """GFLOP/s of one NumPy product, as a yardstick of the machine."""
    a = np.ones((2048, 2048), np.float32)
    best = min(_timed(lambda: a @ a) for _ in range(5))
    return 2 * 2048**3 / best / 1e9


def _timed(function: Any) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def _peak_rss() -> float:
    """Most memory this process has held so far, MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def _cpu_name() -> str:
    """Name of the processor where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _machine() -> dict[str, Any]:
    from pyclnf import _core

    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "instruction_set": _core.instruction_set(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
