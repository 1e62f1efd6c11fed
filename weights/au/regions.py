"""Where on the face each unit shows: how much the features and the drawn faces count for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .descriptors import F32
from .labels import PRESENCES

#: Weight of HOG cells elsewhere on the face.
ELSEWHERE = 0.5
_EYES_AND_BROWS = {0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0, 4: 0.7}
_MOUTH_AND_CHIN = {5: 0.7, 6: 1.0, 7: 1.0, 8: 1.0, 9: 1.0, 10: 1.0, 11: 1.0}
_ALL = dict.fromkeys(range(12), 1.0)


@dataclass(frozen=True)
class Region:
    """Units that are learnt together.

    Attributes
    ----------
    units : action units
    rows : row of the 12 x 12 HOG cells (0 at the brows, 11 at the chin) -> weight
    geometry : weight of the geometry
    drawn, transferred : weights of drawn faces with independent units and with transferred expressions
    """

    units: tuple[str, ...]
    rows: dict[int, float]
    geometry: float = 2.5
    drawn: float = 1.0
    transferred: float = 2.0

    @property
    def columns(self) -> list[int]:
        """Places of the units in `PRESENCES`."""
        return [PRESENCES.index(unit) for unit in self.units]

    def weights(self, size: int) -> F32:
        """Weight (size,) of each feature."""
        cells = np.full((12, 12, 31), ELSEWHERE, np.float32)
        for row, weight in self.rows.items():
            cells[row] = weight
        out = np.full(size, self.geometry, np.float32)
        out[: cells.size] = cells.ravel()
        return out


#: AU04 and AU25 take more from drawn faces, whose frowns and parted lips are known exactly.
REGIONS = (
    Region(("AU01", "AU02", "AU05", "AU07", "AU45"), _EYES_AND_BROWS),
    Region(("AU04",), _EYES_AND_BROWS, geometry=1.0, drawn=3.0, transferred=3.0),
    Region(("AU06", "AU09"), _ALL),
    Region(("AU10", "AU12", "AU14", "AU15", "AU17", "AU20", "AU23", "AU26", "AU28"), _MOUTH_AND_CHIN),
    Region(("AU25",), _MOUTH_AND_CHIN, drawn=3.0, transferred=3.0),
)
