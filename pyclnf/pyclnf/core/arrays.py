"""Read-only arrays, for models that do not change."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def frozen(values: npt.ArrayLike, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Read-only, C-contiguous copy."""
    out = np.array(values, dtype=dtype, order="C")
    out.flags.writeable = False
    return out
