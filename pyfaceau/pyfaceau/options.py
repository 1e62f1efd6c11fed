"""What an analysis is asked for: one frozen object that the constructor, the command line and the record share."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from .detectors import FaceDetector
from .faces import Intrinsics
from .output.columns import DEFAULT_GROUPS, Include, check_groups
from .people import AUModelChoice

PathLike = str | os.PathLike[str]
NumberFormat = Literal["plain", "openface", "openface-compact"]
Timestamps = Literal["container", "frames"]
MAX_EVERY = 1_000_000
MAX_FACES = 100  # more than any picture has room for; guards against a number in the wrong place


@dataclass(frozen=True, kw_only=True)
class AnalysisOptions:
    """Everything that a pipeline is asked for. Checked when it is made; later changes are not possible.

    Attributes
    ----------
    models, landmarks, detector, include, au_models, max_faces, stable_ids, recognise, wild, fx, fy, cx, cy, \
    threads, every, timestamps
        See :class:`~pyfaceau.FullPythonAUPipeline`. `include` is kept as a tuple in the order of the columns;
        `threads` None stands for two, or one where the machine has one.
    number_format : {"plain", "openface", "openface-compact"}
        Digits of a CSV, and what rows without a face hold: nothing, or what OpenFace writes there. The compact form
        separates by commas without blanks. "openface" if `include` was "openface".

    Raises
    ------
    ValueError
        An option has a value that it cannot have; the message names it.

    Examples
    --------
    >>> from pyfaceau import AnalysisOptions
    >>> AnalysisOptions(include=("aus", "pose")).include
    ('pose', 'aus')
    """

    models: PathLike = "auto"
    landmarks: PathLike = "auto"
    detector: str | FaceDetector = "mtcnn"
    include: Include = DEFAULT_GROUPS
    au_models: AUModelChoice = "dynamic"
    max_faces: int = 1
    stable_ids: bool = True
    recognise: bool = True
    wild: bool = False
    fx: float | None = None
    fy: float | None = None
    cx: float | None = None
    cy: float | None = None
    threads: int | None = None
    every: int = 1
    timestamps: Timestamps = "container"
    number_format: NumberFormat = "plain"

    def __post_init__(self) -> None:
        self._set("number_format", number_format(self.include, self.number_format))
        self._set("include", check_groups(self.include))
        for name in ("models", "landmarks"):
            self._set(name, os.fspath(getattr(self, name)))
        if self.au_models not in get_args(AUModelChoice):
            raise ValueError(
                f"au_models must be one of {', '.join(get_args(AUModelChoice))}, got {self.au_models!r}"
            )
        if self.timestamps not in get_args(Timestamps):
            raise ValueError(
                f"timestamps must be one of {', '.join(get_args(Timestamps))}, got {self.timestamps!r}"
            )
        self._set("threads", min(2, os.cpu_count() or 1) if self.threads is None else self.threads)
        for name, most in (("threads", 1024), ("max_faces", MAX_FACES), ("every", MAX_EVERY)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise ValueError(
                    f"{name} must be a whole number, at least 1 and at most {most}, got {value!r}"
                )
        for name in ("fx", "fy", "cx", "cy"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and (value > 0 or name[0] == "c")):
                raise ValueError(
                    f"{name} is in px and {'positive' if name[0] == 'f' else 'finite'}, got {value!r}"
                )

    @property
    def n_threads(self) -> int:
        """Threads of the landmark stage."""
        return self.threads or 1

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of columns, in their order."""
        return check_groups(self.include)

    @property
    def intrinsics(self) -> Intrinsics:
        """What is known about the camera."""
        return Intrinsics(self.fx, self.fy, self.cx, self.cy)

    def as_dict(self) -> dict[str, Any]:
        """Return the options as values that JSON knows, for the record of a result.

        Returns
        -------
        dict
            `threads` is left out, as results do not depend on it. A detector that is an object is named by its
            class; folders and files by their names alone, as a record is the same on every machine.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        del values["threads"]
        values["include"] = list(self.groups)
        if not isinstance(self.detector, str):
            values["detector"] = f"{type(self.detector).__module__}.{type(self.detector).__qualname__}"
        else:  # "yunet:PATH"
            name, colon, path = self.detector.partition(":")
            values["detector"] = name + colon + os.path.basename(path)
        for name in ("models", "landmarks"):
            values[name] = os.path.basename(values[name].rstrip("/\\")) or values[name]
        return values

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


def number_format(include: Iterable[str], otherwise: NumberFormat = "plain") -> NumberFormat:
    """Choose the digits of a CSV of these columns."""
    if otherwise not in get_args(NumberFormat):
        raise ValueError(
            f"number_format must be one of {', '.join(get_args(NumberFormat))}, got {otherwise!r}"
        )
    return "openface" if include == "openface" and otherwise == "plain" else otherwise
