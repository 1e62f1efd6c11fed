"""Saves a run whole, and makes one that goes on from there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .analysis import Baseline, BaselineFrames, checked_frames
from .checkpoint import read_checkpoint, write_checkpoint
from .errors import CheckpointError
from .parts import Part
from .provenance import instruction_sets, versions
from .state import State, part_of, under

if TYPE_CHECKING:
    from .engine import Engine
    from .output import Sink
    from .run import AnalysisRun

# What a saved run and the one that goes on must have in common, so that the numbers are those of one run.
_MUST_AGREE = ("options", "model_sha256", "versions", "instruction_sets")

PathLike = str | os.PathLike[str]


def save_run(run: AnalysisRun, path: PathLike) -> None:
    """Write a run to a file; see `AnalysisRun.save`."""
    baseline = run.baseline
    header = {
        **_surroundings(run.engine),
        "mode": run.mode,
        "include": list(run.asked_groups),
        "number_format": run.number_format,
        "frames": None if isinstance(baseline, Baseline) or baseline is None else [*baseline],
        "frames_done": run.frames_done,
        "parts": [
            {"attrs": part.attrs, "first_number": part.first_number, "last_number": part.last_number}
            for part in run.parts
        ],
    }
    arrays = under("tracker.", run.tracker.state()) | under("people.", run.people.state())
    if isinstance(baseline, Baseline):
        arrays |= under("baseline.", baseline.state())
    for number, part in enumerate(run.parts):
        if part.table is not None:
            arrays |= under(f"part.{number}.", part.table.state())
    write_checkpoint(path, header, arrays)


def resume_run(
    engine: Engine, path: PathLike, sinks: Sequence[Sink] = (), spool: PathLike | None = None
) -> AnalysisRun:
    """Make a run that goes on from a file; see `FullPythonAUPipeline.resume`."""
    from .run import AnalysisRun

    header, arrays = read_checkpoint(path)
    try:
        for name, here in _surroundings(engine).items():
            if header[name] != here:
                raise ValueError(f"it was made with {_difference(header[name], here, name)}")
        run = AnalysisRun(
            engine,
            mode=header["mode"],
            include=header["include"],
            number_format=header["number_format"],
            baseline=_baseline(header, arrays),
            sinks=sinks,
            spool=spool,
        )
        run.tracker.restore(part_of(arrays, "tracker."))
        run.people.restore(part_of(arrays, "people."))
        for number, its in enumerate(header["parts"]):
            part = Part(run.new_table(number), dict(its["attrs"]), int(its["first_number"]))
            part.last_number = int(its["last_number"])
            if part.table is not None:
                part.table.restore(part_of(arrays, f"part.{number}."))
            run.parts.append(part)
        run.frames_done = int(header["frames_done"])
    except (AttributeError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot go on here: {error}") from error
    return run


def _surroundings(engine: Engine) -> dict[str, Any]:
    values = (engine.options.as_dict(), engine.model_hashes, versions(), instruction_sets())
    return dict(zip(_MUST_AGREE, values, strict=True))


def _baseline(header: dict[str, Any], arrays: State) -> Baseline | BaselineFrames | None:
    if header["frames"] is not None:
        return checked_frames(header["frames"])
    if "baseline.features" in arrays:
        return Baseline.from_state(part_of(arrays, "baseline."))
    return None


def _difference(saved: Any, here: dict[str, Any], name: str) -> str:
    """Describe the first entry that differs."""
    if isinstance(saved, dict):
        for key in [*here, *saved]:
            if saved.get(key) != here.get(key):
                return f"{name}: {key} = {saved.get(key)!r}; here it is {here.get(key)!r}"
    return f"other {name}"
