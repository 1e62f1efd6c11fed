"""The result of a sequence as a table, one row a frame, with OpenFace's column names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

N_LANDMARKS = 68
# Groups of columns that can be chosen, in the order of OpenFace 2.2's CSV.
GROUPS = ("pose", "landmarks", "aus")
DEFAULT_GROUPS = ("pose", "aus")

_HEAD = ("frame", "face_id", "timestamp", "confidence", "success")
_POSE = tuple(f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz")
_LANDMARKS = tuple(f"{axis}_{index}" for axis in "xy" for index in range(N_LANDMARKS))


def check_groups(include: Iterable[str]) -> tuple[str, ...]:
    """Return the chosen groups in the order of the columns.

    Raises
    ------
    ValueError
        Unknown group, or a bare string instead of a collection of groups.
    """
    if isinstance(include, str):
        raise ValueError(f"include must be a collection such as ({include!r},), not a string")
    chosen = set(include)
    unknown = chosen - set(GROUPS)
    if unknown:
        raise ValueError(f"include may hold {', '.join(GROUPS)}; got {', '.join(sorted(map(str, unknown)))}")
    return tuple(group for group in GROUPS if group in chosen)


def column_names(
    include: Iterable[str], intensity_names: Sequence[str], presence_names: Sequence[str]
) -> list[str]:
    """Name the columns of a result.

    Parameters
    ----------
    include : iterable of str
        Some of `GROUPS`.
    intensity_names, presence_names : sequence of str
        "AU01" and so on, sorted.

    Returns
    -------
    list of str
    """
    groups = check_groups(include)
    names = list(_HEAD)
    names += _POSE if "pose" in groups else ()
    names += _LANDMARKS if "landmarks" in groups else ()
    if "aus" in groups:
        names += [f"{name}_r" for name in intensity_names] + [f"{name}_c" for name in presence_names]
    return names


class ResultTable:
    """Collects what is known when a frame has been processed; AUs come at the end of the sequence.

    Parameters
    ----------
    include : iterable of str
        Groups of columns, some of `GROUPS`.
    intensity_names, presence_names : sequence of str
        AU names, sorted.

    Raises
    ------
    ValueError
        Unknown group.
    """

    def __init__(
        self,
        include: Iterable[str] = DEFAULT_GROUPS,
        intensity_names: Sequence[str] = (),
        presence_names: Sequence[str] = (),
    ) -> None:
        self.groups = check_groups(include)
        self._intensity_names = tuple(intensity_names)
        self._presence_names = tuple(presence_names)
        self._head: list[tuple[int, int, float, float, int]] = []
        self._pose: list[npt.NDArray[np.float64]] = []
        self._landmarks: list[npt.NDArray[np.float32]] = []

    def __len__(self) -> int:
        return len(self._head)

    def append(
        self,
        frame: int,
        timestamp: float,
        confidence: float,
        success: bool,
        pose: npt.ArrayLike,
        landmarks: npt.ArrayLike,
        face_id: int = 0,
    ) -> None:
        """Add a frame.

        Parameters
        ----------
        frame : int
            Number of the frame, from 1.
        timestamp : float
            Seconds.
        confidence : float
            0 to 1.
        success : bool
            Whether a face is tracked.
        pose : array-like, shape (6,)
            Tx, Ty, Tz in mm; Rx, Ry, Rz in radians.
        landmarks : array-like, shape (68, 2)
            x, y in px.
        face_id : int
            Which face.
        """
        self._head.append((frame, face_id, timestamp, confidence, int(success)))
        if "pose" in self.groups:
            self._pose.append(np.array(pose, np.float64).reshape(len(_POSE)))
        if "landmarks" in self.groups:
            points = np.array(landmarks, np.float32).reshape(N_LANDMARKS, 2)
            self._landmarks.append(points.T.reshape(-1))

    def truncate(self, n: int) -> None:
        """Drop all frames after the first `n`."""
        for rows in (self._head, self._pose, self._landmarks):
            del rows[n:]

    def to_dataframe(
        self,
        intensities: npt.NDArray[np.floating[Any]] | None = None,
        presences: npt.NDArray[np.floating[Any]] | None = None,
        attrs: Mapping[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Build the table.

        Parameters
        ----------
        intensities : ndarray, shape (n, number of intensity names), optional
            AU intensities, 0 to 5; needed if AUs are included.
        presences : ndarray, shape (n, number of presence names), optional
            AU presences, 0 or 1; needed if AUs are included.
        attrs : mapping, optional
            What to remember about the result (models, versions); must be JSON-serialisable.

        Returns
        -------
        pandas.DataFrame
            Columns as `column_names` says; attributes in ``.attrs``.

        Raises
        ------
        ValueError
            AUs are included but absent, or of another length.
        """
        n = len(self._head)
        blocks: list[npt.NDArray[Any]] = []
        if "pose" in self.groups:
            blocks.append(np.reshape(self._pose, (n, len(_POSE))))
        if "landmarks" in self.groups:
            blocks.append(np.reshape(self._landmarks, (n, len(_LANDMARKS))).astype(np.float64))
        if "aus" in self.groups:
            for values, aus in ((intensities, self._intensity_names), (presences, self._presence_names)):
                if values is None or values.shape != (n, len(aus)):
                    found = None if values is None else values.shape
                    raise ValueError(f"AU values must have shape {(n, len(aus))}, got {found}")
                blocks.append(values.astype(np.float64))
        names = column_names(self.groups, self._intensity_names, self._presence_names)
        head = pd.DataFrame(self._head, columns=list(_HEAD)).astype(
            {
                "frame": np.int64,
                "face_id": np.int64,
                "timestamp": float,
                "confidence": float,
                "success": np.int64,
            }
        )
        body = pd.DataFrame(np.hstack(blocks) if blocks else np.empty((n, 0)), columns=names[len(_HEAD) :])
        table: pd.DataFrame = pd.concat([head, body], axis=1)
        table.attrs.update(attrs or {})
        return table
