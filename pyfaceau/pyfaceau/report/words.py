"""Numbers and cells as the pages show them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Heading:
    """Of a column: its text, a note, and the kind of its cells ("", "number", "wrap")."""

    text: str
    kind: str = ""
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """Of a table; `seek` (s) makes it a button of the player, `href` a link, `share` adds a bar."""

    text: str
    kind: str = ""
    href: str = ""
    seek: float | None = None
    face: int = 0
    says: str = ""
    share: float | None = None


@dataclass(frozen=True)
class Row:
    """Of a table."""

    cells: tuple[Cell, ...]
    faint: bool = False


@dataclass(frozen=True)
class Table:
    """A table of a page."""

    caption: str
    headings: tuple[Heading, ...]
    rows: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Tile:
    """A figure with its name; `state` is "", "good", "fair" or "poor"."""

    value: str
    label: str
    state: str = ""
    note: str = ""


@dataclass(frozen=True)
class Remark:
    """A sentence to mind; `state` as of `Tile`."""

    text: str
    state: str = ""


def time_text(seconds: float, digits: int = 2) -> str:
    """Render a time as m:ss.ss or h:mm:ss.ss."""
    if not math.isfinite(seconds):
        return "–"
    units = 10**digits
    whole, part = divmod(round(max(seconds, 0.0) * units), units)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest:02d}" + (f".{part:0{digits}d}" if digits else "")
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def share_text(share: float, digits: int = 1) -> str:
    """Render a share as a percentage; what is nearly all or nearly nothing is not rounded to it."""
    if not math.isfinite(share):
        return "–"
    text = f"{share:.{digits}%}"
    least = 10.0 ** -(digits + 2)
    if share < 1 and text == f"{1:.{digits}%}":
        return f"> {1 - least:.{digits}%}"
    if share > 0 and text == f"{0:.{digits}%}":
        return f"< {least:.{digits}%}"
    return text


def number_text(value: float, digits: int = 2) -> str:
    """Render a number; a dash where there is none."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def count_text(count: int, what: str) -> str:
    """Render a count with its noun: "1 frame", "2 frames"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}".replace(",", "\u202f")
