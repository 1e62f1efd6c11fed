"""The limit on BLAS threads."""

from threading import Thread

from threadpoolctl import ThreadpoolController

from pymtcnn.backends.blas import one_thread


def _threads() -> list[int]:
    return [entry["num_threads"] for entry in ThreadpoolController().select(user_api="blas").info()]


def test_blas_is_limited_inside_and_as_before_after() -> None:
    before = _threads()
    with one_thread():
        assert all(n == 1 for n in _threads())
    assert _threads() == before


def test_users_that_leave_in_another_order_restore_the_number() -> None:
    before = _threads()
    with one_thread():
        outer = one_thread()
        thread = Thread(target=outer.__enter__)
        thread.start()
        thread.join()
    assert all(n == 1 for n in _threads())  # the other one is still inside
    outer.__exit__(None, None, None)
    assert _threads() == before
