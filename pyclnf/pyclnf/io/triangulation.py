"""Triangulations of the landmarks, for the face mask and for drawing."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from .text import TextReader


def _read_triangles(reader: TextReader) -> npt.NDArray[Any]:
    start = reader.offset
    triangles = reader.matrix(np.int32, cols=3, what="the triangles")
    if (triangles < 0).any():
        raise reader.error("a triangle has a negative landmark index", start)
    return triangles


def read_triangulation(path: str | os.PathLike[str]) -> npt.NDArray[np.int32]:
    """Read a single triangulation (`tris_68_full.txt`).

    Parameters
    ----------
    path : path-like
        Text file.

    Returns
    -------
    ndarray, shape (t, 3), int32
        Landmark indices of each triangle.

    Raises
    ------
    MissingModelError, ModelFileError
        No such file; or it is malformed.
    """
    reader = TextReader(path)
    triangles = _read_triangles(reader)
    reader.expect_end()
    return triangles


def read_view_triangulations(path: str | os.PathLike[str]) -> tuple[npt.NDArray[np.int32], ...]:
    """Read one triangulation for each view (`tris_68.txt`).

    Parameters
    ----------
    path : path-like
        Text file.

    Returns
    -------
    tuple of ndarray, shape (t, 3), int32
        Landmark indices of each triangle, by view.

    Raises
    ------
    MissingModelError, ModelFileError
        No such file; or it is malformed.
    """
    reader = TextReader(path)
    views = tuple(_read_triangles(reader) for _ in range(reader.count("triangulations", 3, minimum=1)))
    reader.expect_end()
    return views
