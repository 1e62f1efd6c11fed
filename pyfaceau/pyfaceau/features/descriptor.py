"""Descriptor of one frame: FHOG of the aligned face and geometry of the fitted shape."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pyfhog import extract_fhog

# OpenFace 2.2: cells of 8 px on a 112 px face, outer ring dropped, 31 values per cell.
CELL_SIZE = 8
HOG_SHAPE = (12, 12, 31)
HOG_SIZE = 12 * 12 * 31


class DeformableModel(Protocol):
    """What the geometry descriptor needs of a point distribution model."""

    @property
    def basis(self) -> NDArray[np.float32]:
        """Modes of deformation (3n, m)."""


class FrameDescriptor:
    """Computes the feature vector of the action-unit models.

    The vector is ``[HOG (4464), deformation (3n), shape parameters (m)]``, float64; the deformation is
    ``basis @ params_local`` without mean shape, rotation or scale.

    Parameters
    ----------
    pdm : PDM
        Model whose `basis` turns shape parameters into a deformation.
    """

    def __init__(self, pdm: DeformableModel) -> None:
        self._basis = np.ascontiguousarray(pdm.basis, np.float64)
        self.geometry_size = sum(self._basis.shape)
        self.size = HOG_SIZE + self.geometry_size

    def hog(self, aligned_face: NDArray[np.uint8]) -> NDArray[np.float32]:
        """FHOG of an aligned face.

        Parameters
        ----------
        aligned_face : ndarray of shape (112, 112, 3), uint8
            Blue, green, red.

        Returns
        -------
        ndarray of shape (12, 12, 31), float32
        """
        return extract_fhog(aligned_face, CELL_SIZE)

    def compute(self, hog: NDArray[np.float32], params_local: NDArray[np.float32]) -> NDArray[np.float64]:
        """Feature vector of a frame.

        Parameters
        ----------
        hog : ndarray of shape (12, 12, 31), float32
            From `hog`.
        params_local : ndarray of shape (m,), float32
            Shape parameters fitted to the landmarks, not clamped.

        Returns
        -------
        ndarray of shape (4464 + 3n + m,), float64
        """
        vector = np.empty(self.size)
        vector[:HOG_SIZE] = hog.reshape(-1)
        parameters = vector[HOG_SIZE + self._basis.shape[0] :]
        parameters[:] = params_local
        np.dot(self._basis, parameters, out=vector[HOG_SIZE : HOG_SIZE + self._basis.shape[0]])
        return vector
