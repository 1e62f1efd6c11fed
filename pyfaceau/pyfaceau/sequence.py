"""Files one after the other, each alone or all as one long recording, and what is kept when one of them fails."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import FinalPassError, ProcessingError
from .inputs import check_sequence
from .output import SharedSink, write_table
from .progress import ProgressCallback
from .rotation import Rotation, rotation_of
from .run import AnalysisRun
from .video import open_video

if TYPE_CHECKING:
    import pandas as pd

PathLike = str | os.PathLike[str]
Save = Callable[["pd.DataFrame", PathLike], None]

logger = logging.getLogger(__name__)


def analyse_files(
    new_run: Callable[[], AnalysisRun],
    paths: Sequence[Path],
    *,
    outputs: Sequence[PathLike] | None,
    one_run: bool,
    rotate: Rotation,
    max_frames: int | None,
    progress: bool | ProgressCallback,
    save: Save,
) -> list[pd.DataFrame]:
    """Analyse files and write their results.

    Parameters
    ----------
    new_run : callable
        Begins a run.
    paths : sequence of Path
    outputs : sequence of path-like, optional
        Where the result of each file goes.
    one_run : bool
        The files are one long recording, which is cut afterwards.
    rotate, max_frames, progress
        As in `FullPythonAUPipeline.process_video`.
    save : callable
        Writes a result.

    Returns
    -------
    list of pandas.DataFrame
        In the order of `paths`.

    Raises
    ------
    VideoError
        The first file cannot be opened.
    ProcessingError
        A later file cannot be opened, or something failed on the way. What was computed is kept.
    """
    results: list[pd.DataFrame] = []
    groups = [list(paths)] if one_run else [[path] for path in paths]
    for group in groups:
        targets = list(outputs[len(results) :][: len(group)]) if outputs is not None else []
        record: dict[str, Any] = {"same_person": [path.name for path in group]} if one_run else {}
        if max_frames is not None:
            record["max_frames"] = max_frames
        run, analysed = new_run(), 0
        try:
            for path in group:
                check_sequence(path)
                turn = rotation_of(run.engine, path, rotate)
                with open_video(path, rotate=turn) as source:
                    logger.debug("%s: %.6g frames/s, decoded by %s", path, source.fps, source.decoder)
                    run.begin(source.name, source.fps, decoder=source.decoder, rotated=turn, **record)
                    run.analyse(source, max_frames, progress)
                analysed += 1
            tables = run.finish_parts()
        except BaseException as error:
            _keep(error, run, group[analysed : analysed + 1], analysed, targets, results, save)
            raise
        for table, target in zip(tables, targets, strict=False):
            save(table, target)
        results += tables
    return results


def _keep(
    error: BaseException,
    run: AnalysisRun,
    failed: Sequence[Path],
    analysed: int,
    targets: Sequence[PathLike],
    results: Sequence[pd.DataFrame],
    save: Save,
) -> None:
    """Keep what was computed before an error: complete results in their places, the others beside theirs.

    Raises
    ------
    ProcessingError
        With everything in it; unless no file has been opened, or `error` is not an `Exception` (Ctrl-C), which
        then goes on as it is.
    """
    tables = run.tables()[0] if run.parts else []
    complete = 0 if isinstance(error, FinalPassError) else min(analysed, len(tables))
    kept = ""
    for number, (table, target) in enumerate(zip(tables, targets, strict=False)):
        table.attrs["complete"] = number < complete
        if number < complete:
            save(table, target)
        elif len(table):
            kept += f"; the first {len(table)} rows are in {_save_partial(table, target)}"
    if not isinstance(error, Exception):
        logger.warning("%s: interrupted%s", failed[0] if failed else "the final pass", kept)
        return
    if not tables and not results:
        return
    if isinstance(error, FinalPassError):
        raise FinalPassError(f"{error}{kept}", tables[-1], [*results, *tables[:-1]]) from error
    import pandas as pd

    partial = tables[complete] if len(tables) > complete else pd.DataFrame()
    name = failed[0] if failed else "the end of the run"
    message = f"{name}: failed after {len(partial)} rows: {error}{kept}"
    raise ProcessingError(message, partial, [*results, *tables[:complete]]) from error


def _save_partial(table: pd.DataFrame, target: PathLike) -> Path:
    target = Path(target)
    target = target.with_name(f"{target.stem}.partial{target.suffix}")
    write_table(table, target)
    return target


@contextmanager
def finishing(sinks: Sequence[SharedSink]) -> Iterator[None]:
    """Close sinks at the end; after a failure, files that would look complete are discarded instead."""
    complete = False
    try:
        yield
        complete = True
    except FinalPassError:  # they have seen every frame
        complete = True
        raise
    finally:
        for sink in sinks:
            sink.finish(complete=complete)
