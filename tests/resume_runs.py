"""Finishes saved runs in a process of its own: resume_runs.py JOB.json; see test_checkpoints.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from pyfaceau import FullPythonAUPipeline
from pyfaceau.video import open_video


def table_bytes(table) -> bytes:
    """Every number of a table, to the last bit."""
    return np.ascontiguousarray(table.to_numpy(np.float64)).tobytes()


def result_bytes(results) -> bytes:
    return b"".join(np.array([*r.au_intensities.values(), *r.pose], np.float64).tobytes() for r in results)


def main(job: Path) -> None:
    todo = json.loads(job.read_text())
    pipeline = FullPythonAUPipeline(**todo["pipeline"])
    for checkpoint in todo["checkpoints"]:
        with open_video(todo["video"]) as source, pipeline.resume(checkpoint) as run:
            if run.mode == "live":
                found = result_bytes([result for result, _ in run.results(source)])
            else:
                run.analyse(source)
                found = table_bytes(run.finish())
        Path(checkpoint).with_suffix(".result").write_bytes(found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
