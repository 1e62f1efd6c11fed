"""From frames to findings: what the accessor ``table.face`` of pandas' tables computes.

Importing this package registers the accessor. ``import pyfaceau`` does so too if pandas is imported before, and so
does everything of pyfaceau that returns a table.
"""

from __future__ import annotations

from .accessor import FaceTable
from .agreement import Agreement, compare, read_table

__all__ = ["Agreement", "FaceTable", "compare", "read_table"]
