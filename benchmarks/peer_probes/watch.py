"""What every probe measures; runs in the peer's own environment, so it needs nothing but Python.

A probe is called as ``python PROBE.py VIDEO FRAMES OUT.json STARTED [ASSET]``: it analyses at most FRAMES frames, and
writes frames a second, processor time a frame, seconds from STARTED (``time.time()`` of the caller) to the first
result, and the most memory that it had. ``values`` is what can be compared: intensities, landmarks or boxes, one
entry a frame.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any


def arguments() -> tuple[str, int, str]:
    """Return video, number of frames and asset."""
    return sys.argv[1], int(sys.argv[2]), sys.argv[5] if len(sys.argv) > 5 else ""


def frames(video: str, most: int) -> Iterator[Any]:
    """Yield frames, BGR, as OpenCV reads them."""
    import cv2

    capture = cv2.VideoCapture(video)
    for _ in range(most):
        there, image = capture.read()
        if not there:
            return
        yield image


def run(analyse: Callable[[Any], Any], video: str, most: int, *packages: str) -> None:
    """Time `analyse` on each frame, decoding included; the first one apart, as it pays for what is loaded late."""
    first, count, values = 0.0, 0, []
    began = processor = 0.0
    for image in frames(video, most):
        values.append(analyse(image))
        if not first:
            first, began, processor = (
                time.time() - float(sys.argv[4]),
                time.perf_counter(),
                time.process_time(),
            )
        else:
            count += 1
    report(count, time.perf_counter() - began, time.process_time() - processor, first, values, *packages)


def report(count: int, elapsed: float, processor: float, first: float, values: Any, *packages: str) -> None:
    """Write what was measured."""
    result = {
        "frames": count,
        "frames_per_second": count / elapsed if elapsed else None,
        "processor_ms": 1000 * processor / count if count else None,
        "start_s": first,
        "memory_mb": _memory(),
        "versions": {name: metadata.version(name) for name in packages},
        "values": values,
    }
    Path(sys.argv[3]).write_text(json.dumps(result), encoding="utf-8")


def _memory() -> float | None:
    status = Path("/proc/self/status")
    if status.exists():  # getrusage's figure begins with that of the process that started this one
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) / 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)
