"""All results of a batch as one table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..errors import BatchError
from .journal import Entry, read_entries


def read_results(output: str | os.PathLike[str], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read all finished results of a batch.

    Parameters
    ----------
    output : path-like
        Output folder of the batch; it may be at work.
    columns : sequence of str, optional
        Columns of the results to read, such as ``("timestamp", "AU12_r")``; all by default.

    Returns
    -------
    pandas.DataFrame
        Rows of all videos in the order of the batch. The index has the levels `video` (path below the output
        folder, without ending) and `row`. The manifest's columns (person, group, ...) follow those of the results.
        ``.attrs`` holds what failed, by path; what made each result is beside or inside its file.

    Raises
    ------
    BatchError
        There is no batch, it has no finished result, or a result is gone.

    Examples
    --------
    >>> import tempfile
    >>> from pyfaceau import AnalysisOptions, read_results, run_batch
    >>> from pyfaceau.demo import DEMO_CLIP
    >>> results = tempfile.mkdtemp()
    >>> summary = run_batch(DEMO_CLIP, results, AnalysisOptions(models="open"), max_frames=2)
    >>> read_results(results, columns=["frame", "success"]).shape
    (2, 2)
    """
    entries = read_entries(Path(output))
    done = [entry for entry in entries if entry.state == "done"]
    if not done:
        raise BatchError(f"{output}: no video of this batch is finished yet")
    extra = list(dict.fromkeys(name for entry in done for name in entry.columns))
    tables = {entry.name: _with_columns(_table(entry, columns), entry, extra) for entry in done}
    result: pd.DataFrame = pd.concat(tables, names=["video", "row"])
    for name in extra:
        result[name] = result[name].astype("category")  # one word a video, not one a row
    result.attrs = {"failed": {entry.path: entry.why for entry in entries if entry.state == "failed"}}
    return result


def _with_columns(table: pd.DataFrame, entry: Entry, extra: Sequence[str]) -> pd.DataFrame:
    table.attrs = {}
    whole: pd.DataFrame = table.assign(**{name: entry.columns.get(name, "") for name in extra})
    return whole


def _table(entry: Entry, columns: Sequence[str] | None) -> pd.DataFrame:
    wanted = None if columns is None else list(columns)
    try:
        if entry.target.endswith(".parquet"):
            table: pd.DataFrame = pd.read_parquet(entry.target, columns=wanted)
        else:
            # OpenFace's own digits come with a space after each comma.
            table = pd.read_csv(entry.target, skipinitialspace=True)
        return table if wanted is None else table[wanted]
    except FileNotFoundError as error:
        raise BatchError(f"{entry.target} is gone; run the batch again to make it anew") from error
    except (OSError, ValueError, KeyError) as error:
        raise BatchError(f"{entry.target}: cannot be read ({error})") from error
