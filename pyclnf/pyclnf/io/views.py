"""What files of CCNF, CEN and SVR experts share: patch scale, view centres and landmark visibilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .binary import BinaryReader, BinaryWriter
from .text import TextReader

_DEGREE_DECIMALS = 10
# Least size of a view: centre and visibility header, in bytes of a binary file, in words of a text.
_VIEW_BYTES = 12 + 24 + 12
_VIEW_WORDS = 9


@dataclass(frozen=True, eq=False)
class PatchFile:
    """What a file of patch experts begins with, and the base of what each kind of file holds.

    Attributes
    ----------
    scale : float
        Patch scale: interocular-normalised size at which the experts look at the face.
    centres : ndarray, shape (v, 3), float64
        Orientation of each view in radians (pitch, yaw, roll).
    visibility : ndarray, shape (v, n), bool
        Landmarks visible in each view.
    """

    scale: float
    centres: npt.NDArray[np.float64]
    visibility: npt.NDArray[np.bool_]


def read_head(reader: BinaryReader | TextReader) -> PatchFile:
    """Read what a file of patch experts begins with."""
    scale = _read_scale(reader)
    least = _VIEW_WORDS if isinstance(reader, TextReader) else _VIEW_BYTES
    n_views = reader.count("views", least, minimum=1)
    return PatchFile(scale, read_centres(reader, n_views), _read_visibility(reader, n_views))


def _read_scale(reader: BinaryReader | TextReader) -> float:
    """Read the patch scale, a positive number."""
    start = reader.offset
    scale = reader.f64("the patch scale")
    if scale <= 0:
        raise reader.error(f"the patch scale is {scale}, expected a positive number", start)
    return scale


def read_centres(reader: BinaryReader | TextReader, n_views: int) -> npt.NDArray[np.float64]:
    """Read `n_views` orientations stored in degrees as (v, 3) radians: pitch, yaw, roll."""
    centres = np.empty((n_views, 3), np.float64)
    for view in range(n_views):
        start = reader.offset
        centre = reader.matrix(np.float64, what=f"the centre of view {view}")
        if centre.size != 3 or not np.isfinite(centre).all():
            raise reader.error(f"the centre of view {view} is not three finite angles", start)
        centres[view] = centre.reshape(3)
    return centres * (np.pi / 180)


def _read_visibility(reader: BinaryReader | TextReader, n_views: int) -> npt.NDArray[np.bool_]:
    """Read which landmark is visible in which view, (v, n)."""
    rows: list[npt.NDArray[Any]] = []
    for view in range(n_views):
        start = reader.offset
        row = reader.matrix(np.int32, cols=1, what=f"the visibilities of view {view}").reshape(-1)
        if row.size == 0 or (rows and row.size != rows[0].size):
            raise reader.error(f"view {view} has visibilities of {row.size} landmarks", start)
        rows.append(row)
    return np.stack(rows).astype(np.bool_)


def write_centres(writer: BinaryWriter, centres: npt.NDArray[np.float64]) -> None:
    """Write (v, 3) radians as degrees, without the last digits' noise of the conversion."""
    for centre in np.round(np.rad2deg(centres), _DEGREE_DECIMALS):
        writer.matrix(centre.reshape(3, 1), np.float64)
