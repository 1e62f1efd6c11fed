"""What `pyfaceau extract` is to do, decided before any work: which inputs, and where each result goes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from ..errors import OutputError, VideoError
from ..inputs import Input, find_inputs
from ..output import FORMATS, check_target
from .common_options import FORMAT_SUFFIXES, LIKE_OPENFACE

_OTHER_TABLES = (".xlsx", ".xls", ".tsv", ".txt", ".json", ".ods", ".feather")  # not names of folders


@dataclass(frozen=True)
class Job:
    """One input and its result file."""

    input: Input
    target: Path


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes
    ----------
    jobs : tuple of Job
    skipped : tuple of Path
        Results that are there already.
    """

    jobs: tuple[Job, ...]
    skipped: tuple[Path, ...]


def plan_jobs(
    paths: Sequence[Path],
    output: Path,
    *,
    format: str | None = None,
    images_as: str = "auto",
    same_person: bool = False,
    force: bool = False,
) -> Plan:
    """Sort out inputs and give each its result file.

    Parameters
    ----------
    paths : sequence of Path
        Videos, images and folders.
    output : Path
        Folder, or a file for a single input.
    format : str, optional
        One of `FORMAT_SUFFIXES`; by default that of the output's name.
    images_as : {"auto", "sequence", "photos"}
        See `find_inputs`.
    same_person : bool
        All videos belong together.
    force : bool
        Write results anew that are there already.

    Returns
    -------
    Plan

    Raises
    ------
    typer.BadParameter
        It cannot be done as asked for; the message says why.
    """
    if images_as not in ("auto", "sequence", "photos"):
        raise typer.BadParameter(f"--as must be sequence or photos, got {images_as}")
    try:
        inputs = find_inputs(paths, images_as)  # type: ignore[arg-type]
    except VideoError as error:
        raise typer.BadParameter(str(error)) from error
    if format in LIKE_OPENFACE and any(each.kind == "photos" for each in inputs):
        raise typer.BadParameter(
            "OpenFace writes a file for each photograph; use `pyfaceau openface -f PHOTO`, or --format csv"
        )
    single = _is_file(output, format)
    if single and len(inputs) > 1:
        raise typer.BadParameter(f"{output} is one file; give a folder for {len(inputs)} videos")
    suffix = FORMAT_SUFFIXES.get(format or "csv", ".csv")
    jobs = [
        Job(each, output if single else output / each.name.with_name(each.name.name + suffix))
        for each in inputs
    ]
    _check_targets(jobs)
    skipped = [] if force else [job.target for job in jobs if job.target.exists()]
    if skipped and single:
        raise typer.BadParameter(f"{output} is there already; --force writes it anew")
    if skipped and same_person and len(skipped) < len(jobs):
        raise typer.BadParameter(
            f"{skipped[0]} is there already, others are not; --force writes all of them anew"
        )
    return Plan(tuple(job for job in jobs if job.target not in skipped), tuple(skipped))


def baseline_argument(text: str | None) -> Path | tuple[int, int] | None:
    """Read ``--baseline``: a file, or the first and last frame as FIRST:LAST."""
    if text is None:
        return None
    frames = re.fullmatch(r"(\d+):(\d+)", text)
    return Path(text) if frames is None else (int(frames[1]), int(frames[2]))


def _is_file(output: Path, format: str | None) -> bool:
    """Whether the output is the name of one file."""
    named = output.suffix.lower()
    if output.is_dir() or named not in (*FORMATS, *_OTHER_TABLES):
        return False
    if named in _OTHER_TABLES:
        raise typer.BadParameter(f"{output}: results are written as {' or '.join(FORMATS)}")
    if format is not None and named != FORMAT_SUFFIXES[format]:
        raise typer.BadParameter(
            f"--format {format} writes {FORMAT_SUFFIXES[format]} files, but the output is {output}"
        )
    return True


def _check_targets(jobs: Sequence[Job]) -> None:
    seen: dict[Path, Job] = {}
    for job in jobs:
        twin = seen.setdefault(job.target, job)
        if twin is not job:
            raise typer.BadParameter(
                f"{twin.input.path} and {job.input.path} would both be written to {job.target}"
            )
    for job in jobs:
        try:
            check_target(job.target)
        except OutputError as error:
            raise typer.BadParameter(str(error)) from error
