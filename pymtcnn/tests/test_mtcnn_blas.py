"""The limit on BLAS threads."""

from __future__ import annotations

from threading import Event, Thread

import pymtcnn.backends.blas as limited
from pymtcnn.backends.blas import one_thread


def _threads() -> list[int]:
    """Threads, now, of NumPy's BLAS; not of SciPy's own, which another test may have loaded since."""
    counts = [entry["num_threads"] for entry in limited._blas().info()]
    assert counts
    return counts


def test_blas_is_limited_inside_and_as_before_after() -> None:
    before = _threads()
    with one_thread():
        assert all(n == 1 for n in _threads())
    assert _threads() == before


def test_every_thread_gets_its_limit() -> None:
    with one_thread():
        pass
    found: list[list[int]] = []

    def work() -> None:
        with one_thread():
            found.append(_threads())

    for _ in range(2):
        thread = Thread(target=work)
        thread.start()
        thread.join()
    assert all(n == 1 for counts in found for n in counts)


def test_a_second_thread_waits_until_the_number_is_as_before() -> None:
    before = _threads()
    entered, inside, leave = Event(), Event(), Event()

    def work() -> None:
        entered.set()
        with one_thread():
            inside.set()
            assert leave.wait(10)

    with one_thread():
        thread = Thread(target=work)
        thread.start()
        assert entered.wait(10)
        assert not inside.wait(0.05)
    assert inside.wait(10)
    assert all(n == 1 for n in _threads())
    leave.set()
    thread.join()
    assert _threads() == before
