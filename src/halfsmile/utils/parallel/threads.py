"""Work in threads whose results keep their order: for reading and decoding, which leave Python alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from halfsmile.utils.cpu import processors

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_THREADS = 16


def default_threads() -> int:
    """One thread for each processor that this process may use, at most 16."""
    return min(MOST_THREADS, processors())


def map_in_threads(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    threads: int | None = None,
    ahead: int | None = None,
) -> Iterator[Result]:
    """``function`` of each item, in the order of the items.

    Items are taken as results are asked for, so there may be no end of them. Leaving the iteration early, or
    an error, drops what has not begun.

    Args:
        function: Called in the threads. What it raises is raised where its result was due.
        items: What it is called with.
        threads: How many; by default :func:`default_threads`.
        ahead: Items that are worked on or done before their results are asked for, at least 1; by default
            twice the threads. More need more memory.

    Example:
        >>> list(map_in_threads(len, ["a", "bcd", ""], threads=2))
        [1, 3, 0]
    """
    threads = threads or default_threads()
    ahead = ahead or 2 * threads
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
