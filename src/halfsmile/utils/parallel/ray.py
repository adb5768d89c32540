"""The ordered pool of :mod:`halfsmile.utils.parallel.pool` on a Ray cluster, by Ray Data.

The same function works on the same tasks, and its pieces come back in the same order, so that whoever writes
them down writes the same bytes. Each Ray actor keeps a process of its own for the work: what kills that
process is told with its task and costs nothing else, as it is without Ray. When a whole machine is lost, Ray
does its tasks again elsewhere.
"""

from __future__ import annotations

import importlib
import itertools
import logging
import os
import pickle
import re
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic

import pyarrow as pa

from halfsmile.utils.parallel.pool import OrderedPool, Piece, Task, TaskError, Work

WINDOW = 512
"""Tasks for each actor that are handed to Ray at a time; between two windows actors start anew."""

_TASKS = 16  # of one actor call, at most
_PIECES = 64  # that travel together
_PIECE, _END, _ERROR = range(3)
_COLUMNS = pa.schema(
    [("task", pa.int64()), ("number", pa.int64()), ("kind", pa.int8()), ("data", pa.large_binary())]
)


class RayPool(Generic[Task, Piece]):
    """Turns tasks into pieces on the machines of a Ray cluster.

    A context manager. It uses Ray as this process has started it; or else the cluster that ``RAY_ADDRESS`` or
    a ``ray start`` on this machine names; or else it starts Ray on this machine for as long as it is open.
    Nothing is reported to Ray's makers, and no dashboard is started; the ports that Ray opens listen to the
    whole network, on a single machine too.

    Args:
        start: Called once in each process; returns the function that turns a task into pieces. ``start``,
            tasks and pieces must be picklable, and files that they name must have that name on all machines,
            as must the current folder.
        workers: Actors, one processor each, at most; None for as many as the cluster has processors.

    Raises:
        ValueError: If Ray is not installed or the number of workers is not positive.
        OSError: If the cluster can't be reached.
    """

    def __init__(self, start: Callable[[], Work[Task, Piece]], *, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"With Ray the number of workers is 1 or more, found {workers}.")
        self._start = start
        self._ray = _import_ray()
        self._is_own = not self._ray.is_initialized()
        if self._is_own:
            require_reachable(os.environ.get("RAY_ADDRESS", ""))
            try:
                self._ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
            except Exception as error:  # Ray raises a bare one when it starts too slowly
                raise OSError(f"No Ray cluster can be reached or started: {error}") from error
        self.workers = workers or max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Iterator[Piece]]]:
        """Each task with its pieces, in the order of the tasks; see ``OrderedPool.run``.

        Raises:
            OSError: If Ray gives up.
        """
        coming = iter(tasks)
        while window := list(itertools.islice(coming, WINDOW * self.workers)):
            rows = self._rows(window)
            for place, task in enumerate(window):
                pieces = _pieces(rows, place)
                yield task, pieces
                try:
                    for _ in pieces:
                        pass
                except TaskError:
                    continue

    def close(self) -> None:
        """End Ray if this pool has started it."""
        if self._is_own:
            self._ray.shutdown()

    def __enter__(self) -> RayPool[Task, Piece]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rows(self, tasks: list[Task]) -> Iterator[tuple[int, int, int, bytes]]:
        """Place of the task, number, kind and bytes of every piece, in order, while they are made."""
        data = importlib.import_module("ray.data")
        together = min(_TASKS, max(1, len(tasks) // (4 * self.workers)))
        items = [{"task": place, "data": pickle.dumps(task)} for place, task in enumerate(tasks)]
        dataset = data.from_items(items, override_num_blocks=-(-len(items) // together)).map_batches(
            _Relay,
            fn_constructor_args=(self._start, os.getcwd()),
            batch_size=None,
            batch_format="pyarrow",
            compute=data.ActorPoolStrategy(min_size=1, max_size=self.workers, initial_size=self.workers),
            num_cpus=1,
        )
        context = dataset.context
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        try:
            for table in dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
                columns = (table[name].to_pylist() for name in _COLUMNS.names)
                yield from zip(*columns, strict=True)
        except self._ray.exceptions.RayError as error:
            raise OSError(f"Ray gave up: {error}") from error


class _Relay:
    """An actor: hands tasks to a process of its own and sends on what comes back."""

    def __init__(self, start: Callable[[], Work[Any, Any]], folder: str) -> None:
        os.chdir(folder)  # for paths that were given relative to it
        sys.modules["__main__"].__dict__.pop("__file__", None)  # spawning would run Ray's own program anew
        self._pool = OrderedPool[Any, Any](start, workers=1)

    def __call__(self, tasks: pa.Table) -> Iterator[pa.Table]:
        """Rows of all pieces of some tasks; a repeated call cuts them into the same tables."""
        places = tasks["task"].to_pylist()
        found = self._pool.run(map(pickle.loads, tasks["data"].to_pylist()))
        for place, (_, pieces) in zip(places, found, strict=True):
            rows = self._rows(place, pieces)
            while together := list(itertools.islice(rows, _PIECES)):
                columns = zip(*together, strict=True)
                yield pa.table(list(map(pa.array, columns, _COLUMNS.types)), schema=_COLUMNS)

    def _rows(self, place: int, pieces: Iterator[Any]) -> Iterator[tuple[int, int, int, bytes]]:
        number = 0
        try:
            for piece in pieces:
                yield place, number, _PIECE, pickle.dumps(piece)
                number += 1
        except TaskError as failure:
            yield place, number, _ERROR, str(failure).encode()
        else:
            yield place, number, _END, b""


def _pieces(rows: Iterator[tuple[int, int, int, bytes]], place: int) -> Iterator[Any]:
    """The pieces of one task, up to its end."""
    for expected in itertools.count():
        task, number, kind, data = next(rows, (-1, -1, _END, b""))
        if (task, number) != (place, expected):
            raise OSError(
                f"Ray lost pieces: expected piece {expected} of task {place}, found {number} of {task}."
            )
        if kind == _ERROR:
            raise TaskError(data.decode())
        if kind == _END:
            return
        yield pickle.loads(data)  # noqa: S301 - from our own actors


def require_reachable(address: str) -> None:
    """Refuse at once an address where nobody listens; Ray itself tries for minutes.

    Args:
        address: ``host:port`` or ``ray://host:port``; others, such as ``auto``, are left to Ray.

    Raises:
        OSError: If no connection is made within five seconds.
    """
    if not (found := re.fullmatch(r"(?:ray://)?([^:/]+):(\d{1,5})", address)):
        return
    try:
        socket.create_connection((found[1], int(found[2])), timeout=5).close()
    except (OSError, OverflowError) as error:
        raise OSError(
            f"No Ray cluster can be reached at {address} (RAY_ADDRESS): {error}. Start it with `ray start "
            "--head` there, or unset RAY_ADDRESS."
        ) from error


def _import_ray() -> Any:
    """The package, told to keep silent."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        ray = importlib.import_module("ray")
        importlib.import_module("ray.data")
    except ModuleNotFoundError as error:
        raise ValueError(
            f"--engine ray needs {error.name}, which is not installed: pip install 'halfsmile[ray]'"
        ) from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray
