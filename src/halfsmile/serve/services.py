"""What lives as long as the server runs: the predictor's thread, its queue, videos in hand, open streams."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from halfsmile.serve.batcher import Batcher, FacePredictor, Worker
from halfsmile.serve.jobs import Jobs
from halfsmile.serve.limits import ServerLimits
from halfsmile.serve.metrics import ServerMetrics
from halfsmile.serve.stream import Streams


class Services:
    """What the end points share while the server runs.

    Args:
        predictor: Finds and names faces.
        limits: Of everything.
        metrics: Where to count.
        folder: Private temporary folder.
        more: Further predictors that say the same, for pictures beside the first one's.
    """

    def __init__(
        self,
        predictor: FacePredictor,
        limits: ServerLimits,
        metrics: ServerMetrics,
        folder: Path,
        more: Sequence[FacePredictor] = (),
    ) -> None:
        self.worker = Worker()
        self.more = [(another, Worker()) for another in more]
        self.batcher = Batcher(predictor, self.worker, limits, metrics, self.more)
        self.jobs = Jobs(predictor, self.worker, limits, metrics, folder)
        self.streams = Streams(self.batcher, limits, metrics)
        self.is_stopping = False
        self.batcher.start()
        self.jobs.start()

    async def stop(self) -> None:
        """End what would not end by itself: videos, streams, and answers that follow them."""
        self.is_stopping = True
        self.jobs.cancel()
        await self.streams.close()

    async def close(self) -> None:
        """Answer what waits, then end everything."""
        await self.stop()
        await self.batcher.close()
        await self.jobs.close()
        for worker in (self.worker, *(worker for _, worker in self.more)):
            worker.close()
