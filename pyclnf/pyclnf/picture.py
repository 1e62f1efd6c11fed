"""Frames that are converted only where somebody looks: a video of 4K costs as much as the face in it."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .image import Frame, Picture, part_of, to_grey, to_uint8

U8: TypeAlias = npt.NDArray[np.uint8]
_STEP = (
    32  # px; sides of what is converted lie on this grid, so that a face that moves asks for the same sizes
)


class GreyFrame:
    """The grey form of one frame after the other, converted where it is looked at, in one buffer.

    Examples
    --------
    >>> import numpy as np
    >>> grey = GreyFrame().of(np.full((240, 320, 3), 7, np.uint8))
    >>> int(grey.around(100, 80, 120, 99)[90, 110])
    7
    """

    def __init__(self) -> None:
        self._own: U8 = np.empty((0, 0), np.uint8)
        self._canvas = self._own
        self._frame: Frame = self._own
        self._filled = (0, 0, 0, 0)

    def of(self, frame: Frame) -> GreyFrame:
        """Begin with another frame; the arrays of the one before are overwritten.

        Parameters
        ----------
        frame : ndarray, shape (rows, cols[, 3 or 4]), uint8 or uint16, or Picture
            BGR, BGRA or grey.

        Raises
        ------
        TypeError, ValueError
            The frame is not as described.
        """
        # Arrays first: asking whether something is a Picture takes a hundred times as long.
        if isinstance(frame, np.ndarray) or not isinstance(frame, Picture):
            frame = to_uint8(frame)
        self._frame = frame
        if isinstance(self._frame, np.ndarray) and self._frame.ndim == 2:
            self._canvas = np.ascontiguousarray(self._frame)
            self._filled = (0, 0, self._canvas.shape[1], self._canvas.shape[0])
            return self
        if self._own.shape != self._frame.shape[:2]:
            self._own = np.zeros(self._frame.shape[:2], np.uint8)
        self._canvas, self._filled = self._own, (0, 0, 0, 0)
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns."""
        return self._canvas.shape[0], self._canvas.shape[1]

    def around(self, x0: float, y0: float, x1: float, y1: float) -> U8:
        """Have a rectangle converted, as far as it lies inside.

        Parameters
        ----------
        x0, y0, x1, y1 : float
            Corners in px. Not finite: the whole frame.

        Returns
        -------
        ndarray, shape (rows, cols), uint8
            The frame; valid within the rectangle only. Overwritten by the next frame.
        """
        rows, cols = self._canvas.shape
        try:
            ax, bx = max(math.floor(x0), 0), min(math.floor(x1) + 1, cols)
            ay, by = max(math.floor(y0), 0), min(math.floor(y1) + 1, rows)
        except (ValueError, OverflowError):  # not finite
            ax, ay, bx, by = 0, 0, cols, rows
        fx, fy, gx, gy = self._filled
        if ax >= bx or ay >= by or (fx <= ax and fy <= ay and bx <= gx and by <= gy):
            return self._canvas
        if fx < gx:  # one rectangle is remembered, so it grows around both
            ax, ay, bx, by = min(ax, fx), min(ay, fy), max(bx, gx), max(by, gy)
        ax, ay = ax // _STEP * _STEP, ay // _STEP * _STEP
        bx, by = min(-(-bx // _STEP) * _STEP, cols), min(-(-by // _STEP) * _STEP, rows)
        self._canvas[ay:by, ax:bx] = to_grey(part_of(self._frame, ax, ay, bx, by))
        self._filled = (ax, ay, bx, by)
        return self._canvas

    def whole(self) -> U8:
        """Return the whole frame, overwritten by the next one."""
        return self.around(0, 0, self.shape[1], self.shape[0])


Grey: TypeAlias = "U8 | GreyFrame"


def around(grey: Grey, x0: float, y0: float, x1: float, y1: float) -> U8:
    """Grey pixels that are valid within a rectangle; see :meth:`GreyFrame.around`."""
    return grey.around(x0, y0, x1, y1) if isinstance(grey, GreyFrame) else grey
