"""Pages that show a result: one of a recording, one of a batch."""

from __future__ import annotations

from .exports import Event, Recording, boris, eaf
from .recording import Report, write_report

__all__ = ["Event", "Recording", "Report", "boris", "eaf", "write_report"]
