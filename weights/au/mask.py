"""Triangles that cover the face: our own mask for the aligned face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from pyclnf.io import atomic_write
from pyfaceau.alignment.aligner import RAISE, RAISED_POINTS
from weights.landmarks.pdm import PARTED, ShapeModel, with_lip_gap


def face_triangles(pdm: Path) -> NDArray[np.int32]:
    """Delaunay triangles (t, 3) of the frontal mean shape, lips parted, brows and jaw ends raised over the forehead.

    The union is the convex hull: jaw, temples and forehead up to the raised brows, concavities included.
    """
    points = with_lip_gap(ShapeModel.from_file(pdm), PARTED).mean[:, :2].copy()
    points[RAISED_POINTS, 1] -= RAISE
    triangles = np.sort(Delaunay(points).simplices.astype(np.int32), axis=1)
    return triangles[np.lexsort(triangles.T[::-1])]


def write_triangles(path: Path, triangles: NDArray[np.int32]) -> None:
    """Write triangles in OpenFace's text form: count, 3, type, then one triangle a line."""
    lines = [str(len(triangles)), "3", "4", *(" ".join(map(str, row)) for row in triangles.tolist())]
    with atomic_write(path) as file:
        file.write(("\n".join(lines) + "\n").encode())
