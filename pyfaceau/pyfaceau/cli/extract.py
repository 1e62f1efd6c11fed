"""`pyfaceau extract`: analyse videos, one result file each."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import report_error

if TYPE_CHECKING:
    from ..pipeline import FullPythonAUPipeline
    from ..profiling import Profile

logger = logging.getLogger(__name__)


def extract(
    videos: Annotated[
        list[Path],
        typer.Argument(help="Video files or folders of images.", metavar="VIDEO...", show_default=False),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder, or a .csv or .parquet file for one video.", metavar="OUT"
        ),
    ],
    models: Annotated[
        str, typer.Option(help="auto, openface, open, or a folder with OpenFace's files.", metavar="MODELS")
    ] = "auto",
    landmarks: Annotated[
        str, typer.Option(help="auto, ceclm, clnf, or the path of a main_*.txt file.", metavar="LANDMARKS")
    ] = "auto",
    max_frames: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many frames of each video.", show_default=False)
    ] = None,
    include: Annotated[
        str,
        typer.Option(
            help="Columns: gaze, eye_landmarks, pose, landmarks, landmarks_3d, pdm, aus; separated by commas."
        ),
    ] = "pose,aus",
    format: Annotated[
        str, typer.Option(help="csv, parquet, or openface: all 714 columns in OpenFace's number formats.")
    ] = "csv",
    au_models: Annotated[str, typer.Option(help="dynamic, static or both.")] = "dynamic",
    max_faces: Annotated[int, typer.Option(min=1, help="Most faces to follow.")] = 1,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Threads of the landmark stage.", show_default="2 where there are"),
    ] = None,
    same_person: Annotated[
        bool, typer.Option("--same-person", help="All videos show one person: share the baseline.")
    ] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Print the time of each stage.")] = False,
    mtcnn_backend: Annotated[str, typer.Option(help="Backend of the face detector.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Write action units, head pose and landmarks of each VIDEO, one row a frame.

    A video that fails is named and the others go on; each result is written as soon as it is there.
    """
    if format not in ("csv", "parquet", "openface"):
        raise typer.BadParameter(f"--format must be csv, parquet or openface, got {format}")
    columns = "openface" if format == "openface" else tuple(part.strip() for part in include.split(","))
    targets = _targets(videos, output, ".parquet" if format == "parquet" else ".csv")
    pipeline = _pipeline(
        models=models,
        landmarks=landmarks,
        mtcnn_backend=mtcnn_backend,
        include=columns,
        au_models=au_models,
        max_faces=max_faces,
        threads=threads,
    )
    timing = _profile(pipeline) if profile else None
    failed, frames = False, 0
    jobs = [(videos, targets)] if same_person else [([v], [t]) for v, t in zip(videos, targets, strict=True)]
    for paths, files in jobs:
        try:
            tables = pipeline.process_videos(
                paths, files, max_frames, progress=not quiet, same_person=same_person
            )
        except Exception as error:
            failed = True
            if not report_error(error, paths[0]):
                logger.exception("%s: this should not have happened, please report it", paths[0])
            continue
        for table, file in zip(tables, files, strict=True):
            frames += len(table)
            typer.echo(f"{file}: {len(table)} frames, a face in {int(table['success'].sum())}")
    if timing is not None and frames:
        typer.echo(timing.table(frames))
    if failed:
        raise typer.Exit(1)


def _targets(videos: Sequence[Path], output: Path, suffix: str) -> list[Path]:
    """Decide, before any work, which file each video's result goes to."""
    from ..errors import OutputError
    from ..output import FORMATS, check_target

    if output.suffix.lower() in FORMATS and not output.is_dir():
        if len(videos) > 1:
            raise typer.BadParameter(f"{output} is one file; give a folder for {len(videos)} videos")
        targets = [output]
    else:
        targets = [output / (video.resolve().stem + suffix) for video in videos]
    for index, target in enumerate(targets):
        twin = targets.index(target)
        if twin < index:
            raise typer.BadParameter(f"{videos[twin]} and {videos[index]} would both be written to {target}")
    for target in targets:
        try:
            check_target(target)
        except OutputError as error:
            raise typer.BadParameter(str(error)) from error
    return targets


def _pipeline(**arguments: Any) -> FullPythonAUPipeline:
    from ..pipeline import FullPythonAUPipeline

    try:
        return FullPythonAUPipeline(**arguments)
    except ValueError as error:  # the constructor's way to refuse an argument
        raise typer.BadParameter(str(error)) from error


def _profile(pipeline: FullPythonAUPipeline) -> Profile:
    from ..profiling import Profile

    return Profile(pipeline)
