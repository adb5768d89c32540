"""Worker processes whose results come back in the order of the tasks, piece by piece.

The standard pools neither tell which task killed a process, nor stream the pieces of a long task, nor end
their processes when the parent is killed; this one does.
"""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from types import TracebackType
from typing import Generic, TypeVar

Task = TypeVar("Task")
Piece = TypeVar("Piece")
Work = Callable[[Task], Iterable[Piece]]

BUFFER_BYTES = 2**28
_AHEAD = 8  # tasks for each worker that may be begun before their turn
_PIECE, _END, _ERROR = b"p", b"e", b"x"


class TaskError(RuntimeError):
    """A task whose process ended or whose function raised an error: the message says which."""


@dataclass(eq=False)
class _Job(Generic[Task]):
    """A task given to a process, and what came back that nobody has asked for yet."""

    task: Task
    received: deque[bytes] = field(default_factory=deque)
    is_ended: bool = False
    failure: str | None = None


@dataclass(eq=False)
class _Worker(Generic[Task]):
    process: BaseProcess
    job: _Job[Task] | None = None


class OrderedPool(Generic[Task, Piece]):
    """Processes that turn each task into pieces.

    A context manager; leaving the block ends the processes at once. They end too when this one is killed.

    Args:
        start: Called once in each process; returns the function that turns a task into pieces. Processes are
            spawned, so ``start``, tasks and pieces must be picklable.
        workers: Number of processes; 0 does the work in this one.
        buffer_bytes: Memory for pieces that come before their turn; who is ahead by more waits.

    Raises:
        ValueError: If the number of workers is negative.
    """

    def __init__(
        self, start: Callable[[], Work[Task, Piece]], *, workers: int, buffer_bytes: int = BUFFER_BYTES
    ) -> None:
        if workers < 0:
            raise ValueError(f"The number of workers is 0 or more, found {workers}.")
        self.workers = workers
        self._start = start
        self._buffer_bytes = buffer_bytes
        self._held = 0
        self._context = multiprocessing.get_context("spawn")
        self._pool: dict[Connection, _Worker[Task]] = {}
        self._own: Work[Task, Piece] | None = None

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Iterator[Piece]]]:
        """Each task with its pieces, in the order of the tasks.

        Pieces that are left when the next task is asked for are lost. Asking for one raises
        :class:`TaskError` where the process ended or the function raised an error; without processes, that
        error itself.
        """
        if not self.workers:
            self._own = self._own or self._start()
            for task in tasks:
                yield task, iter(self._own(task))
            return
        coming, jobs = iter(tasks), deque[_Job[Task]]()
        while True:
            self._hand_out(coming, jobs)
            if not jobs:
                return
            pieces = self._pieces(jobs[0], coming, jobs)
            yield jobs[0].task, pieces
            for _ in pieces:
                pass
            jobs.popleft()

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        for worker in self._pool.values():
            worker.process.terminate()
        for connection, worker in self._pool.items():
            connection.close()
            worker.process.join()
        self._pool = {}

    def __enter__(self) -> OrderedPool[Task, Piece]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _hand_out(self, coming: Iterator[Task], jobs: deque[_Job[Task]]) -> None:
        """Give tasks to idle processes, and start processes as long as there are too few."""
        while len(jobs) < _AHEAD * self.workers:
            idle = next((c for c, worker in self._pool.items() if worker.job is None), None)
            if idle is None and len(self._pool) == self.workers:
                return
            try:
                job = _Job(next(coming))
            except StopIteration:
                return
            jobs.append(job)
            idle = idle or self._spawn()
            self._pool[idle].job = job
            try:
                idle.send(job.task)
            except OSError:
                self._bury(idle)

    def _spawn(self) -> Connection:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._start), daemon=True)
        process.start()
        theirs.close()
        self._pool[ours] = _Worker(process)
        return ours

    def _pieces(self, job: _Job[Task], coming: Iterator[Task], jobs: deque[_Job[Task]]) -> Iterator[Piece]:
        while True:
            while job.received:
                data = job.received.popleft()
                self._held -= len(data)
                yield ForkingPickler.loads(data)
            if job.failure is not None:
                raise TaskError(job.failure)
            if job.is_ended:
                return
            self._receive(job)
            self._hand_out(coming, jobs)

    def _receive(self, first: _Job[Task]) -> None:
        """Take what has come; from other jobs than the first one only while there is memory for it."""
        has_room = self._held < self._buffer_bytes
        jobs = {c: w.job for c, w in self._pool.items() if w.job is first or (w.job and has_room)}
        ready = set(wait(list(jobs)))
        for connection, job in jobs.items():
            if connection not in ready or job is None:
                continue
            try:
                data = connection.recv_bytes()
            except (EOFError, OSError):
                self._bury(connection)
                continue
            kind, data = data[:1], data[1:]
            if kind == _PIECE:
                job.received.append(data)
                self._held += len(data)
                continue
            if kind == _ERROR:
                job.failure = data.decode().strip()
            job.is_ended = True
            self._pool[connection].job = None

    def _bury(self, connection: Connection) -> None:
        """Forget a process that ended, and say so to whom waits for it."""
        worker = self._pool.pop(connection)
        connection.close()
        worker.process.join()
        code = worker.process.exitcode or 0
        how = f"signal {-code}, {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        if worker.job is not None:
            worker.job.failure = f"its process ended ({how})"


def _serve(connection: Connection, start: Callable[[], Work[Task, Piece]]) -> None:
    """What a process does until its parent ends or closes it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends this process
    try:
        work = start()
        while True:
            task = connection.recv()
            try:
                for piece in work(task):
                    connection.send_bytes(_PIECE + bytes(ForkingPickler.dumps(piece)))
                connection.send_bytes(_END)
            except OSError:
                raise
            except Exception as error:
                connection.send_bytes(_ERROR + "".join(traceback.format_exception_only(error)).encode())
    except (EOFError, OSError):
        return
