"""Videos in hand: analyzed step by step, results as JSON Lines on disk, everything removed in the end.

A job is one folder in the server's private temporary folder. The uploaded video goes as soon as it has been
analyzed; the results go when they are deleted, have expired, or the server stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from halfsmile.faces.video.frames import BadVideoError, Video, VideoFrame, frames, probe
from halfsmile.predict.answers.baseline import Baseline
from halfsmile.predict.face import Face, NoFace
from halfsmile.serve.batcher import BusyError, FacePredictor, StoppingError, Worker
from halfsmile.serve.limits import MIB, ServerLimits
from halfsmile.serve.metrics import ServerMetrics
from halfsmile.utils.errors import in_words

STEP_SECONDS = 0.1  # of analyzing a video before it is others' turn
UNFINISHED = ("waiting", "running")
_CHUNK = 2**16
_log = logging.getLogger("halfsmile.serve")


class Job:
    """One video.

    Args:
        folder: Its own, empty.
    """

    def __init__(self, folder: Path) -> None:
        self.id = folder.name
        self.folder = folder
        self.name = "video"
        self.baseline: Baseline | None = None
        self.status = "waiting"
        self.video: Video | None = None
        self.frames = 0
        self.time = 0.0
        self.error: str | None = None
        self.problems: list[str] = []
        self.finished = 0.0
        self.task: asyncio.Task[None] | None = None
        self.had_its_turn = False
        self._changed = asyncio.Event()

    @property
    def path(self) -> Path:
        """The uploaded video."""
        return self.folder / "video"

    @property
    def results(self) -> Path:
        """JSON Lines."""
        return self.folder / "results.jsonl"

    @property
    def progress(self) -> float:
        """Share of the video analyzed, 0 to 1."""
        if self.status == "done":
            return 1.0
        duration = self.video.duration if self.video else None
        return round(min(self.time / duration, 0.99), 4) if duration else 0.0

    def state(self) -> dict[str, Any]:
        """As :class:`halfsmile.serve.schema.JobAnswer`."""
        return {
            "id": self.id,
            "status": self.status,
            "progress": self.progress,
            "width": self.video.width if self.video else 0,
            "height": self.video.height if self.video else 0,
            "frames": self.frames,
            "error": self.error,
            "problems": self.problems,
        }

    def tell(self) -> None:
        """Wake those who wait for results."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def end(self, status: str, error: str | None = None) -> None:
        """Finish, once; later calls change nothing."""
        if self.status in UNFINISHED:
            self.status, self.error, self.finished = status, error, time.monotonic()
            self.tell()

    async def lines(self) -> AsyncIterator[bytes]:
        """Results from the first on, as they come; ends when the job does."""
        with contextlib.suppress(FileNotFoundError), self.results.open("rb") as file:
            while True:
                changed, is_over = self._changed, self.status not in UNFINISHED
                while chunk := file.read(_CHUNK):
                    yield chunk
                if is_over:
                    return
                await changed.wait()


class Jobs:
    """All videos in hand.

    Args:
        predictor: Analyzes them.
        worker: Its thread.
        limits: Of number, length, size and time.
        metrics: Where to count.
        folder: Private, and removed by whoever made it.
    """

    def __init__(
        self,
        predictor: FacePredictor,
        worker: Worker,
        limits: ServerLimits,
        metrics: ServerMetrics,
        folder: Path,
    ) -> None:
        self.predictor = predictor
        self.worker = worker
        self.limits = limits
        self.metrics = metrics
        self.folder = folder
        self._jobs: dict[str, Job] = {}
        self._turns = asyncio.Semaphore(limits.running_jobs)
        self._is_stopping = False
        self._sweeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to remove what has expired; call it in the running loop."""
        self._sweeper = asyncio.create_task(self._sweep())

    def get(self, job_id: str) -> Job | None:
        """The job of this id, if there is one."""
        return self._jobs.get(job_id)

    def open(self) -> Job:
        """A new job whose video is to be written to ``job.path``.

        Raises:
            BusyError: If there are too many unfinished ones.
            StoppingError: If the server takes no more work.
        """
        if self._is_stopping:
            raise StoppingError
        if sum(not job.finished for job in self._jobs.values()) >= self.limits.jobs:
            raise BusyError
        job = Job(self.folder / secrets.token_urlsafe(16))
        job.folder.mkdir(mode=0o700)
        self._jobs[job.id] = job
        return job

    async def begin(self, job: Job, name: str) -> None:
        """Check the video of a job and start to analyze it; the oldest finished one makes place if it must.

        Raises:
            ValueError: If it is no video, or longer or larger than the limits.
        """
        job.name = name
        job.results.touch(mode=0o600)
        try:
            job.video = await asyncio.to_thread(probe, job.path, max_pixels=self.limits.pixels)
        except BadVideoError as error:
            raise ValueError(str(error).replace(str(job.path), name)) from error
        duration = job.video.duration
        if duration is not None and duration > self.limits.video_seconds:
            raise ValueError(
                f"{name}: {duration:,.0f} s of video are more than the {self.limits.video_seconds:,.0f} s "
                "taken here; send a shorter piece, or start the server with --limits video_seconds=…."
            )
        if job.id in self._jobs:
            finished = sorted((job.finished, job.id) for job in self._jobs.values() if job.finished)
            for _, oldest in finished[: max(0, len(self._jobs) - self.limits.jobs)]:
                self.remove(self._jobs[oldest])
            job.task = asyncio.create_task(self._run(job))

    def remove(self, job: Job) -> None:
        """Cancel a job if it runs, and delete all that is known of it."""
        self._jobs.pop(job.id, None)
        job.end("cancelled")
        if job.task is not None and not job.had_its_turn:
            job.task.cancel()
        if job.task is None or job.task.done() or not job.had_its_turn:
            shutil.rmtree(job.folder, ignore_errors=True)

    def cancel(self) -> None:
        """End all jobs and take no new ones; streams of results end."""
        self._is_stopping = True
        for job in list(self._jobs.values()):
            job.end("cancelled")

    async def close(self) -> None:
        """Cancel and delete everything."""
        self.cancel()
        tasks = [job.task for job in self._jobs.values() if job.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        for job in list(self._jobs.values()):
            self.remove(job)
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(self.limits.keep_seconds, 15.0))
            oldest = time.monotonic() - self.limits.keep_seconds
            for job in [job for job in self._jobs.values() if job.finished and job.finished < oldest]:
                self.remove(job)

    async def _run(self, job: Job) -> None:
        try:
            async with self._turns:
                job.had_its_turn = True
                if job.status == "waiting":
                    job.status = "running"
                    await self._look(job)
        except Exception as error:  # whatever a video does to a library stays with its job
            _log.warning("a video failed: %s", type(error).__name__)
            job.end("failed", in_words(error).replace(str(job.path), job.name))
        finally:
            job.end("cancelled")
            self.metrics.jobs.labels(job.status).inc()
            job.path.unlink(missing_ok=True)
            if job.id not in self._jobs:
                shutil.rmtree(job.folder, ignore_errors=True)

    async def _look(self, job: Job) -> None:
        pictures = self._frames(job)
        rows = await self.worker.run(
            lambda: self.predictor.video(pictures, baseline=job.baseline, frames_without_face=True)
        )
        with job.results.open("ab") as file:
            try:
                is_over = False
                while not is_over and job.status == "running":
                    before = job.frames
                    is_over = await self.worker.run(lambda: self._step(job, rows, file))
                    self.metrics.video_frames.inc(job.frames - before)
                    job.tell()
            finally:
                await self.worker.run(lambda: _close(rows, pictures))
        job.end("done")

    def _frames(self, job: Job) -> Iterator[VideoFrame]:
        """The frames of a job's video, as long as it runs and within the limits."""
        for frame in frames(job.path, max_pixels=self.limits.pixels, problems=job.problems):
            if job.status != "running":
                return
            if frame.index >= self.limits.frames or frame.time > self.limits.video_seconds:
                raise ValueError(
                    f"{job.name}: it goes on after {self.limits.frames:,} frames or "
                    f"{self.limits.video_seconds:,.0f} s, which is what is taken here. The results up to "
                    "there are good; send a shorter piece for the rest, or start the server with higher "
                    "--limits (frames, video_seconds)."
                )
            job.frames, job.time = frame.index + 1, frame.time
            yield frame

    def _step(self, job: Job, rows: Iterator[Face | NoFace], file: BinaryIO) -> bool:
        """Write rows for a moment; True at the end of the video. Runs in the predictor's thread."""
        until = time.monotonic() + STEP_SECONDS
        try:
            for row in rows:
                line = json.dumps(row.to_dict() | {"source": job.name}, ensure_ascii=False)
                file.write(line.encode() + b"\n")
                if file.tell() > self.limits.results_bytes:
                    raise ValueError(
                        f"{job.name}: its results are larger than {self.limits.results_bytes / MIB:,.0f} "
                        "MiB. Those up to there are good; send a shorter piece for the rest, or start the "
                        "server with --limits results_bytes=…."
                    )
                if time.monotonic() > until:
                    return False
        finally:
            file.flush()
        return True


def _close(*iterators: Iterator[Any]) -> None:
    """End generators, so that the files they read are closed."""
    for iterator in iterators:
        if isinstance(iterator, Generator):
            iterator.close()
