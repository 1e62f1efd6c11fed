"""Pages that show a result: one of a recording, one of a batch."""

from __future__ import annotations

from .batch import write_batch_report
from .exports import Event, Recording, boris, eaf
from .html import page_beside
from .recording import Report, write_report

__all__ = [
    "Event",
    "Recording",
    "Report",
    "boris",
    "eaf",
    "page_beside",
    "write_batch_report",
    "write_report",
]
