"""Frames a second and processor time with 1, 2, 4 and 8 faces: ``python -m benchmarks.faces VIDEO --models DIR``.

A video with one face is repeated side by side in memory, so that every face is as hard as the first. All numbers of
faces take turns, since other work on the machine comes and goes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.machine import machine, processor_time, save
from pyfaceau import FullPythonAUPipeline
from pyfaceau.video import open_video

_COLUMNS = {1: 1, 2: 2, 4: 2, 8: 4}  # of the grid


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faces", description=__doc__)
    parser.add_argument("video", help="with one face")
    parser.add_argument("--models", default="auto")
    parser.add_argument("--landmarks", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", help="write the figures there")
    arguments = parser.parse_args()
    with open_video(arguments.video) as source:
        one = [np.array(frame.image) for frame in islice(source, arguments.frames)]
    pipelines = {
        faces: FullPythonAUPipeline(
            models=arguments.models,
            landmarks=arguments.landmarks,
            threads=arguments.threads,
            max_faces=faces,
            recognise=False,
        )
        for faces in _COLUMNS
    }
    runs: dict[int, list[dict[str, float]]] = {faces: [] for faces in _COLUMNS}
    for _ in range(arguments.runs):
        for faces, pipeline in pipelines.items():
            runs[faces].append(_run(pipeline, [_tiled(frame, faces) for frame in one], faces))
    rows: list[dict[str, Any]] = []
    for faces, results in runs.items():
        row = {"faces": faces} | {key: statistics.median(run[key] for run in results) for key in results[0]}
        if rows:
            row["further_face_core_ms"] = (row["core_ms_per_frame"] - rows[0]["core_ms_per_frame"]) / (
                faces - 1
            )
        rows.append(row)
        further = f", {row['further_face_core_ms']:.2f} for each after the first" if len(rows) > 1 else ""
        print(
            f"{faces} face(s): {row['frames_per_second']:6.1f} frames/s, {row['core_ms_per_frame']:6.2f} "
            f"core-milliseconds a frame{further} (a face in {row['tracked']:.0%} of the rows)"
        )
    save(
        arguments.json,
        {
            "machine": machine(),
            "threads": arguments.threads,
            "landmarks": arguments.landmarks,
            "frames": len(one),
            "rows": rows,
        },
    )
    return 0


def _tiled(frame: npt.NDArray[np.uint8], faces: int) -> npt.NDArray[np.uint8]:
    columns = _COLUMNS[faces]
    return np.tile(frame, (faces // columns, columns, 1))


def _run(pipeline: FullPythonAUPipeline, frames: list[npt.NDArray[np.uint8]], faces: int) -> dict[str, float]:
    began, used = time.perf_counter(), processor_time()
    table = pipeline.process_frames(frames, 30.0)
    return {
        "frames_per_second": len(frames) / (time.perf_counter() - began),
        "core_ms_per_frame": 1e3 * (processor_time() - used) / len(frames),
        "tracked": float(table["success"].sum()) / (faces * len(frames)),
    }


if __name__ == "__main__":
    sys.exit(main())
