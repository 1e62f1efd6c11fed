"""How far two tables of the same recording agree: two programs, two versions, two model sets."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import MissingColumnsError, ResultFileError
from .layout import F64, frame, has_face, values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PathOrTable = str | os.PathLike[str] | pd.DataFrame
_KEYS = ("video", "input", "face_id", "face", "frame")
_NOT_COMPARED = (*_KEYS, "timestamp", "success")
FIGURES = ("n", "r", "icc", "mean_abs_difference", "bias", "lower", "upper")


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far two tables agree; see `compare`.

    Attributes
    ----------
    columns : pandas.DataFrame
        One row a column of both, with

        - ``n``: rows in which both have a value and see a face;
        - ``r``: Pearson correlation;
        - ``icc``: ICC(3,1), the consistency of single values (Shrout & Fleiss 1979, Psychological Bulletin 86);
        - ``mean_abs_difference``;
        - ``bias``, ``lower``, ``upper``: mean of A - B and its limits of agreement, 1.96 standard deviations (Bland and
          Altman 1986, The Lancet 327).
    rows : dict of str to int
        How many rows are in ``both`` (of these ``face_in_both``, ``face_only_in_a``, ``face_only_in_b``),
        ``only_in_a`` and ``only_in_b``.
    only_in_a, only_in_b : list of str
        Columns that the other table lacks.

    Examples
    --------
    >>> import pandas as pd
    >>> from pyfaceau import compare
    >>> a = pd.DataFrame({"frame": [1, 2, 3], "AU12_r": [0.0, 1.0, 2.0]})
    >>> b = pd.DataFrame({"frame": [1, 2, 3], "AU12_r": [0.0, 1.5, 2.0]})
    >>> agreement = compare(a, b)
    >>> agreement.worst_frames("AU12_r", count=1).values.tolist()
    [[2.0, 1.0, 1.5, 0.5]]
    """

    columns: pd.DataFrame
    rows: dict[str, int]
    only_in_a: list[str]
    only_in_b: list[str]
    _a: F64 = field(repr=False)
    _b: F64 = field(repr=False)
    _keys: pd.DataFrame = field(repr=False)

    def worst_frames(self, column: str | None = None, count: int = 10) -> pd.DataFrame:
        """Return the frames that disagree most.

        Parameters
        ----------
        column : str, optional
            By the difference of this column; else by the mean difference of the intensities of action units, or of all
            columns where there are none, each as a share of its spread.
        count : int
            Most rows.

        Returns
        -------
        pandas.DataFrame
            The keys of the rows (``frame`` and so on) and ``difference``; for a column also ``a`` and ``b``.
        """
        if column is not None:
            place = self._place(column)
            out: pd.DataFrame = self._keys.assign(a=self._a[:, place], b=self._b[:, place])
            out["difference"] = np.abs(out["a"] - out["b"])
        else:
            names = list(self.columns.index)
            units = [n for n, name in enumerate(names) if name.startswith("AU") and "_r" in name]
            places = units or list(range(len(names)))
            apart = np.abs(self._a[:, places] - self._b[:, places])
            if not units:
                spread = np.nanstd(self._a[:, places], axis=0) if len(apart) else np.ones(len(places))
                apart = apart / np.where(spread > 0, spread, 1.0)
            known = np.isfinite(apart)
            total = np.where(known, apart, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
            out = self._keys.assign(difference=np.where(known.any(axis=1), total, np.nan))
        known_rows = out.dropna(subset=["difference"])
        ranked: pd.DataFrame = known_rows.nlargest(count, "difference").reset_index(drop=True)
        return ranked

    def pair(self, column: str) -> tuple[F64, F64]:
        """Return the values of a column in A and in B, row by row; NaN where one of the two sees no face."""
        place = self._place(column)
        return self._a[:, place], self._b[:, place]

    def plot(self, column: str, *, ax: Axes | None = None) -> Axes:
        """Draw a Bland-Altman plot of a column; see `pyfaceau.plots.plot_bland_altman`."""
        from ..plots import plot_bland_altman

        return plot_bland_altman(*self.pair(column), title=column, ax=ax)

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the values as what JSON knows; figures that do not exist are None."""
        rows = self.columns.reset_index().to_dict("records")
        plain = [
            {name: None if isinstance(v, float) and not np.isfinite(v) else v for name, v in row.items()}
            for row in rows
        ]
        worst = self.worst_frames().to_dict("records")
        return {
            "rows": self.rows,
            "columns": plain,
            "only_in_a": self.only_in_a,
            "only_in_b": self.only_in_b,
            "worst_frames": [
                {k: getattr(v, "item", lambda v=v: v)() for k, v in row.items()} for row in worst
            ],
        }

    def _place(self, column: str) -> int:
        if column not in self.columns.index:
            raise MissingColumnsError(f"the two tables have no column {column} in common")
        return [*self.columns.index].index(column)


def compare(a: PathOrTable, b: PathOrTable) -> Agreement:
    """Compare two results of one recording, column by column.

    Parameters
    ----------
    a, b : path-like or pandas.DataFrame
        Results of pyfaceau (CSV or Parquet), or CSVs of any OpenFace 2.x. Rows are matched by frame (and by face, video
        or picture where both tables have that), whatever their order.

    Returns
    -------
    Agreement

    Raises
    ------
    ResultFileError
        A file cannot be read.
    MissingColumnsError
        The tables have no rows or no measurements in common.

    Examples
    --------
    >>> import pandas as pd
    >>> from pyfaceau import compare
    >>> a = pd.DataFrame({"frame": [1, 2, 3, 4], "AU12_r": [0.0, 1.0, 2.0, 3.0]})
    >>> b = pd.DataFrame({"frame": [4, 3, 2, 1], "AU12_r": [3.5, 2.5, 1.5, 0.5]})
    >>> compare(a, b).columns.loc["AU12_r", ["r", "icc", "bias"]].tolist()
    [1.0, 1.0, -0.5]
    """
    first, second = _table(a), _table(b)
    if ("frame" in first) != ("frame" in second):
        raise MissingColumnsError("one table is of a video and the other is not: only one has frames")
    both, keys = _matched(first, second)
    names = [str(n) for n in first if n in second and n not in _NOT_COMPARED and _is_number(first, second, n)]
    if not len(both) or not names:
        what = "columns of measurements" if len(both) else f"rows of the same {', '.join(keys)}"
        raise MissingColumnsError(f"the two tables have no {what} in common: are they of the same recording?")
    rows_a, rows_b = both["place_a"].to_numpy(), both["place_b"].to_numpy()
    face_a, face_b = has_face(first)[rows_a], has_face(second)[rows_b]
    one, two = values(first, names)[rows_a], values(second, names)[rows_b]
    one[~face_b], two[~face_a] = np.nan, np.nan
    return Agreement(
        columns=frame(_figures(one, two), pd.Index(names, name="column"), list(FIGURES)).astype(
            {"n": np.int64}
        ),
        rows={
            "both": len(both),
            "face_in_both": int((face_a & face_b).sum()),
            "face_only_in_a": int((face_a & ~face_b).sum()),
            "face_only_in_b": int((face_b & ~face_a).sum()),
            "only_in_a": len(first) - len(both),
            "only_in_b": len(second) - len(both),
        },
        only_in_a=[str(n) for n in first if n not in second],
        only_in_b=[str(n) for n in second if n not in first],
        _a=one,
        _b=two,
        _keys=both[keys],
    )


def _matched(first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Pair the rows: their keys, and ``place_a`` and ``place_b``; return the names of the keys as well."""
    keys = [name for name in _KEYS if name in first and name in second]
    sides = []
    numbered = any(not keys or bool(table.duplicated(keys).any()) for table in (first, second))
    for table, side in ((first, "a"), (second, "b")):
        part = table[keys].reset_index(drop=True)
        if numbered:  # rows of the same keys, such as faces without numbers, in their order
            part["row"] = part.groupby(keys).cumcount() if keys else np.arange(len(part))
        part[f"place_{side}"] = np.arange(len(part))
        sides.append(part)
    keys = [*keys, *(["row"] if numbered else [])]
    both: pd.DataFrame = sides[0].merge(sides[1], on=keys, validate="one_to_one")
    return both, keys


def _figures(a: F64, b: F64) -> F64:
    """Return the figures of each column of (n, k) arrays, shape (k, figures)."""
    both = ~(np.isnan(a) | np.isnan(b))
    n = both.sum(axis=0)
    a, b = np.where(both, a, 0.0), np.where(both, b, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_a, mean_b = a.sum(axis=0) / n, b.sum(axis=0) / n
        da, db = np.where(both, a - mean_a, 0.0), np.where(both, b - mean_b, 0.0)
        freedom = np.where(n > 1, n - 1, np.nan)
        var_a, var_b = (da * da).sum(axis=0) / freedom, (db * db).sum(axis=0) / freedom
        covariance = (da * db).sum(axis=0) / freedom
        of_difference = ((da - db) ** 2).sum(axis=0) / freedom
        # Two-way analysis of variance with two raters: between rows, and what is left.
        between = (var_a + var_b + 2 * covariance) / 2
        left = of_difference / 2
        r = np.where((var_a > 0) & (var_b > 0), covariance / np.sqrt(var_a * var_b), np.nan)
        icc = np.where(between + left > 0, (between - left) / (between + left), np.nan)
        bias = mean_a - mean_b
        limit = 1.96 * np.sqrt(of_difference)
        return np.stack([n, r, icc, np.abs(a - b).sum(axis=0) / n, bias, bias - limit, bias + limit], axis=1)


def _is_number(first: pd.DataFrame, second: pd.DataFrame, name: object) -> bool:
    return all(pd.api.types.is_numeric_dtype(table[name].dtype) for table in (first, second))


def _table(source: PathOrTable) -> pd.DataFrame:
    if isinstance(source, pd.DataFrame):
        named = [name for name in source.index.names if name is not None and name not in source]
        table: pd.DataFrame = source.reset_index(named) if named else source.copy()
        return table
    return read_table(source)


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a result: CSV or Parquet of pyfaceau, or a CSV of OpenFace.

    Parameters
    ----------
    path : path-like
        .parquet, .csv or .csv.gz.

    Returns
    -------
    pandas.DataFrame
        With the record of what made it in ``.attrs``, where there is one inside or beside the file.

    Raises
    ------
    ResultFileError
        It cannot be read.

    Examples
    --------
    >>> from pyfaceau import read_table
    >>> read_table("results.parquet").face.summary()  # doctest: +SKIP
    """
    import json

    from ..output import read_openface_csv

    path = Path(path)
    if not path.is_file():
        raise ResultFileError(f"{path}: {'a folder, not a file' if path.is_dir() else 'no such file'}")
    if path.suffix.lower() == ".parquet":
        try:
            table: pd.DataFrame = pd.read_parquet(path)
        except ImportError as error:
            raise ResultFileError(f"{path}: Parquet needs pyarrow: pip install pyarrow") from error
        except (OSError, ValueError) as error:
            raise ResultFileError(f"{path}: cannot be read ({error})") from error
        return table
    pictures = _own_pictures(path)
    table = read_openface_csv(path) if pictures is None else pictures
    record = path.with_name(path.name + ".json")
    if record.is_file():
        try:
            attrs = json.loads(record.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ResultFileError(
                f"{record}: cannot be read ({error}); remove it if it is not the table's"
            ) from error
        table.attrs = attrs if isinstance(attrs, dict) else {}
    return table


def _own_pictures(path: Path) -> pd.DataFrame | None:
    """Read a table of photographs, whose first column is their names; None for others."""
    try:
        head = pd.read_csv(path, nrows=0, skipinitialspace=True)
        if "input" not in head:
            return None
        table: pd.DataFrame = pd.read_csv(path, skipinitialspace=True)
    except OSError as error:
        raise ResultFileError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise ResultFileError(f"{path}: not a table ({error})") from error
    return table
