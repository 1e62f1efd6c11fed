"""OpenFace's ``<name>_of_details.txt``: what went in and which files came out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pyclnf.io import atomic_write
from pyclnf.pose import Camera

from .columns import check_groups

# The order of the reference's last lines, which differs from that of its columns.
_GROUP_LABELS = (
    ("Gaze", "gaze"),
    ("AUs", "aus"),
    ("Landmarks 2D", "landmarks"),
    ("Landmarks 3D", "landmarks_3d"),
    ("Pose", "pose"),
    ("Shape parameters", "pdm"),
)


@dataclass(frozen=True)
class OutputNames:
    """Names, relative to the output folder, of the files of one input; None for what is not written.

    Attributes
    ----------
    csv, hog, video, image, aligned : str or None
        Table, descriptors, tracked video or image, folder of aligned faces.
    """

    csv: str | None = None
    hog: str | None = None
    video: str | None = None
    image: str | None = None
    aligned: str | None = None


def write_of_details(
    path: str | os.PathLike[str],
    source: str | os.PathLike[str],
    camera: Camera,
    outputs: OutputNames,
    columns: Iterable[str],
) -> None:
    """Write the meta file of one input.

    Parameters
    ----------
    path : path-like
        OpenFace's is ``<name>_of_details.txt``.
    source : path-like
        The input, as the user named it.
    camera : Camera
    outputs : OutputNames
    columns : iterable of str, or "openface"
        Groups of columns in the CSV.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    groups = check_groups(columns)
    intrinsics = ",".join(f"{value:g}" for value in (camera.fx, camera.fy, camera.cx, camera.cy))
    lines = [
        f"Input:{os.fspath(source)}",
        f"Input full path:{Path(source).resolve()}",
        f"Camera parameters:{intrinsics}",
    ]
    named = (
        ("Output HOG", outputs.hog),
        ("Output video", outputs.video),
        ("Output image", outputs.image),
        ("Output aligned directory", outputs.aligned),
        ("Output csv", outputs.csv),
    )
    lines += [f"{label}:{name}" for label, name in named if name is not None]
    lines += [f"{label}: {int(group in groups)}" for label, group in _GROUP_LABELS]
    with atomic_write(path, "w", encoding="utf-8", newline="\n") as stream:
        stream.write("\n".join(lines) + "\n")
