"""A parallel map over a stream that keeps the order and holds only a few items at a time."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Generator[Result, None, None]:
    """Yield ``function(item)`` for each item, in the items' order, computed by several threads.

    Unlike ``Executor.map``, it takes a new item only when a result is consumed, so a stream of any
    length passes through with at most ``2 × workers`` items in memory.

    Args:
        function: Called in a thread; exceptions that it raises are raised here.
        items: Iterated in the caller's thread.
        workers: Number of threads.
    """
    pending: deque[Future[Result]] = deque()
    executor = ThreadPoolExecutor(workers)
    try:
        for item in items:
            pending.append(executor.submit(function, item))
            if len(pending) >= 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
