"""One row of the parity table, and how rows are printed."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One comparison with the C++ reference.

    Attributes
    ----------
    stage : str
        What was compared.
    bar : str
        What is asked.
    measured : str
        What was found.
    passed : bool
        Whether the bar is met.
    """

    stage: str
    bar: str
    measured: str
    passed: bool

    def __post_init__(self) -> None:
        # Comparisons of NumPy values give NumPy's own truth values, which JSON does not know.
        object.__setattr__(self, "passed", bool(self.passed))


HEADER = ("stage", "bar", "measured", "verdict")


def format_table(rows: Iterable[Row]) -> str:
    """Lay out the rows in columns that fit the terminal."""
    cells = [HEADER, *((row.stage, row.bar, row.measured, "met" if row.passed else "MISSED") for row in rows)]
    verdict = max(len(line[3]) for line in cells)
    room = max(shutil.get_terminal_size((160, 24)).columns, 100) - verdict - 9
    wanted = [min(max(len(line[column]) for line in cells), room) for column in range(3)]
    widths = [max(12, width * room // max(room, sum(wanted))) for width in wanted]
    lines = []
    for index, line in enumerate(cells):
        wrapped = [textwrap.wrap(text, width) or [""] for text, width in zip(line, widths, strict=False)]
        wrapped.append([line[3]])
        for part in range(max(map(len, wrapped))):
            texts = [column[part] if part < len(column) else "" for column in wrapped]
            lines.append(
                " | ".join(
                    f"{text:<{width}}" for text, width in zip(texts, [*widths, verdict], strict=True)
                ).rstrip()
            )
        if index == 0:
            lines.append("-+-".join("-" * width for width in [*widths, verdict]))
    return "\n".join(lines)
