"""Frames a second end to end and milliseconds a stage: ``python -m benchmarks.speed VIDEO --models DIR``."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import machine, peak_rss, processor_time, save, sgemm


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
    used = processor_time()
    with open_video(arguments.video) as source:
        frames = sum(1 for _ in source)
    decoding = 1e3 * (processor_time() - used) / frames
    runs, core_ms = [], []
    for _ in range(arguments.runs):
        began, used = time.perf_counter(), processor_time()
        table = pipeline.process_video(arguments.video, progress=False)
        runs.append(len(table) / (time.perf_counter() - began))
        core_ms.append(1e3 * (processor_time() - used) / len(table))
    profile = Profile(pipeline)
    pipeline.process_video(arguments.video, progress=False)
    report: dict[str, Any] = {
        "machine": machine(),
        "video": Path(arguments.video).name,
        # Names only: results are shared, paths are not.
        "models": Path(arguments.models).name,
        "landmarks": "/".join(Path(arguments.landmarks).parts[-2:]),
        "threads": arguments.threads,
        "frames": len(table),
        "frames_per_second": {"median": statistics.median(runs), "runs": runs},
        "core_ms_per_frame": {"median": statistics.median(core_ms), "runs": core_ms},
        "decoding_core_ms": decoding,
        "share_of_decoding": decoding / statistics.median(core_ms),
        "import_s": imported,
        "ready_s": ready,
        "first_result_s": first,
        "peak_rss_mb": peak_rss(),
        "sgemm_2048_gflops": sgemm(),
        "stages_ms_per_frame": {s.name: s.total / len(table) for s in profile.stages()},
    }
    print(
        f"{report['video']}, {report['landmarks']}: {report['frames_per_second']['median']:.1f} frames/s "
        f"(median of {len(runs)}; {min(runs):.1f} to {max(runs):.1f}), first result after {first:.2f} s, "
        f"import {imported:.2f} s, peak {report['peak_rss_mb']:.0f} MB\n"
        f"{statistics.median(core_ms):.2f} core-milliseconds a frame, of which decoding, the floor, is "
        f"{decoding:.2f} ({report['share_of_decoding']:.0%})"
    )
    print(profile.table(len(table)))
    if arguments.reference:
        with tempfile.TemporaryDirectory() as folder:
            report["reference"] = _reference(arguments, len(table), folder)
    save(arguments.json, report)
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
    """Time of whole processes in turn: ours, the reference's, ours, ... On the clock, and of the processor."""
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
    ours.append("--force")  # else all but the first run find their output there
    theirs = [
        *arguments.reference.split(),
        "-f",
        arguments.video,
        "-out_dir",
        str(Path(folder) / "reference"),
    ]
    times: dict[str, list[float]] = {"ours": [], "reference": []}
    used: dict[str, list[float]] = {"ours": [], "reference": []}
    for _ in range(arguments.runs):
        for name, command in (("ours", ours), ("reference", theirs)):
            began, before = time.perf_counter(), processor_time(children=True)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - began)
            used[name].append(1e3 * (processor_time(children=True) - before) / frames)
    ratios = [r / o for o, r in zip(times["ours"], times["reference"], strict=True)]
    print(
        f"whole command: ours {statistics.median(times['ours']):.2f} s, "
        f"reference {statistics.median(times['reference']):.2f} s, "
        f"{statistics.median(ratios):.2f} times as fast (pair by pair {min(ratios):.2f} to {max(ratios):.2f})\n"
        f"core-milliseconds a frame, start included: ours {statistics.median(used['ours']):.1f}, "
        f"reference {statistics.median(used['reference']):.1f}"
    )
    return {"seconds": times, "ratios": ratios, "core_ms_per_frame": used, "frames": frames}


if __name__ == "__main__":
    sys.exit(main())
