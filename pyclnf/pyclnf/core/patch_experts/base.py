"""What a set of patch experts of one scale offers to the fit, whatever its kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ...io import PatchFile
from ..arrays import frozen

MAP_PITCH = 16  # floats per response-map row, so that a row is a whole number of vectors
SUPPORT = 11  # px; every OpenFace expert looks at 11 x 11
LARGEST_WINDOW = 15

Float32Array = npt.NDArray[np.float32]
Fill: TypeAlias = Callable[[npt.NDArray[np.uint8], Float32Array, float, float, int, Float32Array, int], None]
"""Fills the maps of a view: grey, shape, scale times cosine and sine, window, maps, threads."""


class PatchExperts(ABC):
    """Patch experts of one scale: views, visibility, and response maps.

    Parameters
    ----------
    data : PatchFile
        Views and visibilities.
    confidence : array-like, shape (v, n)

    Attributes
    ----------
    scale : float
        Pixels per mm of the reference frame.
    centres : ndarray, shape (v, 3), float64
        View orientations in radians.
    visibility : ndarray, shape (v, n), uint8
        1 where a landmark is seen in a view.
    confidence : ndarray, shape (v, n), float32
        Weight of each expert, for weighted fits.

    Notes
    -----
    Experts do not change: arrays are read-only, and trackers and threads share them. Compiled banks are made when a
    view is first needed; of two threads that make the same one at once, one's is kept.
    """

    def __init__(self, data: PatchFile, confidence: npt.ArrayLike) -> None:
        self.scale = float(data.scale)
        self.centres: npt.NDArray[np.float64] = frozen(data.centres, np.float64)
        self.visibility: npt.NDArray[np.uint8] = frozen(data.visibility, np.uint8)
        self.confidence: Float32Array = frozen(confidence, np.float32)
        self._banks: dict[int, Fill] = {}

    @abstractmethod
    def _bank(self, view: int) -> Fill:
        """Make the experts of a view ready to compute."""

    def responses(
        self,
        grey: npt.NDArray[np.uint8],
        shape: Float32Array,
        to_image: Float32Array,
        window: int,
        view: int,
        out: Float32Array,
        threads: int = 1,
    ) -> None:
        """Fill the response maps of the landmarks visible in `view`.

        Parameters
        ----------
        grey : ndarray, shape (rows, cols), uint8
        shape : ndarray, shape (2n,), float32
            Landmarks in px, all x then all y; the maps are centred on them.
        to_image : ndarray, shape (2, 2), float32
            Similarity from the reference frame to the image.
        window : int
            Side of a map, odd, 3 to 15.
        view : int
        out : ndarray, shape (n, window, 16), float32
            Receives the maps in columns 0..window-1; maps of invisible landmarks are left as they are.
        threads : int
            Number of threads; the result does not depend on it.
        """
        fill = self._banks.get(view)
        if fill is None:
            fill = self._banks.setdefault(view, self._bank(view))
        fill(grey, shape, float(to_image[0, 0]), float(-to_image[0, 1]), window, out, threads)


def check_support(width: int, height: int, view: int, landmark: int) -> None:
    """Raise ValueError unless an expert looks at an area that the compiled banks know."""
    if (width, height) != (SUPPORT, SUPPORT):
        raise ValueError(
            f"landmark {landmark} in view {view} has an expert for {width} x {height} px, not {SUPPORT} x {SUPPORT}"
        )


def check_window(window: int) -> None:
    """Raise ValueError unless a response map of this side can be computed."""
    if not 3 <= window <= LARGEST_WINDOW or window % 2 == 0:
        raise ValueError(f"window must be odd and between 3 and {LARGEST_WINDOW}, got {window}")


def new_maps(n_points: int, window: int) -> Float32Array:
    """Response maps for `n_points` landmarks, all zero."""
    return np.zeros((n_points, window, MAP_PITCH), np.float32)
