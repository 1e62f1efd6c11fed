"""How good the open action-unit models are, for those who use them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .action_units import spoken, unit_of

_FILE = Path(__file__).parent / "open_models_quality.json"  # made by weights/quality.py from the models' card


@dataclass(frozen=True)
class UnitQuality:
    """Agreement of one open intensity model with what it can be compared with, as Pearson r.

    Attributes
    ----------
    openface : float or None
        With OpenFace 2.2 on its four sample videos, mean of the videos; None where there is no figure.
    mediapipe : float or None
        With MediaPipe's blendshapes on the same videos.
    people_left_out : float or None
        With MediaPipe's blendshapes on clips of people who were not in the training.
    drawn_faces_left_out : float or None
        With the truth, on drawn faces of people who were not in the training.
    hint : bool
        The unit follows no reference: take its values as a hint, not as a measurement.

    Examples
    --------
    >>> from pyfaceau import model_quality
    >>> model_quality()["AU12"].hint
    False
    """

    openface: float | None
    mediapipe: float | None
    people_left_out: float | None
    drawn_faces_left_out: float | None
    hint: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as values that JSON knows."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@lru_cache(maxsize=1)
def model_quality() -> Mapping[str, UnitQuality]:
    """Return how good the open models are, by action unit.

    Returns
    -------
    mapping of str to UnitQuality
        "AU01" to "AU45"; intensities only.

    Examples
    --------
    >>> from pyfaceau import model_quality
    >>> sorted(model_quality())[:3]
    ['AU01', 'AU02', 'AU04']
    """
    units = _content()["units"]
    return MappingProxyType({unit: UnitQuality(**figures) for unit, figures in units.items()})


def hint_units(models: str) -> tuple[str, ...]:
    """Return the action units of a model set that are hints only, such as "AU04"."""
    return tuple(unit for unit, each in model_quality().items() if each.hint) if models == "open" else ()


def quality_record(models: str) -> dict[str, Any]:
    """Describe a model set for the record of a result.

    Parameters
    ----------
    models : str
        Name of the set; only of "open" there are figures.

    Returns
    -------
    dict
        ``hints``, a list of units, and ``au_quality``, the figures by unit; empty for other sets.
    """
    if models != "open":
        return {}
    return {
        "hints": list(hint_units(models)),
        "au_quality": {unit: each.as_dict() for unit, each in model_quality().items()},
    }


def quality_table() -> str:
    """Render the figures as text, one line a unit."""
    lines = [f"{'':28}{'OpenFace':>10}{'MediaPipe':>11}{'left out':>10}"]
    for unit, each in model_quality().items():
        figures = (each.openface, each.mediapipe, each.people_left_out)
        shown = [
            f"{'' if r is None else format(r, '.2f'):>{n}}"
            for r, n in zip(figures, (10, 11, 10), strict=True)
        ]
        lines.append(f"{spoken(unit):28}{''.join(shown)}{'   hint only' if each.hint else ''}")
    mean = _content()["mean"]
    means = [format(mean[key], ".2f") for key in ("openface", "mediapipe", "people_left_out")]
    lines.append(f"{'mean':28}{means[0]:>10}{means[1]:>11}{means[2]:>10}")
    lines += [
        "",
        "Pearson r of the intensities: with OpenFace 2.2 and with MediaPipe on OpenFace's four sample videos,",
        "and with MediaPipe on people who were not in the training. They are not OpenFace's values and cannot",
        "take their place. Units marked as a hint follow no reference.",
    ]
    return "\n".join(lines)


def quality_summary() -> str:
    """Say in a few lines how good the open models are."""
    mean = _content()["mean"]
    ranked = sorted(model_quality().items(), key=lambda item: item[1].openface or 0.0, reverse=True)
    best = ", ".join(f"{unit} {each.openface:.2f}" for unit, each in ranked[:3])
    hints = [unit for unit, each in model_quality().items() if each.hint]
    listed = f"{', '.join(hints[:-1])}{' and ' if len(hints) > 1 else ''}{hints[-1]}" if hints else "No unit"
    return (
        f"On people, the intensities of the open models agree with OpenFace's with a mean r of {mean['openface']:.2f}\n"
        f"(best: {best}), on OpenFace's sample videos, and with MediaPipe's with {mean['people_left_out']:.2f},\n"
        f"on people who were not in the training. Units that follow no reference, hints only: {listed}.\n"
        "`pyfaceau models list` shows the figures of every unit."
    )


def is_hint(column: str, hints: tuple[str, ...] | list[str]) -> bool:
    """Whether a column such as "AU04_r" belongs to a unit that is a hint only."""
    return unit_of(column) in hints


@lru_cache(maxsize=1)
def _content() -> Any:
    return json.loads(_FILE.read_text(encoding="utf-8"))
