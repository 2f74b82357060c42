import contextlib
import threading
import time
import weakref
from collections.abc import Generator, Iterator
from concurrent.futures import CancelledError

import pytest

from musicnet_duet.concurrency import Task, TaskThreads, computed_once, prefetch_map


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    slow = threading.Event()

    def square(number: int) -> int:
        if number % 5 == 0:
            slow.wait(0.01)
        return number**2

    squares = [number**2 for number in range(40)]
    assert list(prefetch_map(square, range(40), threads=threads)) == squares
    assert list(prefetch_map(square, [], threads=threads)) == []


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_items_are_taken_no_further_ahead_than_promised(threads: int) -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(99):
            taken.append(number)
            yield number

    for given, _ in enumerate(prefetch_map(str, items(), threads=threads)):
        assert len(taken) - given <= 2 * threads


def test_threads_work_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)
    assert len(list(prefetch_map(lambda _: both.wait(), range(2), threads=2))) == 2


def test_an_error_is_raised_where_its_result_would_have_been() -> None:
    results = prefetch_map(lambda number: 1 // (3 - number), range(9), threads=2)
    assert [next(results) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interruption_comes_through_at_once(threads: int) -> None:
    main = threading.current_thread()
    helper_is_busy, done = threading.Event(), threading.Event()

    def interrupted(number: int) -> int:
        if threading.current_thread() is main:
            if threads > 1:
                helper_is_busy.wait(10)
            raise KeyboardInterrupt
        helper_is_busy.set()
        done.wait(10)
        return number

    with pytest.raises(KeyboardInterrupt):
        next(prefetch_map(interrupted, range(9), threads=threads))
    done.set()


@pytest.mark.parametrize("closed", [False, True])
def test_no_thread_is_left(closed: bool) -> None:
    before = threading.active_count()
    results = prefetch_map(str, range(99), threads=4)
    next(results)
    if closed:
        assert isinstance(results, Generator)
        results.close()
    else:
        list(results)
    for thread in threading.enumerate():
        if thread.name.startswith("prefetch_map"):
            thread.join(10)
    assert threading.active_count() <= before


class Calls:
    """A call that counts how often it is made, and may be wrong."""

    def __init__(self, *, wrong: bool = False) -> None:
        self.count, self._wrong = 0, wrong

    def __call__(self) -> int:
        self.count += 1
        if self._wrong:
            raise ValueError("wrong")
        return self.count


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_a_task_is_run_once_by_a_thread_or_by_whoever_needs_its_result(threads: int) -> None:
    pool = TaskThreads(threads, "test")
    calls = [Calls() for _ in range(200)]
    tasks = [pool.submit(call) for call in calls]
    for task in tasks:
        assert task.result() == task.result() == 1
    assert all(task.is_done for task in tasks)
    assert [call.count for call in calls] == [1] * 200
    pool.close()
    pool.join(10)
    assert pool.submit(calls[0]).result() == 2


def test_a_cancelled_task_is_not_run_and_refers_to_nothing() -> None:
    call = Calls()
    waiting, done = Task(call), Task(call)
    reference = weakref.ref(call)
    assert done.result() == 1
    done.cancel()
    assert done.result() == 1
    waiting.cancel()
    with pytest.raises(CancelledError):
        waiting.result()
    assert call.count == 1
    del call
    assert reference() is None


def test_an_error_of_a_task_is_raised_for_whoever_wants_its_result() -> None:
    pool = TaskThreads(1, "test")
    task = pool.submit(Calls(wrong=True))
    with pytest.raises(ValueError, match="wrong"):
        task.result()
    with pytest.raises(CancelledError):
        task.result()
    assert pool.submit(Calls()).result() == 1
    pool.close()
    pool.join(10)
    reference = weakref.ref(task)
    del task
    assert reference() is None


def test_where_no_thread_can_be_started_callers_run_their_tasks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pool = TaskThreads(3, "test")
    monkeypatch.setattr(threading.Thread, "start", start)
    tasks = [pool.submit(Calls()) for _ in range(5)]
    assert [task.result() for task in tasks] == [1] * 5
    references = [weakref.ref(task) for task in tasks]
    tasks.clear()
    assert not any(reference() for reference in references)
    pool.close()
    pool.join(10)


def test_an_interrupt_while_a_thread_starts_leaves_none_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        sound(thread)
        raise KeyboardInterrupt

    pool = TaskThreads(2, "interrupted")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        for _ in range(4):
            with contextlib.suppress(KeyboardInterrupt):
                pool.submit(Calls())
    begun = [each for each in threading.enumerate() if each.name == "interrupted"]
    assert len(begun) == 2
    assert pool.submit(Calls()).result() == 1
    pool.close()
    pool.join(10)
    assert not any(each.is_alive() for each in begun)


def test_an_interrupt_before_a_thread_starts_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    pool = TaskThreads(1, "test")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        with pytest.raises(KeyboardInterrupt):
            pool.submit(Calls())
    task = pool.submit(Calls())  # A thread comes of it.
    end = time.monotonic() + 30
    while not task.is_done and time.monotonic() < end:
        time.sleep(0.01)
    assert task.is_done
    pool.close()
    pool.join(10)


def test_nobody_waits_longer_for_threads_than_promised() -> None:
    pool = TaskThreads(2, "test")
    begun, ends = threading.Semaphore(0), threading.Event()

    def call() -> bool:
        begun.release()
        return ends.wait(60)

    tasks = [pool.submit(call) for _ in range(2)]
    for _ in tasks:
        begun.acquire()
    pool.close()
    pool.join(0.01)
    assert not any(task.is_done for task in tasks)
    ends.set()
    pool.join(60)
    assert all(task.result() for task in tasks)


def test_threads_that_want_one_result_compute_it_once() -> None:
    computed = []

    @computed_once
    def slowly(number: int) -> list[int]:
        """Twice a number."""
        computed.append(number)
        time.sleep(0.05)
        return [2 * number]

    results = list(prefetch_map(slowly, [3] * 8, threads=4))
    assert computed == [3]
    assert all(each is results[0] for each in results)
    assert slowly(4) == [8]
    assert (slowly.__name__, slowly.__doc__) == ("slowly", "Twice a number.")
