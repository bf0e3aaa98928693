"""Runs several pieces of one call in threads that end with the call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from .timing import Cancel

T = TypeVar("T")


def run_parallel(
    items: Iterable[T],
    work: Callable[[T, Cancel], None],
    parallel: int,
    cancel: Cancel | None,
) -> None:
    """Call ``work`` for each item, at most ``parallel`` at once. Items are taken in order, shortly before their use.

    The event that ``work`` gets ends its waits as soon as one piece has failed, or on Ctrl-C.

    Raises:
        BaseException: what the first failure raised, after all other threads have ended.
    """
    stop = Cancel(cancel)
    waiting = iter(items)
    running: set[Future[None]] = set()
    failure: BaseException | None = None
    with ThreadPoolExecutor(parallel, thread_name_prefix="bucket") as pool:
        try:
            is_empty = False
            while running or not is_empty:
                while not is_empty and len(running) < parallel:
                    item = next(waiting, _END)
                    if isinstance(item, _End):
                        is_empty = True
                    else:
                        running.add(pool.submit(work, item, stop))
                done, running = wait(running, timeout=Cancel.TICK, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
        except BaseException as problem:
            failure = problem
        finally:
            stop.set()
            if failure is not None:
                wait(running)
    if failure is not None:
        raise failure


class _End:
    pass


_END = _End()
