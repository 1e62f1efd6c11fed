"""`pyfaceau extract`: analyse videos, one result file each."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import report_error
from .pictures import Pictures
from .quiet import be_quiet

if TYPE_CHECKING:
    import pandas as pd

    from ..pipeline import FullPythonAUPipeline
    from ..profiling import Profile

logger = logging.getLogger(__name__)

_FORMATS = {"csv": ".csv", "parquet": ".parquet", "openface": ".csv"}
_OTHER_TABLES = (".xlsx", ".xls", ".tsv", ".txt", ".json", ".ods", ".feather")  # not names of folders


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
        str | None,
        typer.Option(
            help="Columns: gaze, eye_landmarks, pose, landmarks, landmarks_3d, pdm, aus; separated by commas.",
            show_default="pose,aus; all with --format openface",
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            help="csv, parquet, or openface: a CSV in OpenFace's number formats, with its 714 columns unless "
            "--include names some.",
            show_default="that of the output's name, else csv",
        ),
    ] = None,
    au_models: Annotated[str, typer.Option(help="dynamic, static or both.")] = "dynamic",
    max_faces: Annotated[int, typer.Option(min=1, help="Most faces to follow.")] = 1,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Threads of the landmark stage.", show_default="2 where there are"),
    ] = None,
    same_person: Annotated[
        bool, typer.Option("--same-person", help="All videos show one person: share the baseline.")
    ] = False,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Write NAME_overlay.mp4 too: the table's values over the video.")
    ] = False,
    plot: Annotated[
        bool, typer.Option("--plot", help="Write NAME_plot.png too: timelines of the action units.")
    ] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Print the time of each stage.")] = False,
    detector: Annotated[
        str,
        typer.Option(
            "--detector",
            "--mtcnn-backend",
            help="mtcnn, an engine of it (`pymtcnn backends` lists them), haar, or yunet:PATH.",
        ),
    ] = "mtcnn",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no warnings.")] = False,
) -> None:
    """Write action units, head pose and landmarks of each VIDEO, one row a frame.

    A video that fails is named and the others go on; each result is written as soon as it is there.
    """
    be_quiet(quiet)
    if format not in (None, *_FORMATS):
        raise typer.BadParameter(f"--format must be {', '.join(_FORMATS)}, got {format}")
    targets = _targets(videos, output, format)
    columns: Any = None if include is None else tuple(part.strip() for part in include.split(","))
    if columns is None and format == "openface":
        columns = "openface"
    pipeline = _pipeline(
        models=models,
        landmarks=landmarks,
        detector=detector,
        include=("pose", "aus") if columns is None else columns,
        number_format="openface" if format == "openface" else "plain",
        au_models=au_models,
        max_faces=max_faces,
        threads=threads,
    )
    pictures = Pictures(overlay=overlay, plot=plot)
    timing = _profile(pipeline) if profile else None
    failed, frames = False, 0
    jobs = [(videos, targets)] if same_person else [([v], [t]) for v, t in zip(videos, targets, strict=True)]
    for paths, files in jobs:
        try:
            tables = pipeline.process_videos(
                paths,
                files,
                max_frames,
                progress=not quiet,
                same_person=same_person,
                sinks=pictures.sinks(),
            )
        except Exception as error:
            failed = True
            if not report_error(error, paths[0]):
                logger.exception("%s: this should not have happened, please report it", paths[0])
            continue
        for table, file in zip(tables, files, strict=True):
            seen, with_face = _count_frames(table)
            frames += seen
            typer.echo(f"{file}: {seen} frames, a face in {with_face}")
        pictures.write(paths, tables, files, progress=not quiet)
    if timing is not None and frames:
        typer.echo(timing.table(frames))
    if failed:
        raise typer.Exit(1)


def _count_frames(table: pd.DataFrame) -> tuple[int, int]:
    """Count frames, and frames with a face; with several faces a frame has several rows, or none."""
    with_face = int(table.loc[table["success"] == 1, "frame"].nunique())
    return max(int(table["frame"].max()) if len(table) else 0, with_face), with_face


def _targets(videos: Sequence[Path], output: Path, format: str | None) -> list[Path]:
    """Decide, before any work, which file each video's result goes to."""
    from ..errors import OutputError
    from ..output import FORMATS, check_target

    suffix = _FORMATS.get(format or "csv", ".csv")
    named = output.suffix.lower()
    if format is not None and named in FORMATS and named != suffix and not output.is_dir():
        raise typer.BadParameter(f"--format {format} writes {suffix} files, but the output is {output}")
    if named in _OTHER_TABLES and not output.is_dir():
        raise typer.BadParameter(f"{output}: results are written as {' or '.join(FORMATS)}")
    if named in FORMATS and not output.is_dir():
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
    from ..options import AnalysisOptions
    from ..pipeline import FullPythonAUPipeline

    try:
        return FullPythonAUPipeline.from_options(AnalysisOptions(**arguments))
    except ValueError as error:  # the constructor's way to refuse an argument
        raise typer.BadParameter(str(error)) from error


def _profile(pipeline: FullPythonAUPipeline) -> Profile:
    from ..profiling import Profile

    return Profile(pipeline)
