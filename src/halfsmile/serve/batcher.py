"""Pictures of many requests in shared batches, analyzed by threads each of which alone touches its predictor.

While the threads are busy, pictures gather; the next batch takes what is there. A batch waits for others only
a few milliseconds. Small networks gain little from many threads in one of them, so a predictor for each
processor answers more pictures than one that has all processors.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import Detector
from halfsmile.faces.video.frames import VideoFrame
from halfsmile.predict.answers.baseline import Baseline
from halfsmile.predict.face import Face, NoFace
from halfsmile.predict.model_facts import ModelFacts
from halfsmile.serve.limits import ServerLimits
from halfsmile.serve.metrics import ServerMetrics

Result = TypeVar("Result")


class Model(Protocol):
    """What a model says of itself."""

    @property
    def facts(self) -> ModelFacts:
        """Name, labels, temperature and the like."""
        ...


class FacePredictor(Protocol):
    """What the server needs of :class:`halfsmile.predict.predictor.Predictor`."""

    @property
    def model(self) -> Model:
        """The model that answers."""
        ...

    @property
    def threshold(self) -> float | None:
        """Confidence from which an answer counts as certain."""
        ...

    @property
    def detector(self) -> Detector:
        """What finds the faces."""
        ...

    def faces(self, images: Sequence[Image], sources: Sequence[str]) -> Sequence[Sequence[Face]]:
        """Faces of pictures in memory, one sequence a picture."""
        ...

    def video(
        self, source: Iterable[VideoFrame], *, baseline: Baseline | None = None, frames_without_face: bool
    ) -> Iterator[Face | NoFace]:
        """Faces of frames, in order; a :class:`NoFace` for each frame without one, if wanted."""
        ...


class BusyError(Exception):
    """The queue is full."""


class StoppingError(Exception):
    """The server takes no more work."""


class Worker:
    """The one thread that uses the predictor, for pictures and videos in turn."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "predictor")

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run in the thread when its turn comes."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Wait for what is running and end the thread."""
        self._pool.shutdown(cancel_futures=True)


@dataclass(eq=False)
class _Waiting:
    image: Image
    source: str
    answer: asyncio.Future[list[Face]]
    is_over: asyncio.Event  # answered or skipped; nothing uses the image any more


class Batcher:
    """Queue of pictures in front of the predictors.

    Args:
        predictor: Finds and names faces.
        worker: Its thread.
        more: Further predictors that say the same, each with its thread.
        limits: Of the queue and the batches.
        metrics: Where to count.
    """

    def __init__(
        self,
        predictor: FacePredictor,
        worker: Worker,
        limits: ServerLimits,
        metrics: ServerMetrics,
        more: Sequence[tuple[FacePredictor, Worker]] = (),
    ) -> None:
        self.lanes = [(predictor, worker), *more]
        self.limits = limits
        self.metrics = metrics
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._places = self._pixels = 0  # taken by pictures from before they are decoded until their answer
        self._is_stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to answer; call it in the running loop."""
        self._tasks = [asyncio.create_task(self._serve(*lane)) for lane in self.lanes]

    def reserve(self, pixels: Sequence[int]) -> Reservation:
        """Take places for pictures of these numbers of pixels, before memory is taken for them.

        Raises:
            BusyError: If they don't fit now.
            StoppingError: If the server takes no more work.
        """
        if self._is_stopping:
            raise StoppingError
        if (
            self._places + len(pixels) > self.limits.queue
            or self._pixels + sum(pixels) > self.limits.queue_pixels
        ):
            self.metrics.refused.inc(len(pixels))
            raise BusyError
        return Reservation(self, len(pixels), sum(pixels))

    async def faces(self, images: Sequence[Image], sources: Sequence[str]) -> list[list[Face] | Exception]:
        """Faces of pictures for which places were reserved.

        When it is cancelled, those that have not begun are skipped, and it ends when the others are done: as
        long as pictures are held, their places are.

        Returns:
            For each picture its faces, or what the predictor raised on it.
        """
        loop = asyncio.get_running_loop()
        waiting = [
            _Waiting(*pair, loop.create_future(), asyncio.Event())
            for pair in zip(images, sources, strict=True)
        ]
        for one in waiting:
            self._queue.put_nowait(one)
        self.metrics.waiting.set(self._queue.qsize())
        answers = asyncio.gather(*(one.answer for one in waiting), return_exceptions=True)
        found: list[list[Face] | Exception] = []
        try:
            given = await answers
        except asyncio.CancelledError:
            for one in waiting:
                await one.is_over.wait()
            raise
        for answer in given:
            if isinstance(answer, BaseException) and not isinstance(answer, Exception):
                raise answer
            found.append(answer)
        return found

    async def close(self) -> None:
        """Take no more, and answer what is waiting."""
        self._is_stopping = True
        if self._tasks:
            await self._queue.join()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, predictor: FacePredictor, worker: Worker) -> None:
        while True:
            batch = await self._next_batch()
            wanted = [one for one in batch if not one.answer.done()]
            if wanted:
                await self._answer(wanted, predictor, worker)
            for one in batch:
                one.is_over.set()
                self._queue.task_done()

    async def _next_batch(self) -> list[_Waiting]:
        batch = [await self._queue.get()]
        until = asyncio.get_running_loop().time() + self.limits.batch_seconds
        while len(batch) < self.limits.batch:
            try:
                async with asyncio.timeout_at(until):
                    batch.append(await self._queue.get())
            except TimeoutError:
                break
        self.metrics.waiting.set(self._queue.qsize())
        return batch

    async def _answer(self, batch: Sequence[_Waiting], predictor: FacePredictor, worker: Worker) -> None:
        start = time.perf_counter()
        try:
            found: Sequence[Sequence[Face]] = await worker.run(
                lambda: predictor.faces([one.image for one in batch], [one.source for one in batch])
            )
        except Exception as error:  # whatever a picture does to a library stays with its request
            if len(batch) == 1:
                if not batch[0].answer.done():
                    batch[0].answer.set_exception(error)
                return
            for one in batch:
                await self._answer([one], predictor, worker)
            return
        self.metrics.batch.observe(len(batch))
        self.metrics.batch_seconds.observe(time.perf_counter() - start)
        self.metrics.pictures.inc(len(batch))
        for one, faces in zip(batch, found, strict=True):
            self.metrics.faces.inc(len(faces))
            if not one.answer.done():
                one.answer.set_result(list(faces))


class Reservation:
    """Places in the queue; a context that gives them back."""

    def __init__(self, batcher: Batcher, places: int, pixels: int) -> None:
        self._batcher, self._places, self._pixels = batcher, places, pixels
        batcher._places += places
        batcher._pixels += pixels

    def __enter__(self) -> Reservation:
        return self

    def __exit__(self, *_: object) -> None:
        self._batcher._places -= self._places
        self._batcher._pixels -= self._pixels
