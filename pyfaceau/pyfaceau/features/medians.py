"""Running median of the whole feature vector: what the face looks like at rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyfaceau.features.descriptor import HOG_SIZE
from pyfaceau.features.running_median import RunningMedian

# OpenFace 2.2: FaceAnalyser::AddNextFrame. Bins, lowest and highest value.
HOG_HISTOGRAM = (1000, -0.005, 1.0)
GEOMETRY_HISTOGRAM = (10000, -60.0, 60.0)
UPDATE_EVERY = 2  # frames; the first, third, fifth, ... frame counts


class DescriptorMedian:
    """Running median of HOG and geometry over the frames of a sequence.

    Only every other frame counts, and only frames with a face enter the histograms; OpenFace's behaviour
    before the second such frame is kept (see Notes).

    Parameters
    ----------
    geometry_size : int
        Length of the geometry part of the feature vector.

    Attributes
    ----------
    median : ndarray of shape (4464 + geometry_size,), float64
        Current median, a new array after each change.

    Notes
    -----
    While no face has been counted, the geometry median is the centre of the lowest bin (-59.994) and the
    HOG median 0. While one face has been counted, each counted frame without a face replaces the median by
    zeros.
    """

    def __init__(self, geometry_size: int) -> None:
        self._hog = RunningMedian(HOG_SIZE, *HOG_HISTOGRAM, floor=0.0)
        self._geometry = RunningMedian(geometry_size, *GEOMETRY_HISTOGRAM)
        self._frames = 0
        self.median = np.zeros(HOG_SIZE + geometry_size)

    def update(self, descriptor: NDArray[np.float64], success: bool) -> bool:
        """Take in the next frame.

        Parameters
        ----------
        descriptor : ndarray of shape (4464 + geometry_size,), float64
            Feature vector of the frame; zeros if it has no face.
        success : bool
            Whether the frame has a face.

        Returns
        -------
        bool
            Whether the median was refreshed.
        """
        self._frames += 1
        if self._frames % UPDATE_EVERY != 1:
            return False
        self._hog.update(descriptor[:HOG_SIZE], success)
        self._geometry.update(descriptor[HOG_SIZE:], success)
        self.median = np.concatenate([self._hog.median, self._geometry.median])
        return True

    def reset(self) -> None:
        """Forget everything."""
        self._hog.reset()
        self._geometry.reset()
        self._frames = 0
        self.median = np.zeros_like(self.median)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Copy all that is needed to go on later, as plain arrays."""
        state: dict[str, NDArray[np.generic]] = {"frames": np.array(self._frames, np.int64)}
        state |= {f"hog.{name}": array for name, array in self._hog.state().items()}
        state |= {f"geometry.{name}": array for name, array in self._geometry.state().items()}
        state["median"] = self.median.copy()
        return state

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        """Go on from what `state` returned.

        Parameters
        ----------
        state : dict of str to ndarray
            As returned by `state`.

        Raises
        ------
        KeyError, ValueError
            If an array is missing or does not fit.
        """
        if state["median"].shape != self.median.shape:
            raise ValueError(f"median has shape {state['median'].shape}, expected {self.median.shape}")
        for prefix, median in (("hog.", self._hog), ("geometry.", self._geometry)):
            median.restore({name[len(prefix) :]: a for name, a in state.items() if name.startswith(prefix)})
        self._frames = int(state["frames"])
        self.median = np.array(state["median"], np.float64)
