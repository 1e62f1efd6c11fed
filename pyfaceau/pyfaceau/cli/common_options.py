"""Options that several commands have, and what becomes of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

if TYPE_CHECKING:
    from ..options import AnalysisOptions
    from ..rotation import Rotation

# Formats that can be asked for, with the ending of their files.
FORMAT_SUFFIXES = {"csv": ".csv", "parquet": ".parquet", "openface": ".csv", "openface-compact": ".csv"}
LIKE_OPENFACE = ("openface", "openface-compact")
# People read a CSV as it is, so it is narrow. Parquet is read by programs: it has all that `report` draws.
_COLUMNS = ("pose", "aus")
_PARQUET_COLUMNS = ("gaze", "pose", "landmarks", "aus")

Models: TypeAlias = Annotated[
    str, typer.Option(help="auto, openface, open, or a folder with OpenFace's files.", metavar="MODELS")
]
Landmarks: TypeAlias = Annotated[
    str, typer.Option(help="auto, ceclm, clnf, or the path of a main_*.txt file.", metavar="LANDMARKS")
]
Detector: TypeAlias = Annotated[
    str,
    typer.Option(
        "--detector",
        "--mtcnn-backend",
        help="mtcnn, an engine of it (`pymtcnn backends` lists them), haar, or yunet:PATH.",
    ),
]
Columns: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Columns: gaze, eye_landmarks, pose, landmarks, landmarks_3d, pdm, aus; separated by commas.",
        show_default="pose,aus; in Parquet gaze,pose,landmarks,aus; all with --format openface",
    ),
]
AUModels: TypeAlias = Annotated[
    str, typer.Option(help="dynamic, static or both; photographs have static ones in any case.")
]
MaxFaces: TypeAlias = Annotated[int, typer.Option(min=1, help="Most faces to follow.")]
MaxFrames: TypeAlias = Annotated[
    int | None, typer.Option(min=1, help="Stop after so many frames of each video.", show_default=False)
]
Every: TypeAlias = Annotated[int, typer.Option(min=1, help="Take each n-th frame only.")]
Rotate: TypeAlias = Annotated[
    str,
    typer.Option(help="Turn videos clockwise: 0, 90, 180, 270, or auto, if no face is upright as they are."),
]
Timestamps: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="container: those of the video; frames: frame / frame rate.",
        show_default="container; frames with --format openface",
    ),
]
Wild: TypeAlias = Annotated[
    bool, typer.Option("--wild", help="OpenFace's settings for difficult images; slower.")
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no warnings.")]


def analysis_options(
    *, format: str | None, include: str | None, timestamps: str | None, **others: Any
) -> AnalysisOptions:
    """Make what an analysis is asked for of what the command line says.

    Parameters
    ----------
    format : str, optional
        One of `FORMAT_SUFFIXES`. OpenFace's come with its columns and time stamps where no others are asked for,
        Parquet with gaze and landmarks.
    include, timestamps : str, optional
        As given; None where not.
    **others
        Of `AnalysisOptions`, as they are.

    Returns
    -------
    AnalysisOptions

    Raises
    ------
    typer.BadParameter
        A value is none of those that it can have.
    """
    from ..options import AnalysisOptions

    if format not in (None, *FORMAT_SUFFIXES):
        raise typer.BadParameter(f"--format must be {', '.join(FORMAT_SUFFIXES)}, got {format}")
    like_openface = format in LIKE_OPENFACE
    columns: Any = "openface" if like_openface else _PARQUET_COLUMNS if format == "parquet" else _COLUMNS
    if include is not None:
        columns = tuple(part.strip() for part in include.split(","))
    try:
        return AnalysisOptions(
            include=columns,
            number_format=format if like_openface else "plain",  # type: ignore[arg-type]
            timestamps=timestamps or ("frames" if like_openface else "container"),  # type: ignore[arg-type]
            **others,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def table_format(output: Path, format: str | None) -> str:
    """Name the format of the results: as asked for, else that of the output's name."""
    if format is not None:
        return format
    return "parquet" if output.suffix.lower() == ".parquet" and not output.is_dir() else "csv"


def rotation_argument(text: str) -> Rotation:
    """Read ``--rotate``.

    Parameters
    ----------
    text : str

    Returns
    -------
    {"auto", 0, 90, 180, 270}

    Raises
    ------
    typer.BadParameter
        It is none of these.
    """
    from ..rotation import check_rotation

    wanted: Any = int(text) if re.fullmatch(r"\d+", text) else text
    try:
        check_rotation(wanted)
    except ValueError as error:
        raise typer.BadParameter(f"--{error}") from error
    turn: Rotation = wanted
    return turn
