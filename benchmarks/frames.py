"""What analysing a video costs beside decoding it: ``python -m benchmarks.frames VIDEO [VIDEO ...] --models DIR``.

In turn, in one process: OpenCV decodes the video, PyAV does, PyAV does and converts every frame, and the video is
analysed.
Shown are medians of milliseconds a frame, on the clock and of processor time, which other work on the machine disturbs
less, and two ratios to decoding with whole frames converted, as OpenCV does it. ``--scale`` makes larger videos of a
small one first, with noise, so that they are as hard to decode as those of a camera.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from pyfaceau import FullPythonAUPipeline
from pyfaceau.video import VideoFile


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frames", description=__doc__)
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--models", default="auto")
    parser.add_argument("--landmarks", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--scale", action="append", default=[], metavar="WxH", help="make the first video this large"
    )
    parser.add_argument("--frames", type=int, default=150, help="of videos made with --scale")
    parser.add_argument("--json", help="write the figures there")
    arguments = parser.parse_args()
    pipeline = FullPythonAUPipeline(
        models=arguments.models, landmarks=arguments.landmarks, threads=arguments.threads
    )
    reports = []
    with tempfile.TemporaryDirectory() as folder:
        made = [
            _scaled(arguments.videos[0], size, arguments.frames, Path(folder)) for size in arguments.scale
        ]
        for video in [*map(Path, arguments.videos), *made]:
            reports.append(_measure(pipeline, video, arguments.runs))
            _show(reports[-1])
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(reports, indent=1) + "\n", encoding="utf-8")
    return 0


def _measure(pipeline: FullPythonAUPipeline, video: Path, runs: int) -> dict[str, Any]:
    width, height = next(iter(VideoFile(video))).size
    jobs: dict[str, Callable[[], int]] = {
        "opencv": lambda: _read_by_opencv(video),
        "decoded": lambda: sum(1 for _ in VideoFile(video)),
        "converted": lambda: sum(frame.image is not None for frame in VideoFile(video)),
        "analysed": lambda: len(pipeline.process_video(video, progress=False)),
    }
    clock: dict[str, list[float]] = {name: [] for name in jobs}
    processor: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(runs):
        for name, job in jobs.items():
            before, began = _processor_time(), time.perf_counter()
            frames = job()
            clock[name].append(1e3 * (time.perf_counter() - began) / frames)
            processor[name].append(1e3 * (_processor_time() - before) / frames)
    return {
        "video": video.name,
        "size": [width, height],
        "frames": frames,
        "ms": {name: statistics.median(values) for name, values in clock.items()},
        "processor_ms": {name: statistics.median(values) for name, values in processor.items()},
        "ratio": statistics.median(a / d for a, d in zip(clock["analysed"], clock["opencv"], strict=True)),
        "processor_ratio": statistics.median(
            a / d for a, d in zip(processor["analysed"], processor["opencv"], strict=True)
        ),
    }


def _show(report: dict[str, Any]) -> None:
    print("{video}, {size[0]} x {size[1]} px, {frames} frames".format(**report))
    for name in report["ms"]:
        print(
            f"  {name:10}{report['ms'][name]:8.2f} ms a frame{report['processor_ms'][name]:8.2f} ms of processor time"
        )
    print(
        "  analysis takes {ratio:.2f} times as long as decoding by OpenCV, {processor_ratio:.2f} times its processor "
        "time".format(**report),
        flush=True,
    )


def _read_by_opencv(video: Path) -> int:
    reader = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG)
    frames = 0
    while reader.read()[0]:
        frames += 1
    return frames


def _processor_time() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _scaled(video: str, size: str, frames: int, folder: Path) -> Path:
    """Make a larger video with the noise of a camera, H.264 at the quality of a phone."""
    found = shutil.which("ffmpeg")
    if found is None:
        raise SystemExit("--scale needs the program ffmpeg, with libx264")
    path = folder / f"{size}.mp4"
    width, height = size.split("x")
    picture = f"scale={width}:{height}:flags=bicubic,noise=alls=8:allf=t"
    line = [found, "-v", "error", "-i", video, "-frames:v", str(frames), "-vf", picture]
    line += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "22", "-pix_fmt", "yuv420p", "-an", str(path)]
    subprocess.run(line, check=True)
    return path


if __name__ == "__main__":
    sys.exit(main())
