"""One thread that owns what must not be driven from several, behind a bounded queue."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from queue import Queue
from typing import Any, Generic, TypeVar

__all__ = ["Worker"]

T = TypeVar("T")
R = TypeVar("R")

_Job = tuple[Callable[[Any], Any], "Future[Any]"]

# How long the end of the process waits for the job under way.
_GOODBYE_SECONDS = 5.0


class Worker(Generic[T]):
    """Runs calls on an object in one thread of its own, in the order in which they come.

    Parameters
    ----------
    load : callable
        Makes the object, in the worker's thread, before the first call. If it fails, that call gets the exception and
        the next one tries again.
    capacity : int, default 8
        Calls that may wait; a further caller waits until there is room.
    name : str
        Name of the thread.

    Notes
    -----
    The thread starts with the first call and ends when the worker is closed, forgotten, or the process ends. A process
    forked from this one starts a thread and an object of its own.

    Examples
    --------
    >>> from pymtcnn.backends.worker import Worker
    >>> worker = Worker(lambda: [1, 2, 3])
    >>> worker.call(sum)
    6
    >>> worker.close()
    """

    def __init__(self, load: Callable[[], T], capacity: int = 8, name: str = "pymtcnn-worker") -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}; pass a number from 1 up")
        self._load = load
        self._capacity = capacity
        self._name = name
        self._starting = threading.Lock()
        self._process = 0
        self._closed = False
        self._queue: Queue[_Job | None] = Queue(capacity)
        self._end: weakref.finalize[..., Any] | None = None

    def call(self, function: Callable[[T], R]) -> R:
        """Run a function on the object, and wait for its result.

        Parameters
        ----------
        function : callable
            Takes the object.

        Returns
        -------
        object
            What it returns; an exception crosses as itself.

        Raises
        ------
        RuntimeError
            The worker is closed.
        """
        self._start()
        future: Future[R] = Future()
        self._queue.put((function, future))
        return future.result()

    def close(self) -> None:
        """End the thread after the calls that wait; further calls are refused."""
        with self._starting:
            self._closed = True
            if self._end is not None and self._process == os.getpid():
                self._end()

    def _start(self) -> None:
        with self._starting:
            if self._closed:
                raise RuntimeError("this worker is closed")
            if self._process == os.getpid():
                return
            if self._end is not None:  # forked: the thread stayed behind
                self._end.detach()
            self._queue = Queue(self._capacity)
            # The thread knows the queue, not the worker, so that a forgotten worker ends it.
            thread = threading.Thread(
                target=_serve, args=(self._queue, self._load), name=self._name, daemon=True
            )
            self._end = weakref.finalize(self, _dismiss, self._queue, thread)
            self._process = os.getpid()
            thread.start()


def _serve(queue: Queue[_Job | None], load: Callable[[], Any]) -> None:
    owned: list[Any] = []
    while (job := queue.get()) is not None:
        function, future = job
        try:
            if not owned:
                owned.append(load())
            result = function(owned[0])
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)
        del job, function, future  # while it waits, the thread keeps nobody's arrays alive


def _dismiss(queue: Queue[_Job | None], thread: threading.Thread) -> None:
    queue.put(None)
    if thread is not threading.current_thread():
        thread.join(_GOODBYE_SECONDS)
