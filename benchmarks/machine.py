"""What the benchmarks share: the machine's description and yardsticks, and processor time."""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from pyclnf import instruction_set


def machine() -> dict[str, Any]:
    """Describe what the figures were measured on, with the load of others when the measurement ends."""
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "instruction_set": instruction_set(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "load": os.getloadavg()[0],
    }


def processor_time(children: bool = False) -> float:
    """Seconds of user and system time of this process, or of its finished children."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_rss() -> float:
    """Most memory this process has held so far, MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def sgemm(size: int = 2048) -> float:
    """GFLOP/s of one NumPy product, as a yardstick of the machine."""
    a = np.ones((size, size), np.float32)
    return 2 * size**3 / min(elapsed(lambda: a @ a) for _ in range(5)) / 1e9


def elapsed(function: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    began = perf_counter()
    function()
    return perf_counter() - began


def save(path: str | None, report: Any) -> None:
    """Write figures as JSON, if a path is given."""
    if path:
        Path(path).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _cpu_name() -> str:
    """Name, family and model of the processor, as far as the system tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    fields = dict(
        reversed([tuple(part.strip() for part in line.split(":", 1)) for line in lines if ":" in line])
    )
    if "model name" not in fields:
        return platform.processor() or platform.machine()
    # Virtual machines often say no more than the maker: family and model tell the generation.
    return f"{fields['model name']} (family {fields.get('cpu family')}, model {fields.get('model')})"
