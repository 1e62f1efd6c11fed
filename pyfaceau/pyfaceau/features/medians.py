"""Running median of the whole feature vector: what the face looks like at rest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pyfaceau.features.descriptor import HOG_SIZE
from pyfaceau.features.running_median import RunningMedian
from pyfaceau.state import State, part_of

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

    def update(self, descriptor: NDArray[np.float64], valid: bool) -> bool:
        """Take in the next frame.

        Parameters
        ----------
        descriptor : ndarray of shape (4464 + geometry_size,), float64
            Feature vector of the frame; zeros if it has no face.
        valid : bool
            Whether the frame has a face.

        Returns
        -------
        bool
            Whether the median was refreshed.
        """
        self._frames += 1
        if self._frames % UPDATE_EVERY != 1:
            return False
        self._hog.update(descriptor[:HOG_SIZE], valid)
        self._geometry.update(descriptor[HOG_SIZE:], valid)
        self.median = np.concatenate([self._hog.median, self._geometry.median])
        return True

    def reset(self) -> None:
        """Forget everything."""
        geometry_size = len(self.median) - HOG_SIZE
        # New histograms rather than zeros in the old ones: memory that nobody has written to costs nothing.
        self._hog = RunningMedian(HOG_SIZE, *HOG_HISTOGRAM, floor=0.0)
        self._geometry = RunningMedian(geometry_size, *GEOMETRY_HISTOGRAM)
        self._frames = 0
        self.median = np.zeros_like(self.median)

    def state(self) -> State:
        """Copy all that is needed to go on later, as plain arrays.

        Returns
        -------
        dict of str to ndarray
            Histograms by their occupied bins only, so that a short sequence takes some kilobytes a frame and
            not 27 MB.
        """
        state: State = {"frames": np.array(self._frames, np.int64), "median": self.median.copy()}
        for prefix, median in self._parts().items():
            dense = median.state()
            histogram = dense.pop("histogram").reshape(-1)
            occupied = np.flatnonzero(histogram).astype(np.int32)
            dense |= {"occupied": occupied, "counts": histogram[occupied]}
            state |= {f"{prefix}.{name}": array for name, array in dense.items()}
        return state

    def restore(self, state: State, *, without_histograms: bool = False) -> None:
        """Go on from what `state` returned.

        Parameters
        ----------
        state : dict of str to ndarray
            As returned by `state`.
        without_histograms : bool
            Take over the median alone, which no further frame will change.

        Raises
        ------
        KeyError, ValueError
            If an array is missing or does not fit.
        """
        if state["median"].shape != self.median.shape:
            raise ValueError(f"median has shape {state['median'].shape}, expected {self.median.shape}")
        self.reset()
        bins = {"hog": HOG_HISTOGRAM[0], "geometry": GEOMETRY_HISTOGRAM[0]}
        sizes = {"hog": HOG_SIZE, "geometry": len(self.median) - HOG_SIZE}
        for prefix, median in self._parts().items():
            dense = part_of(state, f"{prefix}.")
            _check_counts(dense, sizes[prefix], bins[prefix], prefix)
            if without_histograms:
                continue
            occupied, counts = dense.pop("occupied"), dense.pop("counts")
            histogram = np.zeros(sizes[prefix] * bins[prefix], np.int32)
            histogram[occupied] = counts
            median.restore({**dense, "histogram": histogram.reshape(-1, bins[prefix])})
        self._frames = int(state["frames"])
        self.median = np.array(state["median"], np.float64)

    def _parts(self) -> dict[str, RunningMedian]:
        return {"hog": self._hog, "geometry": self._geometry}


def _check_counts(state: State, size: int, bins: int, name: str) -> None:
    """Raise KeyError or ValueError unless occupied bins hold together, before histograms are made of them."""
    occupied, counts, bin_of_median, below = (state[n] for n in ("occupied", "counts", "bin", "below"))
    for array, shape in (
        (occupied, counts.shape),
        (counts, (counts.size,)),
        (bin_of_median, (size,)),
        (below, (size,)),
    ):
        if array.shape != shape or array.dtype != np.int32 or (array < 0).any():
            raise ValueError(f"the {name} histograms are not counts of {size} values")
    if (occupied >= size * bins).any() or (np.diff(occupied) <= 0).any() or (bin_of_median >= bins).any():
        raise ValueError(f"the {name} histograms name bins that do not exist")
    value, place = np.divmod(occupied, bins)
    lower = counts * (place < bin_of_median[value])
    totals = np.bincount(value, counts, size) == int(state["count"].reshape(()))
    if not totals.all() or not (np.bincount(value, lower, size) == below).all():
        raise ValueError(f"the {name} histograms do not hold together")
    if state["median"].shape != (size,):
        raise ValueError(f"the {name} medians are not {size} values")


def joint_median(states: Sequence[State]) -> NDArray[np.float64]:
    """Median of the descriptor over several sequences, from the states of their `DescriptorMedian`.

    Parameters
    ----------
    states : sequence of dict
        At least one.

    Returns
    -------
    ndarray of shape (4464 + geometry_size,), float64
        The median that one sequence with all their frames has.
    """
    medians = []
    for prefix, (bins, low, high) in (("hog", HOG_HISTOGRAM), ("geometry", GEOMETRY_HISTOGRAM)):
        size = len(states[0][f"{prefix}.bin"])
        histogram = np.zeros(size * bins, np.int64)
        for state in states:
            histogram[state[f"{prefix}.occupied"]] += state[f"{prefix}.counts"]
        half = (sum(int(state[f"{prefix}.count"]) for state in states) + 1) // 2
        bin_of_median = (np.cumsum(histogram.reshape(size, bins), axis=1) >= half).argmax(axis=1)
        width = (high - low) / bins
        medians.append(low + bin_of_median * width + 0.5 * width)
    medians[0] = np.maximum(medians[0], 0.0)  # as the running median of the HOG
    return np.concatenate(medians)
