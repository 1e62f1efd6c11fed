"""Keeps NumPy's matrix products on one thread while the networks run.

The products are small: a second thread gains little on an idle machine, and on a busy one OpenBLAS's threads
wait for each other in spin loops, which was seen to turn 10 ms a frame into a second. OpenBLAS also sums in
another order on another number of threads, which changes the last bits.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from threadpoolctl import ThreadpoolController

_turn = threading.Lock()


@lru_cache(maxsize=1)
def _blas() -> Any:
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit BLAS to one thread, in one thread of the process at a time.

    The number is the whole process's, and of several limits that overlap in time the last to leave would restore
    what the first to come had set; some versions of threadpoolctl ignore all but the first. So users take turns.
    """
    with _turn, _blas().limit(limits=1):
        yield
