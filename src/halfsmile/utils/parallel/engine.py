"""Where work is done: in processes of this machine, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Literal, Protocol, Self, TypeVar

from halfsmile.utils.cpu import processors
from halfsmile.utils.parallel.pool import OrderedPool, Work

Engine = Literal["local", "ray"]

Task = TypeVar("Task")
Piece = TypeVar("Piece")
Piece_co = TypeVar("Piece_co", covariant=True)


class Pool(Protocol[Task, Piece_co]):
    """Turns tasks into pieces; the pieces come back in the order of the tasks.

    Attributes:
        workers: Processes that do the work; 0 where it is done in this one.
    """

    workers: int

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Iterator[Piece_co]]]:
        """Each task with its pieces; asking for one raises ``TaskError`` where a process ended."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_pool(
    engine: Engine, start: Callable[[], Work[Task, Piece]], *, workers: int | None = None
) -> Pool[Task, Piece]:
    """A pool, to be used in a ``with`` block.

    Args:
        engine: ``local`` for processes of this machine, ``ray`` for a Ray cluster.
        start: Called once in each process; returns the function that turns a task into pieces.
        workers: Number of processes; None for one per processor, of this machine or of the cluster. 0 works
            in this process, without Ray only.

    Raises:
        ValueError: If the number is out of range, or Ray is asked for and not installed.
        OSError: If no cluster can be reached.
    """
    if engine == "ray":
        from halfsmile.utils.parallel.ray import RayPool

        return RayPool[Task, Piece](start, workers=workers)
    return OrderedPool[Task, Piece](start, workers=processors() if workers is None else workers)
