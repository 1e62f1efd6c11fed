"""`pyfaceau extract`: analyse videos and photographs, one result file each."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .common_options import (
    AUModels,
    Columns,
    Detector,
    Every,
    Landmarks,
    MaxFaces,
    MaxFrames,
    Models,
    Quiet,
    Rotate,
    Timestamps,
    Wild,
    analysis_options,
    rotation_argument,
    table_format,
)
from .errors import report_error
from .pictures import Pictures
from .quiet import be_quiet

if TYPE_CHECKING:
    import pandas as pd

    from ..options import AnalysisOptions
    from ..pipeline import FullPythonAUPipeline
    from ..profiling import Profile
    from .jobs import Job

logger = logging.getLogger(__name__)


def extract(
    videos: Annotated[
        list[Path],
        typer.Argument(
            help="Videos, photographs, folders of numbered images, folders of videos or photographs.",
            metavar="INPUT...",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder, or a .csv or .parquet file for one input.", metavar="OUT"
        ),
    ],
    models: Models = "auto",
    landmarks: Landmarks = "auto",
    max_frames: MaxFrames = None,
    every: Every = 1,
    include: Columns = None,
    format: Annotated[
        str | None,
        typer.Option(
            help="csv, parquet, or openface, which programs that read OpenFace's files need: a CSV in OpenFace's "
            'number formats, with its 714 columns unless --include names some. Values are separated by ", " as '
            'OpenFace for Windows does, by "," with openface-compact.',
            show_default="that of the output's name, else csv",
        ),
    ] = None,
    au_models: AUModels = "dynamic",
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            "--neutral",
            help="The person at rest: another video of the same person, or frames of each video as FIRST:LAST.",
            metavar="FILE|FIRST:LAST",
            show_default="learnt from each video",
        ),
    ] = None,
    max_faces: MaxFaces = 1,
    images_as: Annotated[
        str, typer.Option("--as", help="What the images of a folder are: sequence or photos.", metavar="KIND")
    ] = "auto",
    rotate: Rotate = "auto",
    timestamps: Timestamps = None,
    wild: Wild = False,
    fx: Annotated[
        float | None, typer.Option(help="Camera: focal length, px.", show_default="guessed")
    ] = None,
    fy: Annotated[
        float | None, typer.Option(help="Camera: focal length, px.", show_default="guessed")
    ] = None,
    cx: Annotated[
        float | None, typer.Option(help="Camera: optical centre, px.", show_default="middle")
    ] = None,
    cy: Annotated[
        float | None, typer.Option(help="Camera: optical centre, px.", show_default="middle")
    ] = None,
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
    force: Annotated[
        bool,
        typer.Option("--force", help="Write results anew that are there already; else they are skipped."),
    ] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Print the time of each stage.")] = False,
    detector: Detector = "mtcnn",
    quiet: Quiet = False,
) -> None:
    """Write action units, head pose and landmarks of each INPUT: one row a frame, or one row a face of photographs.

    A folder of videos stands for all videos in it, and its results keep its tree. Photographs share one table. An
    input that fails is named and the others go on; each result is written as soon as it is there.
    """
    from .jobs import baseline_argument, plan_jobs

    be_quiet(quiet)
    turn = rotation_argument(rotate)
    options = analysis_options(
        format=table_format(output, format),
        include=include,
        timestamps=timestamps,
        models=models,
        landmarks=landmarks,
        detector=detector,
        au_models=au_models,
        max_faces=max_faces,
        threads=threads,
        wild=wild,
        fx=fx,
        fy=fy,
        cx=cx,
        cy=cy,
        every=every,
    )
    plan = plan_jobs(videos, output, format=format, images_as=images_as, same_person=same_person, force=force)
    for target in plan.skipped:
        typer.echo(f"{target} is there already, skipped (--force writes it anew)")
    if not plan.jobs:
        return
    pipeline = _pipeline(options)
    pictures = Pictures(overlay=overlay, plot=plot)
    timing = _profile(pipeline) if profile else None
    work = _Work(
        pipeline,
        pictures,
        progress=not quiet,
        max_frames=max_frames,
        rotate=turn,
        as_asked=images_as != "auto",
    )
    work.set_baseline(baseline_argument(baseline))
    sequences = [job for job in plan.jobs if job.input.kind != "photos"]
    for group in [sequences] if same_person and sequences else [[job] for job in sequences]:
        work.sequences(group, same_person)
    for job in plan.jobs:
        if job.input.kind == "photos":
            work.photographs(job)
    if timing is not None and work.frames:
        typer.echo(timing.table(work.frames))
    if work.failed:
        raise typer.Exit(1)


class _Work:
    """Does the jobs, and goes on when one fails."""

    def __init__(
        self,
        pipeline: FullPythonAUPipeline,
        pictures: Pictures,
        *,
        progress: bool,
        max_frames: int | None,
        rotate: Any,
        as_asked: bool,
    ) -> None:
        self._pipeline = pipeline
        self._pictures = pictures
        self._progress = progress
        self._max_frames = max_frames
        self._rotate = rotate
        self._as_asked = as_asked
        self._baseline: Any = None
        self.failed = False
        self.frames = 0
        logger.debug("%s", pipeline.models.choice)
        logger.debug("landmarks: %s; action units: %s", pipeline.models.landmarks, pipeline.models.au_dynamic)

    def set_baseline(self, baseline: Path | tuple[int, int] | None) -> None:
        """Take the person at rest; a recording is analysed once, for all videos."""
        if isinstance(baseline, Path):
            if self._pipeline.options.max_faces > 1:
                raise typer.BadParameter(
                    "--baseline with a recording needs --max-faces 1: it shows one person"
                )
            baseline = self._pipeline.baseline_of(baseline, self._progress, rotate=self._rotate)  # type: ignore[assignment]
        elif baseline is not None and not 1 <= baseline[0] <= baseline[1]:
            raise typer.BadParameter(f"--baseline {baseline[0]}:{baseline[1]}: frames are FIRST:LAST, from 1")
        self._baseline = baseline

    def sequences(self, jobs: Sequence[Job], same_person: bool) -> None:
        """Analyse videos and folders of numbered images, one run for all or each alone."""
        for job in jobs:
            self._remark(job)
        files = [job.target for job in jobs]
        try:
            with warnings.catch_warnings():
                if self._as_asked or any(job.input.remark for job in jobs):
                    _ignore_doubts()  # about what has been asked for, or has been said
                tables = self._pipeline.process_videos(
                    [job.input.path for job in jobs],
                    files,
                    self._max_frames,
                    progress=self._progress,
                    same_person=same_person,
                    baseline=self._baseline,
                    rotate=self._rotate,
                    sinks=self._pictures.sinks(),
                )
        except Exception as error:
            self._fail(error, jobs[0].input.path)
            return
        for table, job in zip(tables, jobs, strict=True):
            seen, with_face = _count_frames(table)
            self.frames += seen
            typer.echo(f"{job.target}: {seen} frames, a face in {with_face}")
            if with_face == 0:
                turned = " or turned" if self._rotate == "auto" else "; --rotate auto looks for turned ones"
                typer.echo(f"pyfaceau: warning: {job.input.path}: no face, upright{turned}", err=True)
        paths = [job.input.path for job in jobs]
        self._pictures.write(paths, tables, files, progress=self._progress)

    def photographs(self, job: Job) -> None:
        """Analyse photographs."""
        self._remark(job)
        try:
            table = self._pipeline.process_images(job.input.photos, job.target, self._progress)
        except Exception as error:
            self._fail(error, job.input.path)
            return
        self.failed = self.failed or bool(table.attrs["failed"])
        count = len(job.input.photos)
        without = table.attrs["without_face"]
        none = f"; no face in {', '.join(without[:3])}" if without else ""
        more = f" and {len(without) - 3} more" if len(without) > 3 else ""
        typer.echo(
            f"{job.target}: {count} photograph{'s'[: count > 1]}, {len(table)} face{'s'[: len(table) != 1]}{none}{more}"
        )

    def _remark(self, job: Job) -> None:
        logger.debug("%s: %s, to %s", job.input.path, job.input.kind, job.target)
        if job.input.remark and self._progress:
            typer.echo(f"pyfaceau: {job.input.remark}", err=True)

    def _fail(self, error: Exception, path: Path) -> None:
        self.failed = True
        if not report_error(error, path):
            logger.exception("%s: this should not have happened, please report it", path)


def _ignore_doubts() -> None:
    from ..errors import InputWarning

    warnings.simplefilter("ignore", InputWarning)


def _count_frames(table: pd.DataFrame) -> tuple[int, int]:
    """Count frames, and frames with a face; with several faces a frame has several rows, or none."""
    with_face = int(table.loc[table["success"] == 1, "frame"].nunique())
    last = int(table["frame"].max()) if len(table) else 0
    return max((last - 1) // table.attrs["options"]["every"] + 1, with_face), with_face


def _pipeline(options: AnalysisOptions) -> FullPythonAUPipeline:
    from ..pipeline import FullPythonAUPipeline

    try:
        return FullPythonAUPipeline.from_options(options)
    except ValueError as error:  # the constructor's way to refuse an argument
        raise typer.BadParameter(str(error)) from error


def _profile(pipeline: FullPythonAUPipeline) -> Profile:
    from ..profiling import Profile

    return Profile(pipeline)
