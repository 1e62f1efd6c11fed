"""A batch from its list of videos to its summary: what is to be done, what became of it, what goes on later."""

from __future__ import annotations

import csv
import hashlib
import logging
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pyclnf._lock import exclusive
from pyclnf.io import atomic_write

from ..engine import Engine
from ..errors import BatchError
from ..options import AnalysisOptions
from ..output import check_target
from ..provenance import instruction_sets, versions
from ..rotation import Rotation, check_rotation
from .job import Identity, Job, Outcome, Setup, VideoOutcome, fingerprint, stat_of
from .journal import FOLDER, Entry, Journal
from .manifest import BatchVideo, PathLike, collect_videos, people
from .pools import DaskPool, LocalPool, Pool, WorkerDiedError, active_dask_client, connect
from .pulse import read_note
from .summary import BatchSummary
from .worker import NOTE

TableFormat = Literal["csv", "parquet"]
CHECKPOINT_S = 20.0  # seconds of work that a crash can cost
MOST_DEATHS = 3  # of workers at one job without a checkpoint in between, as in Dask
SUMMARY = "_batch.csv"  # no video's result begins with an underscore and this name by chance
_WAIT = 0.25  # seconds between looks at the workers

logger = logging.getLogger(__name__)


@dataclass
class BatchProgress:
    """How far a batch is, for displays.

    Attributes
    ----------
    videos, finished, failed : int
        `finished` includes the failed ones.
    frames : int
        Analysed this time, in videos under way as well.
    share : float
        Of all bytes of video, 0 to 1.
    share_before : float
        Part of `share` that was done before.
    """

    videos: int = 0
    finished: int = 0
    failed: int = 0
    frames: int = 0
    share: float = 0.0
    share_before: float = 0.0


Report = Callable[[BatchProgress, Sequence[Entry]], None]
"""Called now and then, with the videos that have ended since."""


@dataclass
class _State:
    """What the loop knows."""

    waiting: list[Job]
    running: dict[str, Job] = field(default_factory=dict)
    deaths: Counter[str] = field(default_factory=Counter)
    saved: dict[str, int] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    analysed: int = 0
    share: float = 0.0


def run_batch(
    inputs: Sequence[PathLike] | PathLike,
    output: PathLike,
    options: AnalysisOptions | None = None,
    *,
    workers: int = 1,
    format: TableFormat = "csv",
    max_frames: int | None = None,
    rotate: Rotation = 0,
    scheduler: str | None = None,
    results: str | None = None,
    bring_back: bool = False,
    redo: bool = False,
    checkpoint_s: float = CHECKPOINT_S,
    report: Report | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> BatchSummary:
    """Analyse many videos, each once, and go on where an earlier call was interrupted.

    A video is analysed anew only if its bytes, the models or the options are others than those of its result.
    Videos that fail stop nobody; they are tried again by the next call.

    Parameters
    ----------
    inputs : path-like or sequence of path-like
        Folders, patterns, videos or manifests; see `collect_videos`.
    output : path-like
        Folder of the results, with the journal and the checkpoints in ``.pyfaceau``.
    options : AnalysisOptions, optional
    workers : int
        Processes of this machine, each with ``options.threads`` threads. Not used with a Dask cluster.
    format : {"csv", "parquet"}
        Of the results.
    max_frames : int, optional
        Stop after so many frames of each video.
    rotate : {"auto", 0, 90, 180, 270}
        Turn the frames clockwise; "auto": as the faces show.
    scheduler : str, optional
        Address or scheduler file of a Dask cluster. Without it, that of ``joblib.parallel_config(backend="dask")``
        if one is in force.
    results : str, optional
        Folder for the results at any address that fsspec knows, such as ``s3://bucket/folder``; `output` keeps the
        journal.
    bring_back : bool
        Results travel back from the workers and are written here: for clusters that do not share `output`.
    redo : bool
        Analyse finished videos as well.
    checkpoint_s : float
        Most seconds of work between two checkpoints of a video.
    report : callable, optional
        Called now and then with a `BatchProgress` and the entries that have ended.
    stop : callable
        Asked now and then; True saves the work and ends.

    Returns
    -------
    BatchSummary

    Raises
    ------
    ManifestError
        There are no such videos, or the manifest is wrong.
    BatchError
        Another batch is at work in `output`, or the journal cannot be used.
    OutputError
        `output` cannot be written to.
    pyclnf.MissingModelError, pyclnf.ModelFileError
        A model file is missing or damaged.

    Examples
    --------
    >>> import tempfile
    >>> from pyfaceau import AnalysisOptions, run_batch
    >>> from pyfaceau.demo import DEMO_CLIP
    >>> results = tempfile.mkdtemp()
    >>> summary = run_batch(DEMO_CLIP, results, AnalysisOptions(models="open"), max_frames=2)
    >>> summary.analysed, [entry.state for entry in summary.entries]
    (2, ['done'])
    """
    from time import monotonic

    if workers < 1 or not checkpoint_s > 0 or (max_frames is not None and max_frames < 1):
        raise ValueError("workers and max_frames must be at least 1, checkpoint_s must be positive")
    if format not in ("csv", "parquet"):
        raise ValueError(f"format must be 'csv' or 'parquet', got {format!r}")
    check_rotation(rotate)
    given = [inputs] if isinstance(inputs, (str, os.PathLike)) else list(inputs)
    options = options or AnalysisOptions()
    folder, suffix = Path(output).resolve(), f".{format}"
    began = monotonic()
    videos = collect_videos(given, folder)
    groups = people(videos)
    if options.max_faces > 1 and any(len(group) > 1 or group[0].neutral for group in groups):
        raise BatchError("videos of one person, and `neutral` recordings, need max_faces=1")
    targets = {video.path: _target(video, folder, results, suffix) for video in videos}
    check_target(folder / f"check{suffix}")  # before any work
    private = folder / FOLDER
    with _alone(folder), Journal(folder) as journal:
        engine = Engine(options)  # tells at once what is missing, and which models were chosen
        name = uuid.uuid4().hex[:12]
        for left in private.glob("go-*"):
            left.unlink()
        go = private / f"go-{name}"
        go.touch()
        client = connect(scheduler) if scheduler else active_dask_client()
        shared = client is None or not bring_back
        setup = Setup(
            options,
            dict(engine.model_hashes),
            max_frames,
            rotate,
            checkpoint_s,
            name,
            str(go) if shared else None,
            bring_back,
            suffix,
        )
        journal.begin(videos, [targets[video.path] for video in videos])
        entries = {entry.path: entry for entry in journal.entries()}
        known = journal.identities()
        jobs = [_job(group, entries, known, private if shared else None, redo) for group in groups]
        todo = [job for job in jobs if redo or not _is_finished(job, setup, entries, known)]
        journal.reopen(video.path for job in todo for video in job.videos)
        unchanged = len(videos) - sum(len(job.videos) for job in todo)
        loop = _Loop(journal, setup, jobs, todo, private, report, stop)
        with ExitStack() as stack:
            stack.callback(go.unlink, missing_ok=True)
            pool: Pool = (
                LocalPool(setup, min(workers, max(1, len(todo))))
                if client is None
                else DaskPool(setup, client, owned=scheduler is not None)
            )
            stack.callback(pool.close)
            stopped = loop.run(pool)
        _warn_of_mixtures(journal.entries())
        summary = BatchSummary(
            journal.entries(),
            loop.state.analysed,
            unchanged + loop.unchanged,
            monotonic() - began,
            stopped,
        )
        _write_summary(summary, folder / SUMMARY)
    return summary


class _Loop:
    """Gives jobs to the pool and notes what becomes of them."""

    def __init__(
        self,
        journal: Journal,
        setup: Setup,
        jobs: Sequence[Job],
        todo: Sequence[Job],
        private: Path,
        report: Report | None,
        stop: Callable[[], bool],
    ) -> None:
        self._journal, self._setup, self._private = journal, setup, private
        self._report, self._stop = report, stop
        sizes = {job.key: _size(job) for job in jobs}
        self._sizes, self._total = sizes, max(1, sum(sizes.values()))
        left = {job.key for job in todo}
        before = sum(size for key, size in sizes.items() if key not in left) / self._total
        n_videos = sum(len(job.videos) for job in jobs)
        finished = n_videos - sum(len(job.videos) for job in todo)
        self._progress = BatchProgress(n_videos, finished, 0, 0, before, before)
        # The longest first, so that no worker is left alone with it at the end.
        self.state = _State(sorted(todo, key=lambda job: -sizes[job.key]), share=before)
        self.unchanged = 0

    def run(self, pool: Pool) -> bool:
        """Do all jobs; True if told to stop before."""
        state, stopping = self.state, False
        while state.running or (state.waiting and not stopping):
            if not stopping and self._stop():
                stopping = True
                pool.stop()
            while state.waiting and not stopping and pool.room():
                job = state.waiting.pop(0)
                state.running[job.key] = job
                pool.submit(job)
            for job, found in pool.ended(_WAIT):
                del state.running[job.key]
                if isinstance(found, Outcome):
                    self._note(job, found, stopping)
                elif not stopping:
                    self._died(job, found)
            self._tell()
        self._tell()
        return stopping

    def _note(self, job: Job, outcome: Outcome, stopping: bool) -> None:
        state = self.state
        state.analysed += outcome.analysed
        if outcome.state == "stopped":
            self._journal.end(outcome)
            if not stopping:  # somebody else told this worker to end
                state.waiting.append(job)
            return
        state.share += self._sizes[job.key] / self._total
        outcome = self._received(job, outcome)
        self._journal.end(outcome)
        if outcome.state == "unchanged":
            self._journal.confirm(video.path for video in job.videos)
            self.unchanged += len(job.videos)
        state.ended += [video.path for video in job.videos]
        if not any(v.state == "failed" and not v.lasting for v in outcome.videos) and job.work:
            shutil.rmtree(job.work, ignore_errors=True)

    def _received(self, job: Job, outcome: Outcome) -> Outcome:
        """Write what has travelled back."""
        from dataclasses import replace

        videos: list[VideoOutcome] = []
        for video in outcome.videos:
            if video.content is not None:
                target = Path(dict(zip((v.path for v in job.videos), job.targets, strict=True))[video.path])
                try:
                    for name, data in reversed(
                        [*video.content.items()]
                    ):  # the table last: where it is, all is
                        with atomic_write(target.with_name(name)) as stream:
                            stream.write(data)
                            stream.flush()
                            os.fsync(stream.fileno())
                except OSError as error:
                    why = f"{target}: cannot be written ({error.strerror or error})"
                    video = VideoOutcome(video.path, "failed", why)
            videos.append(replace(video, content=None))
        return replace(outcome, videos=tuple(videos))

    def _died(self, job: Job, error: Exception) -> None:
        """Try again, unless the workers die at this job again and again."""
        state, key = self.state, job.key
        saved = read_note(Path(job.work) / NOTE)[2] if job.work else 0
        if saved > state.saved.get(key, 0):
            state.deaths[key] = 0
        state.saved[key] = saved
        state.deaths[key] += 1
        if isinstance(error, WorkerDiedError) and state.deaths[key] < MOST_DEATHS:
            logger.warning("a worker ended while it analysed %s; trying again", job.videos[0].path)
            state.waiting.insert(0, job)
            return
        what = (
            f"the worker process ended {state.deaths[key]} times"
            if isinstance(error, WorkerDiedError)
            else "failed"
        )
        self._journal.fail([video.path for video in job.videos], f"{what}: {error}")
        state.share += self._sizes[key] / self._total
        state.ended += [video.path for video in job.videos]

    def _tell(self) -> None:
        if self._report is None:
            return
        state, progress = self.state, self._progress
        notes = {key: read_note(Path(job.work) / NOTE) for key, job in state.running.items() if job.work}
        frames = state.analysed + sum(frames for frames, _, _ in notes.values())
        progress.frames = max(progress.frames, frames)
        under_way = sum(share * self._sizes[key] for key, (_, share, _) in notes.items()) / self._total
        progress.share = min(1.0, max(progress.share, state.share + under_way))
        ended: list[Entry] = []
        if state.ended:
            by_path = {entry.path: entry for entry in self._journal.entries()}
            ended = [by_path[path] for path in state.ended]
            state.ended = []
        progress.finished += len(ended)
        progress.failed += sum(entry.state == "failed" for entry in ended)
        self._report(progress, ended)


def _job(
    group: tuple[BatchVideo, ...],
    entries: Mapping[str, Entry],
    known: Mapping[str, Identity],
    private: Path | None,
    redo: bool,
) -> Job:
    its = [entries[video.path] for video in group]
    key = f"person {group[0].person}" if group[0].person else group[0].path
    work = None if private is None else str(private / "work" / hashlib.sha256(key.encode()).hexdigest()[:20])
    marks = {entry.fingerprint for entry in its}
    there = all(entry.files and _is_there(entry) for entry in its) and len(marks) == 1 and not redo
    job = Job(key, group, tuple(entry.target for entry in its), {}, marks.pop() if there else "", work)
    its_known = {path: known[path] for path in job.inputs if path in known}
    return Job(key, group, job.targets, its_known, job.finished, work)


def _is_finished(job: Job, setup: Setup, entries: Mapping[str, Entry], known: Mapping[str, Identity]) -> bool:
    """Whether the results stand, as far as sizes and times of change tell.

    A person with a video that cannot be read is not analysed anew as long as that has not changed.
    """
    its = [entries[video.path] for video in job.videos]
    if not any(entry.state == "done" for entry in its):
        return False
    if not all(_is_there(entry) if entry.state == "done" else entry.lasting for entry in its):
        return False
    now: dict[str, Identity] = {}
    for path in job.inputs:
        if os.path.exists(path):
            identity = known.get(path)
            if identity is None or (identity.size, identity.mtime_ns) != stat_of(path):
                return False
            now[path] = identity
    mark = fingerprint(job, setup, now)
    return all(entry.fingerprint == mark for entry in its)


def _is_there(entry: Entry) -> bool:
    """Whether the files of a result are as they were written; those elsewhere are taken to be."""
    if "://" in entry.target:
        return True
    folder = Path(entry.target).parent
    try:
        return all((folder / name).stat().st_size == size for name, size in entry.files.items())
    except OSError:
        return False


def _size(job: Job) -> int:
    return sum(os.path.getsize(v.path) if os.path.isfile(v.path) else 1 for v in job.videos)


def _target(video: BatchVideo, output: Path, results: str | None, suffix: str) -> str:
    if results is None:
        return str(output / f"{video.name}{suffix}")
    folder = results.rstrip("/")
    return f"{folder if '://' in folder else Path(folder).resolve()}/{video.name}{suffix}"


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Be the only batch in a folder.

    Raises
    ------
    BatchError
        There is one already.
    """
    with ExitStack() as stack:
        try:
            locked = stack.enter_context(exclusive(output / FOLDER / "lock", wait=False))
        except BlockingIOError as error:
            raise BatchError(f"{output}: another batch is at work there; wait for it, or stop it") from error
        except OSError as error:
            raise BatchError(f"{output}: cannot be written ({error.strerror or error})") from error
        if not locked:
            logger.warning(
                "%s: its file system has no locks; be sure that only one batch works there", output
            )
        yield


def _warn_of_mixtures(entries: Sequence[Entry]) -> None:
    """Tell if the results of a batch come from versions or instruction sets that may differ in their numbers."""
    here = {"versions": versions(), "instruction_sets": instruction_sets()}
    for what, advice in (
        ("versions", "analyse them anew with --redo if they are to be compared"),
        ("instruction_sets", "set PYFACEAU_INSTRUCTION_SET to one that all machines have, and use --redo"),
    ):
        others = [e for e in entries if e.state == "done" and e.made_with.get(what) != here[what]]
        if others:
            logger.warning(
                "%d of %d results were made with other %s than this machine's, such as %s; %s",
                len(others),
                len(entries),
                what.replace("_", " "),
                others[0].name,
                advice,
            )


def _write_summary(summary: BatchSummary, path: Path) -> None:
    """Write what became of each video as a table."""
    extra = list(dict.fromkeys(name for entry in summary.entries for name in entry.columns))
    try:
        with atomic_write(path, "w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(
                ["path", "result", "state", "why", "frames", "frames_with_face", "warnings", *extra]
            )
            for e in summary.entries:
                row = [e.path, e.target, e.state, e.why, e.frames, e.with_face, "; ".join(e.warnings)]
                writer.writerow([*row, *(e.columns.get(name, "") for name in extra)])
    except OSError as error:
        logger.warning("%s: cannot be written (%s)", path, error.strerror)
