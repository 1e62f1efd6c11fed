# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Running medians by histogram: compiled form of `pyfaceau.features.running_median_numpy`.

Instead of scanning a histogram for its median, each dimension remembers the median's bin and how many values lie
below it. A new value moves that bin by few occupied places, so an update touches a handful of bins.
"""

import numpy as np

from pyfaceau.features.median_state import MOST as most_of_all
from pyfaceau.features.median_state import check_state

cdef Py_ssize_t MOST = most_of_all


cdef class RunningMedian:
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

    Attributes
    ----------
    median : ndarray of shape (size,), float64
        Current medians, updated in place.
    count : int
        Values counted so far in each dimension.
    """

    cdef readonly object median
    cdef readonly Py_ssize_t count
    cdef Py_ssize_t _size, _bins
    cdef double _low, _high, _floor
    cdef object _arrays
    cdef int[:, ::1] _histogram
    cdef int[::1] _bin
    cdef int[::1] _below
    cdef double[::1] _median

    def __init__(self, Py_ssize_t size, Py_ssize_t bins, double low, double high, double floor=-np.inf):
        if size < 1 or bins < 1 or not low < high:
            raise ValueError("size and bins must be positive and low < high")
        self._size, self._bins, self._low, self._high, self._floor = size, bins, low, high, floor
        self._arrays = {
            "histogram": np.zeros((size, bins), np.int32),
            "bin": np.zeros(size, np.int32),
            "below": np.zeros(size, np.int32),
            "median": np.zeros(size),
        }
        self._histogram = self._arrays["histogram"]
        self._bin = self._arrays["bin"]
        self._below = self._arrays["below"]
        self._median = self._arrays["median"]
        self.median = self._arrays["median"]
        self.count = 0

    def update(self, const double[::1] values, bint counts=True):
        """Count `values` and refresh the medians.

        Parameters
        ----------
        values : ndarray of shape (size,), float64
            One value a dimension.
        counts : bool
            False refreshes the medians without counting the values.

        Raises
        ------
        OverflowError
            If 2**31 - 1 values have been counted already.
        """
        if values.shape[0] != self._size:
            raise ValueError(f"expected {self._size} values, got {values.shape[0]}")
        if counts and self.count >= MOST:
            raise OverflowError(f"a running median counts at most {MOST} values; start a new run")
        with nogil:
            if counts:
                self.count += 1
                self._insert(values)
            if self.count == 1:
                # Also when nothing was counted now: OpenFace takes over whatever vector comes.
                self._copy(values)
            else:
                self._locate()

    def reset(self):
        """Forget everything."""
        for array in self._arrays.values():
            array[...] = 0
        self.count = 0

    def state(self):
        """Copies of all that is needed to go on later.

        Returns
        -------
        dict of str to ndarray
        """
        state = {name: array.copy() for name, array in self._arrays.items()}
        state["count"] = np.array(self.count, np.int64)
        return state

    def restore(self, state):
        """Go on from what `state` returned.

        Parameters
        ----------
        state : dict of str to ndarray
            Of a running median with the same size and bins.
        """
        count = check_state(state, self._arrays, self._bins)
        for name, array in self._arrays.items():
            array[...] = state[name]
        self.count = count

    cdef void _insert(self, const double[::1] values) noexcept nogil:
        cdef Py_ssize_t d
        cdef double scaled, last = <double>(self._bins - 1)
        cdef int bin
        for d in range(self._size):
            scaled = (values[d] - self._low) * <double>self._bins / (self._high - self._low)
            if not scaled > 0:  # NaN too
                bin = 0
            elif scaled > last:
                bin = <int>last
            else:
                bin = <int>scaled
            self._histogram[d, bin] += 1
            if self.count == 1:
                self._bin[d] = bin
            elif bin < self._bin[d]:
                self._below[d] += 1

    cdef void _copy(self, const double[::1] values) noexcept nogil:
        cdef Py_ssize_t d
        for d in range(self._size):
            self._median[d] = max(values[d], self._floor)

    cdef void _locate(self) noexcept nogil:
        """Move each median to the first bin at which half of the values are reached."""
        cdef Py_ssize_t d
        cdef int half = <int>((self.count + 1) // 2)
        cdef int bin, below
        cdef int* histogram
        cdef double width = (self._high - self._low) / <double>self._bins
        for d in range(self._size):
            histogram = &self._histogram[d, 0]
            bin = self._bin[d]
            below = self._below[d]
            while bin > 0 and below >= half:
                bin -= 1
                below -= histogram[bin]
            while below + histogram[bin] < half:
                below += histogram[bin]
                bin += 1
            self._bin[d] = bin
            self._below[d] = below
            self._median[d] = max(self._low + <double>bin * width + 0.5 * width, self._floor)
