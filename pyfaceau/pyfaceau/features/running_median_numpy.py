"""Running medians by histogram in plain NumPy: slow, the oracle of the compiled `running_median`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyfaceau.features.median_state import MOST, check_state, values_below


class RunningMedian:
    """Medians of many dimensions, each quantised to the centre of a histogram bin.

    Parameters
    ----------
    size : int
        Number of dimensions.
    bins : int
        Bins of each histogram.
    low, high : float
        Range of the histograms; values outside count in the outer bins.
    floor : float, optional
        Medians below this are raised to it.
    """

    def __init__(self, size: int, bins: int, low: float, high: float, floor: float = -np.inf) -> None:
        if size < 1 or bins < 1 or not low < high:
            raise ValueError("size and bins must be positive and low < high")
        self.bins, self.low, self.high, self.floor = bins, low, high, floor
        self.histogram = np.zeros((size, bins), np.int32)
        self.median = np.zeros(size)
        self.count = 0

    def update(self, values: NDArray[np.float64], counts: bool = True) -> None:
        """Count `values` (size,) unless `counts` is false, and refresh the medians."""
        if values.shape != self.median.shape:
            raise ValueError(f"expected {len(self.median)} values, got {len(values)}")
        if counts and self.count >= MOST:
            raise OverflowError(f"a running median counts at most {MOST} values; start a new run")
        if counts:
            scaled = (values - self.low) * self.bins / (self.high - self.low)
            bins = np.clip(np.nan_to_num(scaled, nan=0.0), 0, self.bins - 1).astype(int)
            self.histogram[np.arange(len(values)), bins] += 1
            self.count += 1
        if self.count == 1:
            # Also when nothing was counted now: OpenFace takes over whatever vector comes.
            median = values
        else:
            width = (self.high - self.low) / self.bins
            median = np.asarray(self.low + self._median_bins() * width + 0.5 * width, np.float64)
        self.median[:] = np.maximum(median, self.floor)

    def reset(self) -> None:
        """Forget everything."""
        self.histogram[:], self.median[:], self.count = 0, 0.0, 0

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Copy all that is needed to go on later, in the compiled form too."""
        bins = self._median_bins()
        return {
            "histogram": self.histogram.copy(),
            "bin": bins.astype(np.int32),
            "below": values_below(self.histogram, bins).astype(np.int32),
            "median": self.median.copy(),
            "count": np.array(self.count, np.int64),
        }

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        """Go on from what `state` returned, here or in the compiled form."""
        count = check_state(state, self.state(), self.bins)
        self.histogram[:], self.median[:], self.count = state["histogram"], state["median"], count

    def _median_bins(self) -> NDArray[np.int64]:
        """First bin of each histogram at which half of the values are reached."""
        half = (self.count + 1) // 2
        return np.asarray((np.cumsum(self.histogram, axis=1) >= half).argmax(axis=1), np.int64)
