"""`pyfaceau extract`: analyse videos, one result file each."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .errors import report_error

if TYPE_CHECKING:
    from ..pipeline import FullPythonAUPipeline

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
        str, typer.Option(help="ceclm, clnf, or the path of a main_*.txt file.", metavar="LANDMARKS")
    ] = "ceclm",
    max_frames: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many frames of each video.", show_default=False)
    ] = None,
    include: Annotated[
        str, typer.Option(help="Columns to write: pose, landmarks, aus; separated by commas.")
    ] = "pose,aus",
    format: Annotated[str, typer.Option(help="csv or parquet, where OUT is a folder.")] = "csv",
    mtcnn_backend: Annotated[str, typer.Option(help="Backend of the face detector.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Write action units, head pose and landmarks of each VIDEO, one row a frame.

    A video that fails is named and the others go on; each result is written as soon as it is there.
    """
    targets = _targets(videos, output, f".{format}")
    pipeline = _pipeline(models, landmarks, mtcnn_backend, [part.strip() for part in include.split(",")])
    failed = False
    for video, target in zip(videos, targets, strict=True):
        try:
            table = pipeline.process_video(video, target, max_frames=max_frames, progress=not quiet)
        except Exception as error:
            failed = True
            if not report_error(error, video):
                logger.exception("%s: this should not have happened, please report it", video)
        else:
            typer.echo(f"{target}: {len(table)} frames, a face in {int(table['success'].sum())}")
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


def _pipeline(models: str, landmarks: str, backend: str, include: list[str]) -> FullPythonAUPipeline:
    from ..pipeline import FullPythonAUPipeline

    try:
        return FullPythonAUPipeline(
            models=models, landmarks=landmarks, mtcnn_backend=backend, include=tuple(include)
        )
    except ValueError as error:  # the constructor's way to refuse an argument
        raise typer.BadParameter(str(error)) from error
