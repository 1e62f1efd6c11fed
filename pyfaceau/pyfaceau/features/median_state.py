"""What the state of a running median must fulfil, whichever form of it goes on from there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

#: Histograms hold 32 bits, for the sake of memory: frames that count come to this in four years at 30 a second.
MOST = 2147483647


def check_state(
    state: Mapping[str, NDArray[np.generic]], arrays: Mapping[str, NDArray[np.generic]], bins: int
) -> int:
    """Refuse a state that no running median of this size can have been in.

    Parameters
    ----------
    state : mapping of str to ndarray
        What `RunningMedian.state` returned.
    arrays : mapping of str to ndarray
        Arrays of the running median that goes on: histogram (size, bins), bin, below (size,), median.
    bins : int
        Of each histogram.

    Returns
    -------
    int
        Values counted so far.

    Raises
    ------
    ValueError
        If shapes, dtypes or values do not fit.
    """
    for name, array in arrays.items():
        if state[name].shape != array.shape or state[name].dtype != array.dtype:
            raise ValueError(
                f"state of a running median: {name} is {state[name].dtype} {state[name].shape}, "
                f"expected {array.dtype} {array.shape}"
            )
    count = int(state["count"])
    bin_of, histogram = state["bin"].astype(np.int64), state["histogram"].astype(np.int64)
    if not (0 <= count <= MOST and (bin_of >= 0).all() and (bin_of < bins).all()):
        raise ValueError("state of a running median: count or bin out of range")
    if (histogram < 0).any() or (histogram.sum(1) != count).any():
        raise ValueError("state of a running median: the histograms do not hold count values each")
    if (values_below(histogram, bin_of) != state["below"]).any():
        raise ValueError("state of a running median: below does not match the histograms")
    return count


def values_below(histogram: NDArray[np.integer], bin_of: NDArray[np.integer]) -> NDArray[np.int64]:
    """Count, in each histogram (size, bins), the values below a bin (size,)."""
    each = np.arange(len(bin_of))
    return np.asarray(np.cumsum(histogram, 1, np.int64)[each, bin_of] - histogram[each, bin_of], np.int64)
