"""Correction of intensities while a live sequence runs: the lower tenth counts as rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# OpenFace 2.2: FaceAnalyser::CorrectOnlineAUs.
BINS = 200
LOW, HIGH = -3.0, 5.0
RATIO = 0.10
MIN_FRAMES = 10
INTENSITY_RANGE = (0.0, 5.0)


class LiveCorrection:
    """Shifts each intensity so that its tenth percentile so far becomes 0.

    OpenFace uses it for webcams only; files get the final pass (`pyfaceau.prediction.offline`) instead.

    Parameters
    ----------
    n_intensities : int
        Number of intensities.
    """

    def __init__(self, n_intensities: int) -> None:
        self._histogram = np.zeros((n_intensities, BINS), np.int32)
        self._count = 0

    def correct(self, intensities: NDArray[np.float64], valid: bool) -> NDArray[np.float64]:
        """Correct the intensities of the next frame.

        Parameters
        ----------
        intensities : ndarray of shape (n_intensities,), float64
            As predicted; zeros for a frame without a face.
        valid : bool
            Whether the frame has a face; only such frames count and are shifted.

        Returns
        -------
        ndarray of shape (n_intensities,), float64
            Within 0..5.
        """
        if valid:
            bins = ((intensities - LOW) * BINS / (HIGH - LOW)).astype(np.int64).clip(0, BINS - 1)
            self._histogram[np.arange(len(bins)), bins] += 1
            self._count += 1
            if self._count >= MIN_FRAMES:
                reached = np.cumsum(self._histogram, axis=1) > int(RATIO * self._count)
                intensities = intensities - (LOW + reached.argmax(axis=1) * ((HIGH - LOW) / BINS))
        return np.clip(intensities, *INTENSITY_RANGE)

    def reset(self) -> None:
        """Forget everything."""
        self._histogram[:] = 0
        self._count = 0

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Copy all that is needed to go on later, as plain arrays."""
        return {"histogram": self._histogram.copy(), "count": np.array(self._count, np.int64)}

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        """Go on from what `state` returned; raises ValueError if it does not fit."""
        if state["histogram"].shape != self._histogram.shape:
            raise ValueError(
                f"histogram has shape {state['histogram'].shape}, expected {self._histogram.shape}"
            )
        self._histogram[:] = state["histogram"]
        self._count = int(state["count"])
