"""Memory and time per frame over hours of video: ``python -m benchmarks.endurance VIDEO --frames 200000``.

The video's frames are looped, so that the same work comes again and again; all figures should stay flat.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import numpy.typing as npt
import psutil

from pyfaceau import FullPythonAUPipeline
from pyfaceau.video import FrameIterator, open_video


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endurance", description=__doc__)
    parser.add_argument("video")
    parser.add_argument("--models", default="auto")
    parser.add_argument("--landmarks", default="auto")
    parser.add_argument("--frames", type=int, default=20000)
    parser.add_argument("--clip", type=int, default=120, help="frames of the video that are looped")
    parser.add_argument(
        "--mode",
        default="offline",
        choices=("offline", "spool", "live"),
        help="a sequence with its table in memory, with its rows in files, or a live stream",
    )
    parser.add_argument("--json", help="write the figures there")
    arguments = parser.parse_args()
    with open_video(arguments.video) as source:
        clip = [frame.image for frame in itertools.islice(source, arguments.clip)]
    pipeline = FullPythonAUPipeline(arguments.models, arguments.landmarks)
    rows: list[dict[str, float]] = []
    start, process, step = (perf_counter(), process_time()), psutil.Process(), arguments.frames // 10

    def report(done: int, total: int | None) -> None:
        nonlocal start
        if done % step == 0:
            gc.collect()
            rows.append(
                {
                    "frames": done,
                    "rss_mb": process.memory_info().rss / 2**20,
                    "ms_per_frame": 1e3 * (perf_counter() - start[0]) / step,
                    "core_ms_per_frame": 1e3 * (process_time() - start[1]) / step,
                }
            )
            print(
                "{frames:9.0f} frames  {rss_mb:7.1f} MB  {ms_per_frame:6.2f} ms/frame  "
                "{core_ms_per_frame:6.2f} core-ms".format(**rows[-1]),
                flush=True,
            )
            start = perf_counter(), process_time()

    source = FrameIterator(_looped(clip, arguments.frames), fps=30.0)
    with tempfile.TemporaryDirectory() as folder:
        run = pipeline.run(
            mode="live" if arguments.mode == "live" else "offline",
            spool=folder if arguments.mode == "spool" else None,
        )
        with run:
            run.analyse(source, progress=report)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


def _looped(clip: list[npt.NDArray[np.uint8]], frames: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Forth and back, so that the face never jumps."""
    there_and_back = clip + clip[-2:0:-1]
    return itertools.islice(itertools.cycle(there_and_back), frames)


if __name__ == "__main__":
    sys.exit(main())
