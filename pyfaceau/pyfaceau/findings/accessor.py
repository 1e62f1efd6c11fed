"""``table.face``: what a table of results says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..action_units import AU_NAMES
from ..output.columns import group_columns
from . import layout

if TYPE_CHECKING:
    from .signals import SmoothingMethod

F64 = npt.NDArray[np.float64]
_MOST_ROWS = 60  # of what a notebook shows


@pd.api.extensions.register_dataframe_accessor("face")
class FaceTable:
    """What a table of faces says: parts of it, signals, events, statistics.

    Tables of `process_video`, `read_results` and `read_openface_csv`, and whatever pandas makes of them, have it as
    ``table.face``. A table may hold several faces and videos; they are never mixed. In rows without a face all values
    are missing, also where OpenFace's files hold zeros.

    Parameters
    ----------
    table : pandas.DataFrame
        With any of the columns of a result.

    Raises
    ------
    AttributeError
        The table has none of a result's columns.

    Examples
    --------
    >>> import pandas as pd
    >>> import pyfaceau.findings
    >>> from pyfaceau.demo import DEMO_TRUTH
    >>> table = pd.read_csv(DEMO_TRUTH)
    >>> table.face
    <FaceTable: 450 rows, 1 face, 18.0 s, 10 action units>
    >>> table.face.summary().loc["AU12", ["mean", "peak"]].round(2).to_dict()
    {'mean': 0.38, 'peak': 4.5}
    """

    def __init__(self, table: pd.DataFrame) -> None:
        known = layout.intensity_columns(table) or layout.presence_columns(table)
        if not known and not {"confidence", "success", "x_0", "pose_Rx", "gaze_angle_x"} & set(table.columns):
            raise AttributeError(
                "'face' is for results of pyfaceau or OpenFace: this table has no action units, pose, gaze, landmarks "
                "or confidence"
            )
        self._table = table

    @property
    def aus(self) -> pd.DataFrame:
        """Intensities, 0 to 5, one column a unit; float64, NaN without a face.

        Columns are called "AU12", and "AU12_static" where there is a second model.

        Examples
        --------
        >>> import pandas as pd, pyfaceau.findings
        >>> pd.DataFrame({"success": [1, 0], "AU12_r": [2.5, 0.0]}).face.aus["AU12"].tolist()
        [2.5, nan]
        """
        return layout.intensities(self._table)

    @property
    def presence(self) -> pd.DataFrame:
        """Presences, 0 or 1, one column a unit; Int64, missing without a face.

        Examples
        --------
        >>> import pandas as pd, pyfaceau.findings
        >>> pd.DataFrame({"success": [1, 0], "AU12_c": [1.0, 0.0]}).face.presence["AU12"].tolist()
        [1, <NA>]
        """
        columns = layout.presence_columns(self._table)
        if not columns:
            raise layout.lacking("aus", [f"{unit}_c" for unit in AU_NAMES])
        found = layout.values(self._table, [*columns.values()])
        missing = np.isnan(found)
        whole = np.where(missing, 0, found).astype(np.int64)
        out: pd.DataFrame = pd.DataFrame(
            {unit: pd.arrays.IntegerArray(whole[:, n], missing[:, n]) for n, unit in enumerate(columns)},
            index=self._table.index,
        )
        return out

    @property
    def pose(self) -> pd.DataFrame:
        """Position and rotation of the head; float64, NaN without a face.

        ``pose_Tx``, ``pose_Ty``, ``pose_Tz`` in mm; ``pose_Rx``, ``pose_Ry``, ``pose_Rz`` (pitch, yaw, roll) in rad.

        Examples
        --------
        >>> import pandas as pd, pyfaceau.findings
        >>> table = pd.DataFrame({f"pose_{kind}{axis}": [0.5] for kind in "TR" for axis in "xyz"})
        >>> table.face.pose.shape
        (1, 6)
        """
        return self._group("pose")

    @property
    def gaze(self) -> pd.DataFrame:
        """Gaze; float64, NaN without a face.

        ``gaze_0_x`` to ``gaze_1_z``: a unit vector for each eye; ``gaze_angle_x``, ``gaze_angle_y``: of both, rad.

        Examples
        --------
        >>> import pandas as pd, pyfaceau.findings
        >>> pd.DataFrame({"confidence": [0.9]}).face.gaze
        Traceback (most recent call last):
        pyfaceau.errors.MissingColumnsError: the table has no gaze_0_x, gaze_0_y, gaze_0_z and 5 more: analyse with ...
        """
        return self._group("gaze")

    @property
    def landmarks(self) -> F64:
        """Landmarks in px, shape (n, 68, 2), float64; NaN without a face.

        Examples
        --------
        >>> import numpy as np, pandas as pd, pyfaceau.findings
        >>> names = [f"{axis}_{n}" for axis in "xy" for n in range(68)]
        >>> table = pd.DataFrame(np.arange(136.0)[None], columns=names)
        >>> table.face.landmarks[0, 5].tolist()
        [5.0, 73.0]
        """
        return layout.landmarks(self._table)

    def valid(self, min_confidence: float = 0.0) -> pd.DataFrame:
        """Return the rows that show a face.

        Parameters
        ----------
        min_confidence : float
            Least ``confidence``, 0 to 1. OpenFace's own use is 0.8 and more for what is to be trusted.

        Returns
        -------
        pandas.DataFrame
            Rows with ``success`` 1 (if the table has that column) and enough confidence. What is computed over time
            does not bridge the rows that are left out.

        Examples
        --------
        >>> import pandas as pd, pyfaceau.findings
        >>> table = pd.DataFrame({"frame": [1, 2, 3], "success": [1, 1, 0], "confidence": [0.9, 0.5, 0.0]})
        >>> table.face.valid(0.8)["frame"].tolist()
        [1]
        """
        if not 0 <= min_confidence <= 1:
            raise ValueError(f"min_confidence is between 0 and 1, got {min_confidence}")
        rows: pd.DataFrame = self._table[layout.has_face(self._table, min_confidence)]
        return rows

    def resample(self, fps: float) -> pd.DataFrame:
        """Bring the table to another frame rate.

        Parameters
        ----------
        fps : float
            Frames a second.

        Returns
        -------
        pandas.DataFrame
            Evenly spaced frames from the first to the last of each face, counted from 1. Measurements are interpolated
            linearly, for a lower rate after averaging over one new frame; presences, confidence and success are those
            of the nearest frame. Gaps stay gaps. ``attrs["resampled_to_fps"]`` records it.

        Examples
        --------
        >>> import pandas as pd, pyfaceau.findings
        >>> table = pd.DataFrame({"frame": [1, 2, 3], "timestamp": [0.0, 0.5, 1.0], "AU12_r": [0.0, 1.0, 3.0]})
        >>> table.face.resample(4)["AU12_r"].tolist()
        [0.0, 0.5, 1.0, 2.0, 3.0]
        """
        from .signals import resample

        return resample(self._table, fps)

    def smooth(self, duration: float = 0.2, method: SmoothingMethod = "mean") -> pd.DataFrame:
        """Smooth the measurements with a sliding window.

        Parameters
        ----------
        duration : float
            Of the window, s; it has the odd number of frames that is nearest.
        method : {"mean", "median"}

        Returns
        -------
        pandas.DataFrame
            Intensities, pose, gaze, landmarks and shape parameters smoothed; presences, confidence and rows without a
            face as they were. No window reaches over a gap. Intensities of videos are smoothed already, over three
            frames, as OpenFace does.

        Examples
        --------
        >>> import pandas as pd, pyfaceau.findings
        >>> table = pd.DataFrame({"frame": [1, 2, 3], "timestamp": [0.0, 0.1, 0.2], "AU12_r": [0.0, 3.0, 0.0]})
        >>> table.face.smooth(0.3)["AU12_r"].tolist()
        [1.5, 1.0, 1.5]
        """
        from .signals import smooth

        return smooth(self._table, duration, method)

    def summary(
        self,
        threshold: float = 1.0,
        *,
        level: float = 0.95,
        resamples: int = 1000,
        block: float | None = None,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Summarise the action units.

        Parameters
        ----------
        threshold : float
            Intensity from which a unit is active. 1 is FACS's level A, a trace.
        level : float
            Of the confidence intervals.
        resamples : int
            Of the bootstrap; 0 for none.
        block : float, optional
            Length of the bootstrap's blocks, s: longer than what one moment tells about the next. By default 5 s or, of
            long recordings, a two-hundredth; at
            most a tenth of the recording.
        seed : int
            Of the bootstrap: same seed, same intervals.

        Returns
        -------
        pandas.DataFrame
            One row a unit, index ``au``; for several videos or faces with index levels ``video`` and ``face_id``
            before it. Columns ``frames`` (with a face), ``mean``, ``peak``, ``active`` (share of the frames with a
            face) and ``onsets_per_minute``; ``mean_low``, ``mean_high`` and so on bound the intervals. Photographs
            have no onsets.

        Notes
        -----
        The moving-block bootstrap (Künsch 1989, Annals of Statistics 17) keeps neighbouring frames together: frames
        are not independent, and intervals that treat them so are far too narrow. They are percentile intervals and
        say how sure the figure is for this person in this situation, not for others. The bootstrap fails for a
        maximum, so ``peak`` has none; nor do recordings of fewer than two blocks. An onset is counted if the frame
        before shows the face at rest.

        Examples
        --------
        >>> import pandas as pd, pyfaceau.findings
        >>> table = pd.DataFrame({"frame": range(1, 61), "timestamp": [n / 30 for n in range(60)]})
        >>> table["AU12_r"] = [0.0] * 30 + [2.0] * 30
        >>> found = table.face.summary()
        >>> found.loc["AU12", ["mean", "peak", "active", "onsets_per_minute"]].round(3).to_dict()
        {'mean': 1.0, 'peak': 2.0, 'active': 0.5, 'onsets_per_minute': 30.0}
        """
        from .statistics import summarise

        return summarise(self._table, threshold, level=level, resamples=resamples, block=block, seed=seed)

    def events(
        self,
        au: str | Sequence[str] | None = None,
        threshold: float = 1.0,
        *,
        min_duration: float = 0.0,
        max_gap: float = 0.0,
    ) -> pd.DataFrame:
        """Find when action units are active.

        Parameters
        ----------
        au : str or sequence of str, optional
            Such as "AU12"; all units by default.
        threshold : float
            Intensity from which a unit is active.
        min_duration : float
            Shorter events are left out, s.
        max_gap : float
            Events that are at most this far apart are one, s, if the face is there between them.

        Returns
        -------
        pandas.DataFrame
            One row an event: ``au``, ``onset``, ``apex``, ``offset`` (s: first frame at the threshold, strongest,
            last), ``duration`` (s, with the last frame), ``peak``, ``first`` and ``last`` (positions of the rows,
            from 0), and ``complete``, False if the face was not there just before or after. For several videos or
            faces, columns ``video`` and ``face_id`` come first.

        Examples
        --------
        >>> import pandas as pd, pyfaceau.findings
        >>> table = pd.DataFrame({"frame": range(1, 6), "timestamp": [0.0, 0.1, 0.2, 0.3, 0.4]})
        >>> table["AU12_r"] = [0.0, 1.5, 3.0, 1.2, 0.0]
        >>> table.face.events("AU12")[["onset", "apex", "offset", "peak"]].values.tolist()
        [[0.1, 0.2, 0.3, 3.0]]
        """
        from .events import find_events

        return find_events(self._table, au, threshold, min_duration=min_duration, max_gap=max_gap)

    def correlate(
        self, other: pd.DataFrame, *, max_lag: float = 2.0, fps: float | None = None
    ) -> pd.DataFrame:
        """Correlate the intensities of two people over time.

        Parameters
        ----------
        other : pandas.DataFrame
            The other person, on the same clock. Two people of one table: ``table[table["face_id"] == 1]``.
        max_lag : float
            Longest lag, s.
        fps : float, optional
            Common frame rate; the lower of the two by default.

        Returns
        -------
        pandas.DataFrame
            Pearson r, one row a lag (index ``lag``, s), one column a unit. At a positive lag the other follows.
            Frames in which one of the two has no face are left out.

        Raises
        ------
        ValueError
            A table holds several faces, or they have no time in common.

        Notes
        -----
        The largest r among many lags is large by chance as well: compare with that of people who never met (Moulder
        et al. 2018, Psychological Methods 23, on surrogates).

        Examples
        --------
        >>> import numpy as np, pandas as pd, pyfaceau.findings
        >>> time = np.arange(300) / 30
        >>> one = pd.DataFrame({"timestamp": time, "AU12_r": 2 + np.sin(time)})
        >>> two = pd.DataFrame({"timestamp": time, "AU12_r": 2 + np.sin(time - 0.5)})
        >>> float(one.face.correlate(two)["AU12"].idxmax())
        0.5
        """
        from .signals import correlate

        return correlate(self._table, other, max_lag=max_lag, fps=fps)

    def asymmetry(self, *, rest: tuple[int, int] | None = None, max_yaw: float | None = 10.0) -> pd.DataFrame:
        """Compare the left and the right half of the face; needs landmarks.

        Parameters
        ----------
        rest : (int, int), optional
            First and last frame in which the face is at rest, for movement; the median face by default.
        max_yaw : float, optional
            Rows in which the head is turned further, degrees, are NaN: a face that looks aside is unlike its mirror
            image. None keeps all, and needs no pose.

        Returns
        -------
        pandas.DataFrame
            One row for each of the table.

            ``face``, ``brows``, ``eyes``, ``mouth``: mean distance of landmarks from where the face would be
            symmetric, as share of the distance of the outer corners of the eyes; 0 if it is its own mirror image.

            ``brows_movement``, ``eyes_movement``, ``mouth_movement``: (left - right) / (left + right) of the
            distances that the person's left and right landmarks have moved from rest, -1 to 1; positive where the
            left side moves more, NaN where neither moves by more than a hundredth of the distance of the outer
            corners of the eyes.

        Notes
        -----
        The first is the asymmetry of a shape: the distance to its relabelled mirror image after superimposition
        (Klingenberg, Barluenga & Meyer 2002, Evolution 56), here superimposed on corners of the eyes and bridge of
        the nose, which expressions hardly move, and halved. The second compares excursions, as is done for facial
        palsy (Hadlock & Urban 2012, Archives of Facial Plastic Surgery 14). The face model holds landmarks near faces
        that it knows, most of them symmetric: asymmetry comes out too small. It is no clinical grading, and nobody
        has validated it as one.

        Examples
        --------
        >>> import numpy as np, pandas as pd, pyfaceau.findings
        >>> from pyfaceau.findings.asymmetry import MIRRORED
        >>> half = np.random.default_rng(0).integers(-99, 99, (68, 2)).astype(float)
        >>> face = half + half[MIRRORED] * [-1, 1]  # its own mirror image
        >>> names = [f"{axis}_{n}" for axis in "xy" for n in range(68)]
        >>> table = pd.DataFrame(face.T.reshape(1, -1), columns=names)
        >>> float(table.face.asymmetry(max_yaw=None)["face"].iloc[0])
        0.0
        """
        from .asymmetry import measure_asymmetry

        return measure_asymmetry(self._table, rest=rest, max_yaw=max_yaw)

    def quality(self, *, video: str | os.PathLike[str] | None = None) -> pd.DataFrame:
        """Say how good the recording is.

        Parameters
        ----------
        video : path-like, optional
            The recording itself, for light and sharpness.

        Returns
        -------
        pandas.DataFrame
            One row for each face: ``frames``, ``tracked`` (share with a face), ``longest_gap`` (frames),
            ``confidence`` (mean), ``low_confidence`` (share below 0.8), ``pose_outside`` (share turned further than
            30 degrees of pitch or roll or 45 of yaw, beyond what the models know). With `video`: ``brightness`` (mean
            grey level, 0 to 255), ``dark`` and ``bright`` (shares of pixels without detail), ``sharpness`` (variance
            of the Laplacian: compares recordings of one camera). What the table does not tell is NaN.

        Examples
        --------
        >>> import pandas as pd, pyfaceau.findings
        >>> table = pd.DataFrame({"frame": [1, 2], "success": [1, 0], "confidence": [0.9, 0.1]})
        >>> table.face.quality()[["tracked", "confidence"]].values.tolist()
        [[0.5, 0.9]]
        """
        from .recording import summarise_quality

        return summarise_quality(self._table, video=video)

    def __repr__(self) -> str:
        return f"<FaceTable: {', '.join(self._facts())}>"

    def _repr_html_(self) -> str:
        """Show in a notebook what the table holds, and the action units with their figures."""
        from .._html import table_html

        units, found = len(layout.intensity_columns(self._table)), layout.tracks(self._table)
        if not units or not found:
            return table_html(self._facts(), self._table.attrs, None, 0)
        shown = found[: max(1, _MOST_ROWS // units)]
        part = self._table.iloc[np.sort(np.concatenate([track.rows for track in shown]))]
        left = (len(found) - len(shown)) * units
        return table_html(self._facts(), self._table.attrs, part.face.summary(resamples=0), left)

    def _group(self, group: str) -> pd.DataFrame:
        columns = layout.columns_of(self._table, group)
        return layout.frame(layout.values(self._table, columns), self._table.index, columns)

    def _facts(self) -> list[str]:
        found = layout.tracks(self._table)
        timed = bool({"frame", "timestamp"} & set(self._table.columns)) and "input" not in self._table
        faces = len(found) if timed else len(self._table)
        facts = [f"{len(self._table)} rows", f"{faces} face{'s' if faces != 1 else ''}"]
        if timed and found:
            times = layout.seconds(self._table)
            rate = layout.rate_of(self._table, found[0])
            facts.append(
                f"{sum(len(t.rows) and times[t.rows[-1]] - times[t.rows[0]] + 1 / rate for t in found):.1f} s"
            )
        tracked = layout.has_face(self._table)
        if "success" in self._table and len(tracked):
            facts.append(f"tracked in {tracked.mean():.0%}")
        units = len(layout.intensity_columns(self._table))
        if units:
            facts.append(f"{units} action units")
        for group in ("pose", "gaze", "landmarks"):
            if all(name in self._table for name in group_columns(group)):
                facts.append(group)
        return facts
