"""Names of the action units, in words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: What moves in each action unit that a result may hold: FACS (Ekman, Friesen & Hager 2002). The key is the unit as
#: in the columns, without ``_r`` and ``_c``.
AU_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "AU01": "Inner brow raiser",
        "AU02": "Outer brow raiser",
        "AU04": "Brow lowerer",
        "AU05": "Upper lid raiser",
        "AU06": "Cheek raiser",
        "AU07": "Lid tightener",
        "AU09": "Nose wrinkler",
        "AU10": "Upper lip raiser",
        "AU12": "Lip corner puller",
        "AU14": "Dimpler",
        "AU15": "Lip corner depressor",
        "AU17": "Chin raiser",
        "AU20": "Lip stretcher",
        "AU23": "Lip tightener",
        "AU25": "Lips part",
        "AU26": "Jaw drop",
        "AU28": "Lip suck",
        "AU45": "Blink",
    }
)


def unit_of(column: str) -> str:
    """Return the action unit of a column or of a result's key.

    Parameters
    ----------
    column : str
        Such as "AU12_r", "AU12_c", "AU12_r_static" or "AU12".

    Returns
    -------
    str
        "AU12".
    """
    return column.split("_", 1)[0]


def spoken(unit: str) -> str:
    """Return a unit with its name: "AU12 Lip corner puller"; the unit alone if it has no name here."""
    return f"{unit} {AU_NAMES[unit]}" if unit in AU_NAMES else unit
