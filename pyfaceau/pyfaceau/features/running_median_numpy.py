"""Running medians by histogram in plain NumPy: slow, the oracle of the compiled `running_median`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
        self.bins, self.low, self.high, self.floor = bins, low, high, floor
        self.histogram = np.zeros((size, bins), np.int32)
        self.median = np.zeros(size)
        self.count = 0

    def update(self, values: NDArray[np.float64], counts: bool = True) -> None:
        """Count `values` (size,) unless `counts` is false, and refresh the medians."""
        if counts:
            scaled = (values - self.low) * self.bins / (self.high - self.low)
            bins = np.clip(scaled, 0, self.bins - 1).astype(int)
            self.histogram[np.arange(len(values)), bins] += 1
            self.count += 1
        if self.count == 1:
            # Also when nothing was counted now: OpenFace takes over whatever vector comes.
            median = values
        else:
            half = (self.count + 1) // 2
            reached = np.cumsum(self.histogram, axis=1) >= half
            width = (self.high - self.low) / self.bins
            median = self.low + reached.argmax(axis=1) * width + 0.5 * width
        self.median[:] = np.maximum(median, self.floor)
