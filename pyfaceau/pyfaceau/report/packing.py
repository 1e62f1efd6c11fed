"""Arrays as the page holds them: differences, byte planes, zlib, base64. `page/data.js` undoes it."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

_CODES = {np.dtype(np.uint8): "u1", np.dtype(np.int16): "i2", np.dtype(np.uint32): "u4"}


def pack(values: npt.NDArray[Any]) -> dict[str, Any]:
    """Compress an array for the page.

    Parameters
    ----------
    values : ndarray, uint8, int16 or uint32
        Flattened in C order.

    Returns
    -------
    dict
        ``type`` ("u1", "i2" or "u4"), ``count``, and ``data``: base64 of zlib of the byte planes, low byte first, of
        the differences of neighbours, which wrap around.

    Raises
    ------
    TypeError
        Another dtype.
    """
    code = _CODES.get(values.dtype)
    if code is None:
        raise TypeError(f"values must be uint8, int16 or uint32, got {values.dtype}")
    unsigned = np.ascontiguousarray(values).reshape(-1).view(f"u{values.dtype.itemsize}")
    steps = np.diff(unsigned, prepend=unsigned.dtype.type(0))
    planes = steps.astype(f"<u{values.dtype.itemsize}").view(np.uint8).reshape(-1, values.dtype.itemsize).T
    return {"type": code, "count": int(unsigned.size), "data": squeeze(planes.tobytes())}


def squeeze(content: bytes) -> str:
    """Compress bytes with zlib, as base64."""
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")


def quantised(values: npt.NDArray[np.floating[Any]], step: float) -> npt.NDArray[np.int16]:
    """Round to multiples of `step`, as int16; what is too large is clipped, NaN becomes -32768."""
    whole = np.clip(np.rint(values / step), -32767, 32767)
    return np.where(np.isfinite(whole), whole, -32768).astype(np.int16)


def extremes(values: npt.NDArray[np.float64], width: int) -> tuple[npt.NDArray[np.float64], ...]:
    """Lowest and highest value of each `width` neighbours, so that no peak is lost.

    Parameters
    ----------
    values : ndarray, shape (n, ...), float64
        NaN where there is none.
    width : int
        At least 1; the last stretch may be shorter.

    Returns
    -------
    lowest, highest : ndarray, shape (ceil(n / width), ...), float64
        NaN where all values of a stretch are.
    """
    if not len(values):
        return values, values
    starts = np.arange(0, len(values), width)
    return np.fmin.reduceat(values, starts, axis=0), np.fmax.reduceat(values, starts, axis=0)


def bytes_of_shares(
    values: npt.NDArray[np.floating[Any]], full: float, top: int = 250
) -> npt.NDArray[np.uint8]:
    """Map 0 to `full` onto 0 to `top`; 255 where there is no value."""
    scaled = np.rint(np.clip(values, 0, full) * (top / full))
    return np.where(np.isfinite(scaled), scaled, 255).astype(np.uint8)
