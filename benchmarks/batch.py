"""Throughput of a batch with one worker and with two: ``python -m benchmarks.batch VIDEO --files 40``.

The same files are analysed by one worker and by two in turn. Also shown: processor time a frame, which other work on
the machine disturbs less, and whether a frame costs more when many files have gone before.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pyfaceau import AnalysisOptions, run_batch
from pyfaceau.batch.journal import read_entries


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch", description=__doc__)
    parser.add_argument("video")
    parser.add_argument("--models", default="auto")
    parser.add_argument("--landmarks", default="auto")
    parser.add_argument("--files", type=int, default=16, help="copies of the video in a batch")
    parser.add_argument("--frames", type=int, help="frames of each copy")
    parser.add_argument(
        "--runs", type=int, default=3, help="batches of each kind, one and two workers in turn"
    )
    parser.add_argument("--json", help="write the figures there")
    arguments = parser.parse_args()
    options = AnalysisOptions(models=arguments.models, landmarks=arguments.landmarks, threads=1)
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.files):
            shutil.copy(arguments.video, Path(folder, f"v{number:04d}{Path(arguments.video).suffix}"))
        for _ in range(arguments.runs):
            for workers in (1, 2):
                runs.append(_batch(folder, options, workers, arguments.frames))
                print(
                    "{workers} worker(s): {fps:7.1f} frames/s, {cpu_ms:5.2f} ms of processor time a frame, last tenth "
                    "of the files against the first: {drift:.3f}, load {load:.1f}".format(**runs[-1]),
                    flush=True,
                )
    fps = {n: statistics.median(run["fps"] for run in runs if run["workers"] == n) for n in (1, 2)}
    ratio = fps[2] / fps[1]
    print(f"two workers against one: {ratio:.2f} times the frames/s (medians of {arguments.runs})")
    if arguments.json:
        report = {"runs": runs, "ratio": ratio}
        Path(arguments.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def _batch(folder: str, options: AnalysisOptions, workers: int, frames: int | None) -> dict[str, Any]:
    """Run one batch; the time begins when the first video is done, as long batches do not notice the start."""
    ends: list[tuple[float, int]] = []

    def report(progress: Any, ended: Any) -> None:
        ends.extend((time.perf_counter(), entry.frames) for entry in ended)

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as output:
        summary = run_batch([folder], output, options, workers=workers, max_frames=frames, report=report)
        seconds = [entry.seconds / max(1, entry.frames) for entry in read_entries(Path(output))]
        order = [entry.frames for entry in read_entries(Path(output))]
    if summary.failed:
        raise SystemExit(f"{summary.failed[0].path}: {summary.failed[0].why}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    first = ends[workers - 1][0]
    counted = sum(frames for _, frames in ends[workers:])
    tenth = max(1, len(seconds) // 10)
    return {
        "workers": workers,
        "files": len(order),
        "fps": counted / max(1e-9, ends[-1][0] - first),
        "cpu_ms": 1e3 * cpu / max(1, sum(order)),
        # The first file of each worker carries the start of its process and the loading of the models.
        "drift": statistics.median(seconds[-tenth:])
        / statistics.median(seconds[2 * workers : 2 * workers + tenth]),
        "load": os.getloadavg()[0],
    }


if __name__ == "__main__":
    sys.exit(main())
