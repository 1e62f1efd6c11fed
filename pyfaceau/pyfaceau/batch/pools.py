"""Where jobs run: processes of this machine, or a Dask cluster that is there already."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import BatchError
from .job import Job, Outcome, Setup
from .pulse import begin_worker, stop_batch
from .worker import analyse_job

if TYPE_CHECKING:
    from concurrent.futures import Future

_POLL = 0.1  # seconds
_PATIENCE = 60.0  # seconds without any worker of a cluster, after which one is told
logger = logging.getLogger(__name__)


class WorkerDiedError(Exception):
    """The process that did a job has ended without an answer; the message says how."""


class Pool(Protocol):
    """Takes jobs and gives back their outcomes in the order in which they end."""

    def room(self) -> bool:
        """Whether another job can be taken now."""

    def submit(self, job: Job) -> None:
        """Begin a job."""

    def ended(self, timeout: float) -> list[tuple[Job, Outcome | Exception]]:
        """Wait for jobs that have ended; an exception is a `WorkerDiedError`, or an error of the pool's own."""

    def stop(self) -> None:
        """Tell all jobs to save and to end soon."""

    def close(self) -> None:
        """End the workers."""


class LocalPool:
    """Worker processes of this machine, each in an executor of its own.

    When a process dies, exactly one job is affected, and it is known which.

    Parameters
    ----------
    setup : Setup
    workers : int
    """

    def __init__(self, setup: Setup, workers: int) -> None:
        self._setup = setup
        self._idle: list[Any] = [None] * workers
        self._busy: list[tuple[Job, Any, Future[Outcome]]] = []

    def room(self) -> bool:
        """Whether a worker is idle."""
        return bool(self._idle)

    def submit(self, job: Job) -> None:
        """Give a job to an idle worker, and start its process if need be."""
        executor = self._idle.pop() or self._start()
        self._busy.append((job, executor, executor.submit(analyse_job, job, self._setup)))

    def ended(self, timeout: float) -> list[tuple[Job, Outcome | Exception]]:
        """Wait for jobs that have ended."""
        from concurrent.futures import FIRST_COMPLETED, wait

        wait([future for _, _, future in self._busy], timeout, FIRST_COMPLETED)
        ended: list[tuple[Job, Outcome | Exception]] = []
        for entry in [entry for entry in self._busy if entry[2].done()]:
            self._busy.remove(entry)
            job, executor, future = entry
            error = future.exception()
            if error is None:
                outcome = future.result()
                ended.append((job, outcome))
                if outcome.state != "stopped":
                    self._idle.append(executor)
                    continue
            elif isinstance(error, Exception):
                died = WorkerDiedError(" ".join(str(error).split()))
                ended.append((job, died if _is_broken(error) else error))
            else:
                raise error
            executor.shutdown(wait=False, kill_workers=True)  # dead, or told to end
            self._idle.append(None)
        return ended

    def stop(self) -> None:
        """Remove the file whose presence lets the jobs go on; this also works on a full disk."""
        if self._setup.go is not None:
            Path(self._setup.go).unlink(missing_ok=True)

    def close(self) -> None:
        """End the processes."""
        for executor in [*self._idle, *(executor for _, executor, _ in self._busy)]:
            if executor is not None:
                executor.shutdown(wait=True, kill_workers=True)
        self._idle, self._busy = [], []

    def _start(self) -> Any:
        from joblib.externals.loky import ProcessPoolExecutor

        threads = self._setup.options.n_threads
        # Linear algebra of a worker stays on the cores of that worker.
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        return ProcessPoolExecutor(
            1,
            timeout=None,
            initializer=begin_worker,
            initargs=(os.getpid(), threads),
            env=dict.fromkeys(names, str(threads)),
        )


def _is_broken(error: BaseException) -> bool:
    from concurrent.futures import BrokenExecutor

    return isinstance(error, BrokenExecutor)


class DaskPool:
    """The workers of a Dask cluster, which may come and go.

    Parameters
    ----------
    setup : Setup
    client : distributed.Client
    owned : bool
        Whether `close` closes the client.
    """

    def __init__(self, setup: Setup, client: Any, *, owned: bool) -> None:
        self._setup, self._client, self._owned = replace(setup, elsewhere=True), client, owned
        self._futures: dict[Any, Job] = {}
        self._count = 0
        self._last_seen: float | None = (
            time.monotonic()
        )  # when there were workers; None if one was told that not

    def room(self) -> bool:
        """Dask queues by itself, and learns of new workers sooner than we would."""
        return True

    def submit(self, job: Job) -> None:
        """Hand a job to the scheduler."""
        self._count += 1
        key = f"pyfaceau-{self._setup.batch}-{self._count}"
        future = self._client.submit(analyse_job, job, self._setup, key=key, pure=False)
        self._futures[future] = job

    def ended(self, timeout: float) -> list[tuple[Job, Outcome | Exception]]:
        """Wait for jobs that have ended."""
        until = time.monotonic() + timeout
        while not (done := [future for future in self._futures if future.done()]):
            if time.monotonic() > until:
                self._look_for_workers()
                return []
            time.sleep(_POLL)
        return [(self._futures.pop(future), self._result(future)) for future in done]

    def _look_for_workers(self) -> None:
        """Tell, once each time, if jobs have been waiting for workers that do not come."""
        if self._client.scheduler_info()["workers"]:
            self._last_seen = time.monotonic()
        elif self._last_seen is not None and time.monotonic() - self._last_seen > _PATIENCE:
            self._last_seen = None
            logger.warning(
                "%d video(s) wait, but no worker has been connected to %s for %.0f s; start workers, or look at what "
                "your cluster says of them",
                sum(len(job.videos) for job in self._futures.values()),
                self._client.scheduler.address,
                _PATIENCE,
            )

    def _result(self, future: Any) -> Outcome | Exception:
        from distributed import KilledWorker

        if future.cancelled():
            return Outcome("", "stopped")
        try:
            outcome: Outcome = future.result()
        except KilledWorker as error:
            return WorkerDiedError(" ".join(str(error).split()))
        except Exception as error:
            return error
        return outcome

    def stop(self) -> None:
        """Tell the workers, and take back what has not begun."""
        if self._setup.go is not None:
            Path(self._setup.go).unlink(missing_ok=True)
        self._client.run(stop_batch, self._setup.batch)
        working = {key for keys in self._client.processing().values() for key in keys}
        self._client.cancel([future for future in self._futures if future.key not in working])

    def close(self) -> None:
        """Leave the cluster as it was."""
        self._client.cancel(list(self._futures))
        if self._owned:
            self._client.close()


def connect(scheduler: str) -> Any:
    """Connect to the scheduler of a Dask cluster.

    Parameters
    ----------
    scheduler : str
        Address such as ``tcp://host:8786``, or the path of a scheduler file (.json).

    Raises
    ------
    BatchError
        distributed is not installed, or nobody answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise BatchError("a Dask cluster needs `pip install 'pyfaceau[dask]'`") from error
    try:
        make: Any = Client  # distributed has no types
        return make(scheduler_file=scheduler) if scheduler.endswith(".json") else make(scheduler)
    except (OSError, ValueError, TimeoutError) as error:
        raise BatchError(f"no Dask scheduler answers at {scheduler} ({error})") from error


def active_dask_client() -> Any:
    """Return the client that ``joblib.parallel_config(backend="dask")`` has chosen, if one is in force.

    Raises
    ------
    BatchError
        Another backend than "dask" or joblib's processes has been chosen.
    """
    from joblib.parallel import get_active_backend

    backend, _ = get_active_backend()
    client = getattr(backend, "client", None)
    if client is None and type(backend).__name__ not in ("LokyBackend", "SequentialBackend"):
        raise BatchError(
            f"a batch runs with joblib's backends 'loky' and 'dask', not {type(backend).__name__}"
        )
    return client
