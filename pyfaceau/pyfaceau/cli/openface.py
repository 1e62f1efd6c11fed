"""`pyfaceau openface`: OpenFace's command line, answered with the same files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from .errors import report_error

if TYPE_CHECKING:
    import pandas as pd

    from pyclnf.pose import Camera

    from ..output import OutputNames, SharedSink, Sink
    from ..output.openface_csv import Dialect, Program
    from ..pipeline import FullPythonAUPipeline
    from .openface_options import Input, OpenFaceOptions

logger = logging.getLogger(__name__)

# OpenFace 2.2: FaceLandmarkVidMulti.cpp
_MOST_FACES = 4
# All of OpenFace's options begin with one dash; none of them may be taken apart into letters, as -h would.
OPENFACE_CONTEXT: dict[str, Any] = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": ["--help"],  # and -h, where it stands alone
}


def openface(
    context: typer.Context,
    models: Annotated[
        str, typer.Option(help="auto, openface, open, or a folder with OpenFace's files.", metavar="MODELS")
    ] = "auto",
    dialect: Annotated[
        str, typer.Option(help='What separates the values of a CSV: spaced (", ") or compact (",").')
    ] = "spaced",
    timestamps: Annotated[
        str,
        typer.Option(help="frames: frame / frame rate, as OpenFace writes; container: those of the video."),
    ] = "frames",
) -> None:
    """Understand a command line of OpenFace's FeatureExtraction, FaceLandmarkImg or FaceLandmarkVidMulti.

    Write what that program writes, under the same names: pyfaceau openface [PROGRAM] -f FILE... -out_dir DIR
    [-2Dfp -3Dfp -pdmparams -pose -aus -gaze -hogalign -simalign -tracked]; everything if nothing is named.
    Without PROGRAM, images (-f photo.jpg) are treated as by FaceLandmarkImg, and all else as by
    FeatureExtraction. Further options: -fdir -of -root -simscale -simsize -nomask -g -nobadaligned
    -format_aligned -oc -au_static -wild -multi_view -fx -fy -cx -cy -mloc -q.
    """
    from ..output.openface_csv import DIALECTS
    from .openface_options import OptionError, parse_options

    if "-h" in context.args:
        typer.echo(context.get_help())
        return
    chosen = next((name for name in DIALECTS if name == dialect), None)
    if chosen is None:
        raise typer.BadParameter(f"--dialect must be {' or '.join(DIALECTS)}, not {dialect!r}")
    try:
        options = parse_options(context.args)
    except OptionError as error:
        raise typer.BadParameter(str(error)) from error
    for warning in options.warnings:
        typer.echo(f"pyfaceau: warning: {warning}", err=True)
    pipelines: dict[Program, FullPythonAUPipeline] = {}
    failed = False
    for entry in options.inputs:
        if entry.program not in pipelines:
            pipelines[entry.program] = _pipeline(models, options, entry.program, timestamps)
        try:
            _run(pipelines[entry.program], options, entry, chosen)
        except Exception as error:
            failed = True
            if not report_error(error, entry.path):
                logger.exception("%s: this should not have happened, please report it", entry.path)
    if failed:
        raise typer.Exit(1)


def _pipeline(
    models: str, options: OpenFaceOptions, program: Program, timestamps: str
) -> FullPythonAUPipeline:
    from ..options import AnalysisOptions
    from ..pipeline import FullPythonAUPipeline

    multi = program == "FaceLandmarkVidMulti"
    try:
        asked = AnalysisOptions(
            models=models,
            landmarks=options.landmarks,
            include=options.groups,
            number_format="openface",
            timestamps=cast(Any, timestamps),  # checked there
            au_models="static" if options.au_static or multi else "dynamic",
            max_faces=_MOST_FACES if multi else 1,
            stable_ids=False,
            wild=options.wild,
            fx=options.fx,
            fy=options.fy,
            cx=options.cx,
            cy=options.cy,
        )
        pipeline = FullPythonAUPipeline.from_options(asked)
        if options.tracked and "gaze" not in options.groups and pipeline.engine.has_gaze:
            # The tracked video shows gaze whether or not the table does.
            asked = replace(asked, include=(*options.groups, "gaze"))
            pipeline = FullPythonAUPipeline.from_options(asked)
        return pipeline
    except ValueError as error:  # the constructor's way to refuse an argument
        raise typer.BadParameter(str(error)) from error


def _run(pipeline: FullPythonAUPipeline, options: OpenFaceOptions, entry: Input, dialect: Dialect) -> None:
    """Write all files of one input."""
    from pyclnf.pose import Camera

    from ..errors import ProcessingError
    from ..output import write_of_details, write_openface_csv
    from ..output.columns import group_columns

    names = _names(options, entry)
    fps, size = _probe(entry.path)
    camera = Camera.for_size(*size, fx=options.fx, fy=options.fy, cx=options.cx, cy=options.cy)
    sinks = _sinks(pipeline, options, entry, names, camera, fps)
    target = entry.folder / f"{entry.name}.csv"
    try:
        table = _ANALYSES[entry.program](pipeline, options, entry, sinks)
    except BaseException as error:
        for sink in sinks:
            sink.finish(complete=False)
        if isinstance(error, ProcessingError) and len(error.partial):
            partial = target.with_suffix(".partial.csv")
            write_openface_csv(error.partial, partial, entry.program, dialect=dialect)
        raise
    for sink in sinks:
        sink.finish()
    write_of_details(entry.folder / f"{entry.name}_of_details.txt", entry.path, camera, names, options.groups)
    if table.empty:
        typer.echo(f"pyfaceau: warning: {entry.path}: no face, no table", err=True)
        return
    if "gaze" not in options.groups:
        table = table.drop(columns=list(group_columns("gaze")), errors="ignore")
    write_openface_csv(table, target, entry.program, dialect=dialect)
    if not options.quiet:
        typer.echo(f"{target}: {len(table)} rows")


def _probe(path: Path) -> tuple[float, tuple[int, int]]:
    """Frame rate and size of an input; the tracked video and the guessed camera depend on them."""
    from ..video import DEFAULT_FPS, IMAGE_SUFFIXES, open_video, read_image

    if path.suffix.lower() in IMAGE_SUFFIXES:
        height, width = read_image(path).shape[:2]
        return DEFAULT_FPS, (width, height)
    with open_video(path, depth=1) as source:
        height, width = next(iter(source)).image.shape[:2]
        return source.fps, (width, height)


def _names(options: OpenFaceOptions, entry: Input) -> OutputNames:
    from ..output import OutputNames

    image = entry.program == "FaceLandmarkImg"
    return OutputNames(
        csv=f"{entry.name}.csv",
        hog=f"{entry.name}.hog" if options.hog else None,
        video=f"{entry.name}.avi" if options.tracked and not image else None,
        image=f"{entry.name}.jpg" if options.tracked and image else None,
        aligned=f"{entry.name}_aligned" if options.aligned else None,
    )


def _sinks(
    pipeline: FullPythonAUPipeline,
    options: OpenFaceOptions,
    entry: Input,
    names: OutputNames,
    camera: Camera,
    fps: float,
) -> list[SharedSink]:
    from ..output import (
        AlignedFaceSink,
        HogSink,
        SharedSink,
        TrackedImageSink,
        TrackedVideoSink,
        aligner_for,
    )

    sinks: list[Sink] = []
    if names.hog is not None:
        sinks.append(HogSink(entry.folder / names.hog))
    if names.aligned is not None:
        aligner = aligner_for(
            pipeline.models.au_dynamic,
            size=options.sim_size,
            scale=options.sim_scale,
            mask=options.mask,
            grey=options.grey,
        )
        sinks.append(
            AlignedFaceSink(
                entry.folder / names.aligned,
                aligner,
                image_format=options.aligned_format,
                bad_aligned=options.bad_aligned,
                sequence=entry.program != "FaceLandmarkImg",
            )
        )
    if names.video is not None:
        sinks.append(TrackedVideoSink(entry.folder / names.video, fps, camera, codec=options.codec))
    if names.image is not None:
        sinks.append(TrackedImageSink(entry.folder / names.image, camera))
    return [SharedSink(sink) for sink in sinks]


def _sequence(
    pipeline: FullPythonAUPipeline, options: OpenFaceOptions, entry: Input, sinks: Sequence[SharedSink]
) -> pd.DataFrame:
    return pipeline.process_video(entry.path, progress=not options.quiet, sinks=sinks)


def _several_faces(
    pipeline: FullPythonAUPipeline, options: OpenFaceOptions, entry: Input, sinks: Sequence[SharedSink]
) -> pd.DataFrame:
    """Analyse every frame like a single image, as FaceLandmarkVidMulti does."""
    from ..video import open_video

    with open_video(entry.path) as source, pipeline.run(mode="images", sinks=sinks) as run:
        run.analyse(source, progress=not options.quiet)
        return run.finish()


def _image(
    pipeline: FullPythonAUPipeline, options: OpenFaceOptions, entry: Input, sinks: Sequence[SharedSink]
) -> pd.DataFrame:
    """Analyse a single image: every face, static action units, no final pass."""
    from ..output import image_table
    from ..video import read_image

    pixels = read_image(entry.path)
    faces = pipeline.process_image(pixels, multi_view=options.multi_view)
    for face in faces:
        for sink in sinks:
            sink.write(face, pixels)
    return image_table(faces, pipeline.engine.available(pipeline.include), "openface")


_ANALYSES = {
    "FeatureExtraction": _sequence,
    "FaceLandmarkImg": _image,
    "FaceLandmarkVidMulti": _several_faces,
}
