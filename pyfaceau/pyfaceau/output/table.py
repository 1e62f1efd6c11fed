"""The result of a sequence as a table, one row per face and frame, with OpenFace's column names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..prediction.history import History
from ..result import FrameResult
from ..state import State, part_of, under
from .columns import (
    DEFAULT_GROUPS,
    HEAD,
    N_EYE_LANDMARKS,
    N_LANDMARKS,
    N_MODES,
    Gaps,
    check_groups,
    column_names,
    group_columns,
)

if TYPE_CHECKING:
    import pandas as pd

_EXACT_GROUPS = ("gaze", "pose")  # kept in double precision; the rest comes in single precision
_INTEGERS = ("frame", "face_id", "success")


class ResultTable:
    """Collects what is known when a frame has been processed; AUs come at the end of the sequence.

    Values wait in two growing arrays, 8 bytes for each of the few exact columns and 4 bytes for landmarks
    and shape parameters: a row of all of OpenFace's columns takes 2.8 kB.

    Parameters
    ----------
    include : iterable of str, or "openface"
        Groups of columns, some of `GROUPS`.
    intensity_names, presence_names : sequence of str
        AU columns, sorted: "AU01_r" and so on, "AU01_c" and so on.
    n_modes : int
        Shape parameters of the face model.
    single_images : bool
        The rows are faces of single images, where OpenFace estimates gaze whatever the validator says; in
        sequences the gaze of a frame without a face is 0.
    gaps : {"empty", "openface"}
        What a row without a face holds: NaN, or what OpenFace writes there (the last fit, a gaze of 0). With
        "empty" presences are nullable integers.
    spool : path-like, optional
        Folder in which the rows wait for `to_dataframe` instead of in memory; created if need be.

    Attributes
    ----------
    attrs : dict
        What to remember about the result (models, versions); must be JSON-serialisable.

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
        n_modes: int = N_MODES,
        *,
        single_images: bool = False,
        gaps: Gaps = "empty",
        spool: str | os.PathLike[str] | None = None,
    ) -> None:
        self.groups = check_groups(include)
        self._gaps = gaps
        self.attrs: dict[str, Any] = {}
        self._intensity_names = tuple(intensity_names)
        self._presence_names = tuple(presence_names)
        self._n_modes = n_modes
        self._single_images = single_images
        self._columns: dict[str, slice] = {}  # of each group, in the one or other array
        widths = {True: len(HEAD), False: 0}
        for group in self.groups:
            if group != "aus":
                exact = group in _EXACT_GROUPS
                start = widths[exact]
                widths[exact] = start + len(group_columns(group, n_modes=n_modes))
                self._columns[group] = slice(start, widths[exact])
        if spool is not None:
            Path(spool).mkdir(parents=True, exist_ok=True)
        files = [None if spool is None else Path(spool, name) for name in ("exact", "bulk")]
        self._exact = History(widths[True], np.float64, files[0])
        self._bulk = History(widths[False], np.float32, files[1])
        self._exact_row = np.empty(widths[True])
        self._bulk_row = np.empty(widths[False], np.float32)
        self._targets: dict[str, npt.NDArray[Any]] = {
            group: (self._exact_row if group in _EXACT_GROUPS else self._bulk_row)[where]
            for group, where in self._columns.items()
        }

    def __len__(self) -> int:
        return len(self._exact)

    @property
    def face_ids(self) -> npt.NDArray[np.int64]:
        """Face of each row, in the order of the rows."""
        return self._exact.array()[:, HEAD.index("face_id")].astype(np.int64)

    @property
    def frames(self) -> npt.NDArray[np.int64]:
        """Number of the frame of each row."""
        return self._exact.array()[:, HEAD.index("frame")].astype(np.int64)

    def append(self, result: FrameResult) -> None:
        """Add a row.

        Parameters
        ----------
        result : FrameResult
            Its landmarks are NaN before the first face, and so is the row then. What a group lacks in the
            result becomes NaN, and so does everything where there is no face, unless `gaps` is "openface".

        Raises
        ------
        ValueError
            The face model has another number of shape parameters than the table.
        """
        self._exact_row[: len(HEAD)] = (
            result.frame,
            result.face_id,
            result.timestamp,
            result.confidence,
            result.tracked,
        )
        seen = not np.isnan(result.landmarks[0, 0])
        if self._gaps == "empty" and not self._single_images:
            seen = seen and (result.tracked or result.valid)
        for group, values in self._targets.items():
            if seen:
                _FILL[group](result, values)
                if group == "gaze" and not (result.tracked or self._single_images):
                    values[:] = 0.0  # OpenFace 2.2: FeatureExtraction.cpp
            else:
                values[:] = np.nan
        self._exact.append(self._exact_row)
        self._bulk.append(self._bulk_row)

    def state(self) -> State:
        """Copy the rows, or note how many there are in the spool's files."""
        return under("exact.", self._exact.state()) | under("bulk.", self._bulk.state())

    def restore(self, state: State) -> None:
        """Go on from what `state` returned; raises KeyError or ValueError if it does not fit."""
        self._exact.restore(part_of(state, "exact."))
        self._bulk.restore(part_of(state, "bulk."))

    def to_dataframe(
        self,
        intensities: npt.NDArray[np.floating[Any]] | None = None,
        presences: npt.NDArray[np.floating[Any]] | None = None,
        attrs: Mapping[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Build the table.

        Parameters
        ----------
        intensities : ndarray, shape (n, number of intensity columns), optional
            AU intensities, 0 to 5, or NaN; needed if AUs are included.
        presences : ndarray, shape (n, number of presence columns), optional
            AU presences, 0 or 1, or NaN; needed if AUs are included.
        attrs : mapping, optional
            Goes into ``.attrs`` of the result besides `attrs` of this object.

        Returns
        -------
        pandas.DataFrame
            Columns as `column_names` says, int64 (frame, face_id, success) and float64; presences Int64
            (nullable) unless `gaps` is "openface". Attributes in ``.attrs``.

        Raises
        ------
        ValueError
            AUs are included but absent, or of another length.
        """
        n = len(self)
        exact, bulk = self._exact.array(), self._bulk.array()
        names = column_names(self.groups, self._intensity_names, self._presence_names, self._n_modes)
        nullable: npt.NDArray[np.floating[Any]] | None = None
        if "aus" in self.groups and self._gaps == "empty":
            intensities, nullable = self._checked_aus(intensities, presences)
            names = names[: len(names) - len(self._presence_names)]
        # One row a column, as pandas keeps it: no further copy is made.
        values = np.empty((len(names) - len(HEAD), n))
        end = 0
        for group in self.groups:
            if group == "aus" and nullable is not None and intensities is not None:
                blocks = [intensities]
            elif group == "aus":
                blocks = self._checked_aus(intensities, presences)
            else:
                where = self._columns[group]
                blocks = [(exact if group in _EXACT_GROUPS else bulk)[:, where]]
            for block in blocks:
                start, end = end, end + block.shape[1]
                values[start:end] = block.T
        import pandas as pd  # here, as it takes as long to import as all the rest

        table: pd.DataFrame = pd.DataFrame(values.T, columns=names[len(HEAD) :], copy=False)
        for position, name in enumerate(HEAD):
            column = exact[:, position]
            table.insert(position, name, column.astype(np.int64) if name in _INTEGERS else column.copy())
        if nullable is not None:
            for name, column in zip(self._presence_names, nullable.T, strict=True):
                table[name] = _nullable(column)
        table.attrs.update({**self.attrs, **(attrs or {})})
        return table

    def _checked_aus(
        self,
        intensities: npt.NDArray[np.floating[Any]] | None,
        presences: npt.NDArray[np.floating[Any]] | None,
    ) -> list[npt.NDArray[Any]]:
        blocks = []
        for values, aus in ((intensities, self._intensity_names), (presences, self._presence_names)):
            if values is None or values.shape != (len(self), len(aus)):
                found = None if values is None else values.shape
                raise ValueError(f"AU values must have shape {(len(self), len(aus))}, got {found}")
            blocks.append(values)
        return blocks


class ImmediateTable:
    """A result table whose action units are those of the frames themselves, as they came: no final pass.

    Parameters
    ----------
    include, intensity_names, presence_names, n_modes, single_images, gaps
        As of `ResultTable`.
    """

    def __init__(
        self,
        include: Iterable[str] = DEFAULT_GROUPS,
        intensity_names: Sequence[str] = (),
        presence_names: Sequence[str] = (),
        n_modes: int = N_MODES,
        *,
        single_images: bool = False,
        gaps: Gaps = "empty",
    ) -> None:
        self._table = ResultTable(
            include, intensity_names, presence_names, n_modes, single_images=single_images, gaps=gaps
        )
        # "AU01_r" is called "AU01" in a result, "AU01_r_static" is "AU01_static".
        self._intensities = [name.replace("_r", "", 1) for name in intensity_names]
        self._presences = [name.replace("_c", "", 1) for name in presence_names]
        self._aus = History(len(self._intensities) + len(self._presences), np.float64)

    def __len__(self) -> int:
        return len(self._table)

    def append(self, result: FrameResult) -> None:
        """Add a row; see `ResultTable.append`."""
        self._table.append(result)
        self._aus.append(
            [result.au_intensities[name] for name in self._intensities]
            + [result.au_presences[name] for name in self._presences]
        )

    def state(self) -> State:
        """Copy the rows."""
        return self._table.state() | under("aus.", self._aus.state())

    def restore(self, state: State) -> None:
        """Go on from what `state` returned; raises KeyError or ValueError if it does not fit."""
        self._table.restore(state)
        self._aus.restore(part_of(state, "aus."))

    def to_dataframe(self, attrs: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Build the table; see `ResultTable.to_dataframe`."""
        intensities, presences = np.split(self._aus.array(), [len(self._intensities)], axis=1)
        return self._table.to_dataframe(intensities, presences, attrs)


def _nullable(values: npt.NDArray[np.floating[Any]]) -> pd.Series:
    """Turn 0, 1 and NaN into integers and gaps."""
    import pandas as pd

    empty = np.isnan(values)
    column: pd.Series = pd.Series(pd.arrays.IntegerArray(np.where(empty, 0, values).astype(np.int64), empty))
    return column


def image_table(
    faces: Sequence[FrameResult], include: Iterable[str] = DEFAULT_GROUPS, gaps: Gaps = "empty"
) -> pd.DataFrame:
    """Build the table of the faces of single images.

    Parameters
    ----------
    faces : sequence of FrameResult
    include : iterable of str, or "openface"
        Groups of columns.
    gaps : {"empty", "openface"}
        As of `ResultTable`.

    Returns
    -------
    pandas.DataFrame
        One row for each face; as of `ResultTable.to_dataframe`.
    """
    table = ImmediateTable(
        include,
        [f"{name}_r" for name in sorted(faces[0].au_intensities)] if faces else (),
        [f"{name}_c" for name in sorted(faces[0].au_presences)] if faces else (),
        len(faces[0].fit.params_local) if faces else N_MODES,
        single_images=True,
        gaps=gaps,
    )
    for face in faces:
        table.append(face)
    return table.to_dataframe()


def _fill_gaze(result: FrameResult, out: npt.NDArray[Any]) -> None:
    if result.gaze is None:
        out[:] = np.nan
    else:
        out[:6] = result.gaze.directions.reshape(6)
        out[6:] = result.gaze.angles


def _fill_eye_landmarks(result: FrameResult, out: npt.NDArray[Any]) -> None:
    planar, spatial = out[: 2 * N_EYE_LANDMARKS], out[2 * N_EYE_LANDMARKS :]
    out[:] = np.nan
    if result.gaze is not None:
        planar.reshape(2, -1)[:] = result.gaze.landmarks.T
        spatial.reshape(3, -1)[:] = result.gaze.landmarks_3d.T
    elif result.fit.eyes is not None:
        planar.reshape(2, -1)[:] = np.concatenate([eye.landmarks for eye in result.fit.eyes]).T


def _fill_pose(result: FrameResult, out: npt.NDArray[Any]) -> None:
    out[:] = result.pose


def _fill_landmarks(result: FrameResult, out: npt.NDArray[Any]) -> None:
    out.reshape(2, N_LANDMARKS)[:] = result.landmarks.T


def _fill_landmarks_3d(result: FrameResult, out: npt.NDArray[Any]) -> None:
    out.reshape(3, N_LANDMARKS)[:] = np.nan if result.landmarks_3d is None else result.landmarks_3d.T


def _fill_pdm(result: FrameResult, out: npt.NDArray[Any]) -> None:
    out[:6] = result.fit.params_global
    out[6:] = result.fit.params_local


_FILL = {
    "gaze": _fill_gaze,
    "eye_landmarks": _fill_eye_landmarks,
    "pose": _fill_pose,
    "landmarks": _fill_landmarks,
    "landmarks_3d": _fill_landmarks_3d,
    "pdm": _fill_pdm,
}
