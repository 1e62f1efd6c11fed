"""One job in a worker process: hash, analyse from the last checkpoint on, write or carry back the results."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pyclnf.errors import ModelChoiceWarning

from ..errors import FinalPassError, PyFaceAUError, VideoError
from ..inputs import check_sequence
from ..output import write_table
from ..provenance import instruction_sets, versions
from ..rotation import rotation_of
from ..video import READ_AHEAD, open_video
from .attempt import Attempt
from .job import Identity, Job, Outcome, Setup, VideoOutcome, fingerprint, identify
from .manifest import BatchVideo
from .pulse import Pulse, PulsedSource, Stopped

if TYPE_CHECKING:
    from ..pipeline import FullPythonAUPipeline
    from ..run import AnalysisRun

NOTE = "progress"  # in the folder of a job

_loading = threading.Lock()
_collecting = threading.Lock()
_loaded: list[FullPythonAUPipeline] = []  # of this process, one at most

logger = logging.getLogger(__name__)


class _FileError(Exception):
    """A video cannot be analysed, and the others of the person can."""

    def __init__(self, path: str, error: Exception, kept: str) -> None:
        super().__init__(_sentence(error, path) + kept)
        self.path = path
        self.lasting = isinstance(error, VideoError)
        self.trace = "" if isinstance(error, PyFaceAUError) else _trace(error)


@dataclass(frozen=True)
class _Task:
    """A job with the tools to do it."""

    job: Job
    setup: Setup
    pipeline: FullPythonAUPipeline
    pulse: Pulse


def analyse_job(job: Job, setup: Setup) -> Outcome:
    """Do a job.

    Parameters
    ----------
    job : Job
    setup : Setup

    Returns
    -------
    Outcome
        Whatever goes wrong is in it.
    """
    began = time.monotonic()
    identities: dict[str, Identity] = {}
    with _work_folder(job.work) as work:
        sizes = {v.path: os.path.getsize(v.path) if os.path.exists(v.path) else 0 for v in job.videos}
        note = None if job.work is None else work / NOTE
        pulse = Pulse(setup.batch, setup.go, setup.checkpoint_s, note, sizes)
        warned: list[str] = []
        try:
            with _collected_warnings() as warned:
                outcome = _analyse(job, setup, work, pulse, identities)
        except Stopped:
            outcome = Outcome(job.key, "stopped")
        except Exception as error:  # nothing that a job does may end the batch
            trace = "" if isinstance(error, (PyFaceAUError, OSError, MemoryError)) else _trace(error)
            why = _sentence(error)
            outcome = Outcome(job.key, "ended", _all_failed(job, why), trace=trace)
    return Outcome(
        outcome.key,
        outcome.state,
        outcome.videos,
        identities,
        outcome.fingerprint,
        {"versions": versions(), "instruction_sets": instruction_sets()},
        pulse.analysed,
        time.monotonic() - began,
        outcome.trace,
        tuple(dict.fromkeys(warned)),
    )


def _analyse(job: Job, setup: Setup, work: Path, pulse: Pulse, identities: dict[str, Identity]) -> Outcome:
    failed: dict[str, str] = {}
    for path in job.inputs:
        try:
            identities[path] = identify(path, job.known.get(path), pulse.check)
        except VideoError as error:
            failed[path] = _not_seen(path) if setup.elsewhere and not os.path.exists(path) else str(error)
    mark = fingerprint(job, setup, identities)
    if mark == job.finished and not failed:
        return Outcome(job.key, "unchanged")
    neutral = job.videos[0].neutral
    if neutral in failed and neutral not in [video.path for video in job.videos]:
        return Outcome(job.key, "ended", _all_failed(job, f"neutral: {failed[neutral]}"))
    task = _Task(job, setup, _pipeline(setup), pulse)
    attempt = Attempt(work, mark)
    failed |= attempt.failed
    lasting, traces = set(failed), [""]
    tables: dict[str, pd.DataFrame] = {}
    while left := [video for video in job.videos if video.path not in failed]:
        try:
            tables = dict(zip([v.path for v in left], _tables(task, attempt, left), strict=True))
            break
        except _FileError as error:
            failed[error.path] = str(error)
            traces.append(error.trace)
            if error.lasting:
                lasting.add(error.path)
            attempt = attempt.anew(failed)
    outcomes = []
    for video, target in zip(job.videos, job.targets, strict=True):
        if video.path in failed:
            why = failed[video.path].removeprefix(f"{video.path}: ")  # whoever shows it names the video
            outcomes.append(VideoOutcome(video.path, "failed", why, video.path in lasting))
        else:
            outcomes.append(_written(video, tables[video.path], target, setup))
    return Outcome(job.key, "ended", tuple(outcomes), fingerprint=mark, trace="".join(traces))


def _tables(task: _Task, attempt: Attempt, videos: Sequence[BatchVideo]) -> list[pd.DataFrame]:
    """Analyse the videos of a job that can be read.

    Raises
    ------
    _FileError
        One of them cannot.
    """
    baseline: Any = videos[0].neutral_frames
    setup = task.setup
    if videos[0].neutral and baseline is None and not attempt.checkpoint("videos").exists():
        with attempt.run(task.pipeline, "neutral", include=()) as run:
            try:
                _take_in(task, attempt, run, "neutral", [videos[0].neutral], {}, None)
            except _FileError as error:  # nothing of this person can be measured
                raise PyFaceAUError(f"neutral: {error}") from error
            baseline = run.baseline_here(Path(videos[0].neutral).name)
    paths = [video.path for video in videos]
    record = {"same_person": [Path(path).name for path in paths]} if videos[0].person else {}
    with attempt.run(task.pipeline, "videos", baseline=baseline) as run:
        _take_in(task, attempt, run, "videos", paths, record, setup.max_frames)
        try:
            return run.finish_parts()
        except FinalPassError as error:
            tables = [*error.completed, error.partial]
            kept = [_keep(table, _target(task.job, p)) for table, p in zip(tables, paths, strict=True)]
            raise PyFaceAUError(f"{error}; the rows are in {', '.join(kept)}") from error


def _take_in(
    task: _Task,
    attempt: Attempt,
    run: AnalysisRun,
    name: str,
    paths: Sequence[str],
    record: dict[str, Any],
    max_frames: int | None,
) -> None:
    """Analyse files as parts of a run, from where its checkpoint stands, saving now and then."""
    ahead = READ_AHEAD
    if task.setup.options.n_threads == 1:  # one core a worker: the others are for other workers
        run.overlaps, ahead = False, 0
    save = attempt.checkpoint(name)
    known = run.frames_done
    for number in range(max(len(run.parts) - 1, 0), len(paths)):
        path = paths[number]
        try:
            if number < len(run.parts):
                turn = int(run.parts[number].attrs["rotated"])
            else:
                check_sequence(Path(path))
                turn = rotation_of(run.engine, Path(path), task.setup.rotate)
            with open_video(path, ahead, turn) as opened:

                def before(
                    given: int, path: str = path, number: int = number, total: int = opened.n_frames or 0
                ) -> None:
                    task.pulse.frame(
                        lambda: run.save(save),
                        run.frames_done,
                        lambda: task.pulse.share(
                            list(paths[:number]), path, min(1.0, given / total) if total else 0.5
                        ),
                    )

                if number == len(run.parts):
                    run.begin(opened.name, opened.fps, decoder=opened.decoder, rotated=turn, **record)
                if max_frames is None or run.parts[-1].last_number < max_frames:
                    run.analyse(PulsedSource(opened, before), max_frames)
        except (OSError, MemoryError):  # of this machine, not of this file
            raise
        except Exception as error:
            alone = name == "videos" and len(task.job.videos) == 1
            raise _FileError(
                path, error, _kept_rows(run, _target(task.job, path)) if alone else ""
            ) from error
        finally:
            task.pulse.analysed += run.frames_done - known
            known = run.frames_done
    run.save(save)  # what follows is short, but need not be preceded by everything again


def _kept_rows(run: AnalysisRun, target: str) -> str:
    """Keep the rows before a failure, and say where."""
    tables = run.tables()[0] if run.parts else []
    if not tables or not len(tables[-1]):
        return ""
    return f"; the first {len(tables[-1])} rows are in {_keep(tables[-1], target)}"


def _keep(table: pd.DataFrame, target: str) -> str:
    """Write rows that are not a whole result beside where that would be."""
    if "://" in target:
        return "no file, as results go elsewhere"
    path = Path(target)
    path = path.with_name(f"{path.stem}.partial{path.suffix}")
    write_table(table, path)
    return str(path)


def _target(job: Job, path: str) -> str:
    """Where the result of a video goes; that of the first for a recording at rest."""
    paths = [video.path for video in job.videos]
    return job.targets[paths.index(path) if path in paths else 0]


def _written(video: BatchVideo, table: pd.DataFrame, target: str, setup: Setup) -> VideoOutcome:
    """Write a result, or take it along."""
    with_face = int(table.loc[table["success"] == 1, "frame"].nunique())
    frames = max(int(table["frame"].max()) if len(table) else 0, with_face)
    style = setup.options.number_format
    content: dict[str, bytes] | None = None
    if setup.carry or "://" in target:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, os.path.basename(target))
            write_table(table, path, style)
            files = {file.name: file.stat().st_size for file in _files_of(path)}
            if setup.carry:
                content = {name: Path(folder, name).read_bytes() for name in files}
            else:
                _upload([Path(folder, name) for name in files], target)
    else:
        write_table(table, target, style)
        files = {}
        for file in _files_of(Path(target)):
            files[file.name] = file.stat().st_size
            _to_disk(file)
    return VideoOutcome(video.path, "done", "", False, frames, with_face, files, content)


def _files_of(path: Path) -> list[Path]:
    """Files of a result: the table, and what made it."""
    return [file for file in (path, path.with_name(path.name + ".json")) if file.exists()]


def _to_disk(path: Path) -> None:
    """Wait until a file would survive a loss of power; the journal calls it done."""
    with open(path, "r+b") as stream:
        os.fsync(stream.fileno())


def _upload(files: Sequence[Path], target: str) -> None:
    """Bring files beside `target` with fsspec, each under its name only when it is whole."""
    try:
        import fsspec
    except ImportError as error:
        raise PyFaceAUError(f"{target}: this needs fsspec; run `pip install 'pyfaceau[dask]'`") from error
    system, path = fsspec.core.url_to_fs(target)
    folder = path.rpartition("/")[0]
    system.makedirs(folder, exist_ok=True)
    for file in reversed(files):  # the table last: where it is, all is
        part = f"{folder}/.{file.name}.{os.getpid()}.part"
        system.put_file(str(file), part)
        system.mv(part, f"{folder}/{file.name}")


def _not_seen(path: str) -> str:
    """Say that this worker has no such file, which those of a cluster often have not."""
    return (
        f"{path}: not there on the worker {socket.gethostname()}; the workers of a cluster need the videos under the "
        "path that they have where the batch begins (a disk that all machines share)"
    )


def _all_failed(job: Job, why: str) -> tuple[VideoOutcome, ...]:
    return tuple(VideoOutcome(video.path, "failed", why) for video in job.videos)


def _pipeline(setup: Setup) -> FullPythonAUPipeline:
    """Return the pipeline of this process, made by the first job that needs it.

    Raises
    ------
    PyFaceAUError
        This machine has other model files than the one that began the batch.
    """
    from ..pipeline import FullPythonAUPipeline

    wanted = dict(setup.model_sha256)
    with _loading:
        # The workers of a cluster outlive a batch, and files may have changed since the last one.
        if not _loaded or _loaded[0].options != setup.options or _loaded[0].engine.model_hashes != wanted:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ModelChoiceWarning)  # the batch has told it, once
                _loaded[:] = [FullPythonAUPipeline.from_options(setup.options)]
        pipeline = _loaded[0]
        found = pipeline.engine.model_hashes
    differing = sorted(n for n in {*found, *wanted} if found.get(n) != wanted.get(n))
    if differing:
        raise PyFaceAUError(
            f"this worker has other model files than the batch ({differing[0]}); install the same on all machines, "
            "or name the set with --models"
        )
    return pipeline


@contextmanager
def _collected_warnings() -> Iterator[list[str]]:
    """Collect what this package warns of, for the batch to tell.

    Python's warnings belong to the whole process: of jobs that run beside each other in threads, one collects.
    """
    texts: list[str] = []
    if not _collecting.acquire(blocking=False):
        yield texts
        return
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            try:
                yield texts
            finally:
                texts += [str(one.message) for one in caught if issubclass(one.category, UserWarning)]
    finally:
        _collecting.release()


@contextmanager
def _work_folder(work: str | None) -> Iterator[Path]:
    """Folder for checkpoints; a temporary one ends with the job."""
    if work is not None:
        Path(work).mkdir(parents=True, exist_ok=True)
        yield Path(work)
        return
    folder = tempfile.mkdtemp(prefix="pyfaceau-batch-")
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sentence(error: BaseException, about: str = "") -> str:
    """Say on one line what happened."""
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif not isinstance(error, PyFaceAUError):
        text = f"{type(error).__name__}: {text}"
    return f"{about}: {text}" if about and about not in text else text


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
