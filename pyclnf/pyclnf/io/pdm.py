"""Point distribution models (`pdms/*.txt`): mean shape, modes and their variances."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .atomic import atomic_write
from .text import TextReader


@dataclass(frozen=True, eq=False)
class PDMFile:
    """Content of a PDM file.

    Attributes
    ----------
    mean : ndarray, shape (3n,), float32
        Mean shape in mm: all x, then all y, then all z.
    basis : ndarray, shape (3n, m), float32
        One mode of deformation a column, rows in the order of `mean`.
    eigenvalues : ndarray, shape (m,), float32
        Variance of each mode's parameter.
    """

    mean: npt.NDArray[np.float32]
    basis: npt.NDArray[np.float32]
    eigenvalues: npt.NDArray[np.float32]


def read_pdm(path: str | os.PathLike[str]) -> PDMFile:
    """Read a PDM of any number of points and modes.

    Parameters
    ----------
    path : path-like
        Text file in OpenFace's PDM format.

    Returns
    -------
    PDMFile

    Raises
    ------
    MissingModelError, ModelFileError
        No such file; or the three matrices do not fit together.
    """
    reader = TextReader(path)
    start = reader.offset
    mean = reader.matrix(np.float32, cols=1, what="the mean shape")
    if mean.size == 0 or mean.size % 3:
        raise reader.error(f"the mean shape has {mean.size} values, not three for each point", start)
    start = reader.offset
    basis = reader.matrix(np.float32, rows=mean.size, what="the basis")
    if basis.shape[1] == 0:
        raise reader.error("the basis has no modes", start)
    start = reader.offset
    eigenvalues = reader.matrix(np.float32, rows=1, cols=basis.shape[1], what="the eigenvalues")
    if not (eigenvalues > 0).all():
        raise reader.error("the eigenvalues are not all positive", start)
    reader.expect_end()
    return PDMFile(mean.reshape(-1), basis, eigenvalues.reshape(-1))


def write_pdm(path: str | os.PathLike[str], pdm: PDMFile) -> None:
    """Write a PDM as text that OpenFace's C++ and `read_pdm` read back to the same float32 values.

    Parameters
    ----------
    path : path-like
        Destination, replaced atomically.
    pdm : PDMFile
        What to write.
    """
    parts = (
        ("mean shape in mm: x, then y, then z", pdm.mean.reshape(-1, 1)),
        ("modes of deformation, one per column", pdm.basis),
        ("variance of each mode", pdm.eigenvalues.reshape(1, -1)),
    )
    with atomic_write(path, "w", encoding="ascii", newline="\n") as stream:
        for comment, matrix in parts:
            stream.write(f"# {comment}\n{matrix.shape[0]}\n{matrix.shape[1]}\n6\n")
            # 9 significant digits give back every float32. No line may begin with a blank: the C++
            # reader takes such a line for a comment.
            np.savetxt(stream, matrix, fmt="%.9g")
