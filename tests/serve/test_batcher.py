"""The queue in front of the predictor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from tests.serve.conftest import StandIn

from halfsmile.data.preprocess import Image
from halfsmile.serve.batcher import Batcher, BusyError, StoppingError, Worker
from halfsmile.serve.limits import ServerLimits
from halfsmile.serve.metrics import ServerMetrics


def gradient(seed: int) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (20, 30, 3), np.uint8)


def using(predictor: StandIn, limits: ServerLimits, work: Callable[[Batcher], Awaitable[None]]) -> None:
    """Run some work with a queue, and close it."""

    async def all_of_it() -> None:
        worker = Worker()
        batcher = Batcher(predictor, worker, limits, ServerMetrics())
        batcher.start()
        await work(batcher)
        await batcher.close()
        worker.close()

    asyncio.run(all_of_it())


def test_answers_belong_to_their_pictures_whatever_the_batch(predictor: StandIn) -> None:
    async def work(batcher: Batcher) -> None:
        images = [gradient(i) for i in range(20)]
        expected = predictor.faces(images, ["x"] * 20)
        predictor.batches.clear()
        found = await asyncio.gather(*(batcher.faces([image], ["x"]) for image in images))
        assert [answer[0] for answer in found] == expected
        assert max(predictor.batches) == 8
        assert len(predictor.batches) < 8

    using(predictor, ServerLimits(), work)


def test_a_bad_picture_fails_alone(predictor: StandIn) -> None:
    async def work(batcher: Batcher) -> None:
        images = [gradient(i) for i in range(3)]
        first, bad, last = await batcher.faces(images, ["a", "explode", "c"])
        assert isinstance(bad, RuntimeError)
        assert not isinstance(first, Exception)
        assert not isinstance(last, Exception)
        assert (first[0].source, last[0].source) == ("a", "c")

    using(predictor, ServerLimits(), work)


def test_cancelled_pictures_are_skipped(predictor: StandIn) -> None:
    async def work(batcher: Batcher) -> None:
        predictor.gate.clear()
        first = asyncio.create_task(batcher.faces([gradient(0)], ["first"]))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(batcher.faces([gradient(1)], ["second"]))
        await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.sleep(0)
        predictor.gate.set()
        assert len(await first) == 1

    using(predictor, ServerLimits(), work)
    assert predictor.batches == [1]


def test_places_are_held_as_long_as_pictures_are(predictor: StandIn) -> None:
    async def given_up(batcher: Batcher, name: str) -> None:
        with batcher.reserve([30]):
            await batcher.faces([gradient(0)], [name])

    async def work(batcher: Batcher) -> None:
        predictor.gate.clear()
        running = asyncio.create_task(given_up(batcher, "running"))
        await asyncio.sleep(0.05)
        queued = asyncio.create_task(given_up(batcher, "queued"))
        await asyncio.sleep(0.01)
        for task in (running, queued):
            task.cancel()
        await asyncio.wait({running, queued}, timeout=0.05)
        with pytest.raises(BusyError):
            batcher.reserve([41])
        predictor.gate.set()
        await asyncio.wait({running, queued})
        assert running.cancelled()
        assert queued.cancelled()
        with batcher.reserve([60]):
            pass

    using(predictor, ServerLimits(queue=3, files=3, pixels=60, frame_pixels=60, queue_pixels=100), work)
    assert predictor.batches == [1]


def test_places_are_counted_in_pictures_and_pixels(predictor: StandIn) -> None:
    limits = ServerLimits(queue=3, files=3, pixels=60, frame_pixels=60, queue_pixels=100)

    async def work(batcher: Batcher) -> None:
        with batcher.reserve([10, 10, 10]), pytest.raises(BusyError):
            batcher.reserve([1])
        with batcher.reserve([60]), pytest.raises(BusyError):
            batcher.reserve([41])
        with batcher.reserve([60]), batcher.reserve([40]):
            pass

    using(predictor, limits, work)


def test_closing_answers_what_waits_and_takes_no_more(predictor: StandIn) -> None:
    async def work(batcher: Batcher) -> None:
        predictor.seconds = 0.05
        waiting = asyncio.create_task(batcher.faces([gradient(i) for i in range(12)], ["x"] * 12))
        await asyncio.sleep(0)
        await batcher.close()
        assert len(await waiting) == 12
        with pytest.raises(StoppingError):
            batcher.reserve([1])

    using(predictor, ServerLimits(), work)


def test_several_predictors_share_the_queue_and_each_keeps_to_its_thread(predictor: StandIn) -> None:
    async def all_of_it() -> None:
        others = [StandIn(seconds=0.02) for _ in range(2)]
        predictor.seconds = 0.02
        workers = [Worker() for _ in range(3)]
        more = list(zip(others, workers[1:], strict=True))
        batcher = Batcher(predictor, workers[0], ServerLimits(batch=2), ServerMetrics(), more)
        batcher.start()
        images = [gradient(i) for i in range(24)]
        expected = [predictor.look(image, "x") for image in images]
        found = await asyncio.gather(*(batcher.faces([image], ["x"]) for image in images))
        assert [answer[0] for answer in found] == expected
        for one in (predictor, *others):
            assert one.batches
            assert len(one.threads) == 1
        assert len(set.union(*(one.threads for one in (predictor, *others)))) == 3
        await batcher.close()
        for worker in workers:
            worker.close()

    asyncio.run(all_of_it())
