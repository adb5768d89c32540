"""Photos, folders, archives, videos and data sets become a store of aligned, scored faces.

What is written depends on the sources and the settings alone, not on the engine, the number of processes nor
on when a run was stopped: sources are processed in fixed groups and written in their order.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console

from halfsmile.data.manifest import SPLITS
from halfsmile.data.store.read import SOURCES_NAME, is_store, read_index
from halfsmile.data.store.write import SHARD_SIZE, StoredFace, StoreWriter
from halfsmile.faces.prepare.earlier import require_same_sources
from halfsmile.faces.prepare.preparer import Done, FrameCount, Piece, Preparer, PrepareTask
from halfsmile.faces.prepare.settings import (
    ALIGNED,
    Settings,
    require_same_settings,
    save_counts,
    save_settings,
)
from halfsmile.faces.prepare.sources import FaceSource, FaceSources, find
from halfsmile.taxonomy import Taxonomy
from halfsmile.utils.parallel.engine import Engine, Pool, open_pool
from halfsmile.utils.parallel.pool import OrderedPool, TaskError
from halfsmile.utils.progress import Progress

GROUP = 16  # pictures of a process's batch
TURNED = 60.0  # degrees; people tilt their heads by less
_SHOWN = 5


@dataclass
class PrepareSummary:
    """What a run did.

    Args:
        store: The store.
        faces: Faces in it now.
        new_faces: Faces that this run added.
        sources: Sources that this run processed.
        known_sources: Sources that were in the store before.
        without_face: Sources of this run that could be read and gave no face.
        left_out: Reason by source, of those that could not be read, in this run or before.
        dropped: Faces of this run that were not stored, by reason.
        turned: Faces of this run that stood on their head or lay on a side in their picture, by more than
            ``TURNED`` degrees; they are stored upright.
        problems: (video, what is wrong with it) of this run.
        notes: About the sources as a whole.
        has_videos: Whether there were videos among the sources.
        labels: Faces in the store by label, in the order of the classes; those without one are not counted.
        splits: Faces in the store by split.
        crops: How many crops in the store were aligned by landmarks, and how many kept as they were; None for
            other stores.
        seconds: Processor time by kind of work, over all processes; ``write`` is that of the store.
        elapsed: Seconds that the run took.
    """

    store: Path
    faces: int = 0
    new_faces: int = 0
    sources: int = 0
    known_sources: int = 0
    without_face: int = 0
    left_out: dict[str, str] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    turned: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    has_videos: bool = False
    labels: dict[str, int] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)
    crops: tuple[int, int] | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    elapsed: float = 0.0

    def render(self, console: Console) -> None:
        """Print for people."""

        def say(text: str) -> None:
            console.print(text, markup=False, highlight=False, soft_wrap=True)

        for note in self.notes:
            say(note)
        before = f" ({self.known_sources:,} were done before)" if self.known_sources else ""
        rate = f", {self.new_faces / self.elapsed:,.0f} faces/s" if self.elapsed > 1 else ""
        say(f"{self.sources:,} sources{before}: {self.new_faces:,} faces in {self.elapsed:,.0f} s{rate}.")
        if self.without_face:
            say(f"{self.without_face:,} of them show no face.")
        for reason, count in self.dropped.most_common():
            say(f"{count:,} faces were dropped: {reason}.")
        if self.turned:
            say(
                f"{self.turned:,} faces lay on a side or stood on their head in their pictures and are "
                "stored upright; quality_roll says how far they were turned."
            )
        _list(say, "videos have problems", self.problems)
        _list(say, "sources were left out", list(self.left_out.items()))
        total = sum(self.seconds.values())
        if total > 1:
            shares = sorted(self.seconds.items(), key=lambda item: -item[1])
            say("Processor time: " + ", ".join(f"{kind} {100 * s / total:.0f} %" for kind, s in shares) + ".")
        say(f"{self.store} holds {self.faces:,} faces." + (f" {self.told()}" if self.faces else ""))
        if self.crops is not None:
            say(f"{self.crops[0]:,} aligned by landmarks, {self.crops[1]:,} kept as they were.")

    def told(self) -> str:
        """How many faces have a label, which classes and splits there are."""
        labeled, split = sum(self.labels.values()), sum(self.splits.values())
        classes = ", ".join(f"{name} {count:,}" for name, count in self.labels.items())
        splits = ", ".join(f"{name} {count:,}" for name, count in self.splits.items())
        return (
            (f"{labeled:,} have a label: {classes}." if labeled else "None has a label.")
            + " "
            + (f"{split:,} have a split: {splits}." if split else "None has a split.")
        )

    def nothing(self) -> str:
        """Why no face was stored, and what to try."""
        if self.left_out:
            name, reason = next(iter(self.left_out.items()))
            why = f"{len(self.left_out):,} of {self.sources:,} sources were left out, first {name}: {reason}"
        elif self.dropped:
            reason, count = self.dropped.most_common(1)[0]
            why = f"{count:,} faces were dropped: {reason}."
        else:
            why = f"{self.without_face:,} of {self.sources:,} sources show no face."
        return (
            f"No face was stored. {why} Try another --detector, --crops where each picture was cut out about "
            "one face, or --aligned where each is an aligned face."
        )


def prepare(
    names: Sequence[str | Path],
    out: Path,
    /,
    *,
    settings: Settings | None = None,
    layout: str | None = None,
    engine: Engine = "local",
    workers: int | None = None,
    retry: bool = False,
    shard_size: int = SHARD_SIZE,
    progress: bool = True,
    shown: type[Progress] = Progress,
    **options: Any,
) -> PrepareSummary:
    """Find, align and score the faces of some sources, and write them into a store.

    Stopped at any point and called again with the same arguments, it goes on and ends with the same store.
    More sources may be added to a finished store by another call with the same settings. What is stored is
    not changed: other labels of its sources are refused, as are other parts of its videos.

    Args:
        names: Pictures, videos, folders, archives, patterns and data sets.
        out: The store.
        settings: See :class:`~halfsmile.faces.prepare.settings.Settings`.
        layout: See :func:`~halfsmile.faces.prepare.sources.find`.
        engine: Where the faces are looked for, see :func:`~halfsmile.utils.parallel.engine.open_pool`;
            the store is written here.
        workers: Processes that look for faces, by default one for each processor; 0 works in this process. As
            they are spawned, a program that calls this needs ``if __name__ == "__main__":``.
        retry: Try the sources again that were left out before.
        shard_size: Bytes after which the next shard begins.
        progress: Show progress on standard error when it takes more than two seconds.
        shown: What shows it.
        options: For the reader of a data set.

    Raises:
        ValueError: If a name stands for nothing, ``out`` is no store, it was begun with other settings,
            labels or parts of videos, or the engine is not installed.
        OSError: If the store can't be written, or the engine fails.
    """
    out = Path(out)
    if out.exists() and not is_store(out) and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} exists and is no store. Choose a new folder, or a store to go on with.")
    settings = (settings or Settings()).resolved()
    start = time.monotonic()
    sources = find(names, layout=layout, leave_out=[out], **options)
    rule = options.get("rule")
    has_videos = sources.has_videos
    # before the writer opens what may be a finished store
    require_same_settings(out, settings, rule, has_videos=has_videos)
    start_worker = functools.partial(Preparer, settings)
    bar = functools.partial(shown, active=progress)
    notes = list(sources.notes)
    if is_store(out):
        faces_of = functools.partial(_faces_of, functools.cache(start_worker))
        notes += require_same_sources(out, sources, faces_of, shown=bar)
    if retry and not _has_left_out(out):
        notes.append("No source was left out before, so there is nothing to try again.")
    summary = PrepareSummary(out, notes=tuple(notes), has_videos=has_videos)
    writer = StoreWriter(
        out, shard_size=shard_size, taxonomy=sources.taxonomy, quality=settings.measures, retry=retry
    )
    with writer, open_pool(engine, start_worker, workers=workers) as pool:
        save_settings(out, settings, rule, has_videos=has_videos)
        before = len(writer)
        _Run(writer, pool, start_worker, summary).work(sources, bar)
        summary.new_faces = len(writer) - before
    summary.faces = len(writer)
    summary.labels, summary.splits = _counts(out, sources.taxonomy)
    summary.left_out = writer.left_out
    if settings.are_crops:
        name = f"quality_{ALIGNED}"
        aligned = int(pc.sum(read_index(out, [name])[0][name]).as_py() or 0)
        summary.crops = aligned, summary.faces - aligned
        save_counts(out, aligned=aligned, kept=summary.faces - aligned)
    summary.elapsed = time.monotonic() - start
    return summary


def _faces_of(start: Callable[[], Preparer], source: FaceSource) -> list[StoredFace]:
    """The faces of one picture; none of one that can't be read."""
    return [piece for piece in start()(PrepareTask((source,))) if isinstance(piece, StoredFace)]


def _has_left_out(store: Path) -> bool:
    """Whether a finished store has sources that could not be read; of others it is not known."""
    if not (store / SOURCES_NAME).is_file():
        return is_store(store)
    reasons = pq.read_table(store / SOURCES_NAME, columns=["reason"], partitioning=None)["reason"]
    return bool(reasons.null_count < len(reasons))


def _counts(store: Path, taxonomy: Taxonomy | None) -> tuple[dict[str, int], dict[str, int]]:
    """Faces of a store by label and by split."""
    index = read_index(store)[0]
    labels = Counter(index["label"].drop_null().to_pylist())
    splits = Counter(index["split"].drop_null().to_pylist())
    order = [*(taxonomy.labels if taxonomy else ()), *sorted(labels)]
    return (
        {label: labels[label] for label in dict.fromkeys(order) if labels[label]},
        {split: splits[split] for split in SPLITS if splits[split]},
    )


class _Failure(Exception):  # noqa: N818
    """A source that could not be read: takes back what the writer has of it."""


class _Run:
    """What comes from the processes goes to the writer, and is counted."""

    def __init__(
        self,
        writer: StoreWriter,
        pool: Pool[PrepareTask, Piece],
        start: Callable[[], Preparer],
        summary: PrepareSummary,
    ) -> None:
        self.writer = writer
        self.pool = pool
        self.start = start
        self.summary = summary

    def work(self, sources: FaceSources, shown: Callable[..., Progress]) -> None:
        """Process all sources that are not in the store yet."""
        self.begin, self.faces_before = time.monotonic(), len(self.writer)
        self.lengths = self._lengths(sources)
        known = self.summary.known_sources = sum(source.name in self.writer for source in sources)
        total = len(sources) + sum(length - 1 for length in self.lengths.values())
        processor = time.process_time()
        with shown("preparing faces", total=total, done=known) as self.progress:
            for task, pieces in self.pool.run(self._tasks(sources)):
                try:
                    self._write(task.sources, pieces)
                except TaskError as error:
                    self._without(task.sources, str(error))
        processor = time.process_time() - processor
        done_here = 0.0 if self.pool.workers else sum(self.summary.seconds.values())
        self.summary.seconds["write"] = processor - done_here

    def _lengths(self, sources: Iterable[FaceSource]) -> dict[str, int]:
        """Number of frames to be processed, of the videos that are still to do."""
        videos = (s for s in sources if s.is_video and s.name not in self.writer)
        lengths = {}
        for task, pieces in self.pool.run(PrepareTask((video,), only_length=True) for video in videos):
            with contextlib.suppress(TaskError):
                count = sum(piece.count for piece in pieces if isinstance(piece, FrameCount))
                lengths[task.sources[0].name] = max(1, count)
        return lengths

    def _tasks(self, sources: Iterable[FaceSource]) -> Iterator[PrepareTask]:
        """Groups of sources, the same in every run, without those that are done."""
        for is_video, alike in itertools.groupby(sources, key=lambda source: source.is_video):
            while group := tuple(itertools.islice(alike, 1 if is_video else GROUP)):
                if any(source.name not in self.writer for source in group):
                    yield PrepareTask(group)

    def _write(self, group: Sequence[FaceSource], pieces: Iterator[Piece]) -> None:
        """Store the faces of a group, except of sources that are in the store."""
        for source in group:
            if source.name in self.writer:
                while not isinstance(next(pieces), Done):
                    pass
                continue
            try:
                faces = self.writer.add(source.name, self._faces(source, pieces))
                self.summary.without_face += not faces
            except _Failure as failure:
                self.writer.leave_out(source.name, str(failure))
            self.summary.sources += 1

    def _faces(self, source: FaceSource, pieces: Iterator[Piece]) -> Iterator[StoredFace]:
        """The faces of a source; raises a failure if it turns out that it can't be read."""
        parts_left = self.lengths.get(source.name, 1)
        for piece in pieces:
            if isinstance(piece, StoredFace):
                self.summary.turned += abs((piece.quality or {}).get("roll") or 0.0) > TURNED
                yield piece
            elif isinstance(piece, FrameCount):
                parts = min(piece.count, parts_left)
                parts_left -= parts
                self._advance(parts)
            else:
                self._advance(parts_left)
                self.summary.dropped.update(piece.dropped)
                self.summary.problems += [(source.name, problem) for problem in piece.problems]
                for kind, seconds in piece.seconds.items():
                    self.summary.seconds[kind] = self.summary.seconds.get(kind, 0.0) + seconds
                if piece.failure is not None:
                    raise _Failure(piece.failure)
                return

    def _without(self, group: Sequence[FaceSource], reason: str) -> None:
        """Process the sources of a group one by one, since one of them ends the process, and leave it out."""
        rest = [source for source in group if source.name not in self.writer]
        if len(group) == 1:
            self._leave_out(group[0], reason)
            return
        with OrderedPool[PrepareTask, Piece](self.start, workers=1) as pool:
            for task, pieces in pool.run(PrepareTask((source,)) for source in rest):
                try:
                    self._write(task.sources, pieces)
                except TaskError as error:
                    self._leave_out(task.sources[0], str(error))

    def _leave_out(self, source: FaceSource, reason: str) -> None:
        self.writer.leave_out(source.name, reason)
        self.summary.sources += 1
        self._advance(self.lengths.get(source.name, 1))

    def _advance(self, parts: int) -> None:
        rate = (len(self.writer) - self.faces_before) / max(time.monotonic() - self.begin, 1e-9)
        self.progress.advance(
            min(parts, self.progress.total - self.progress.done), note=f"{rate:,.0f} faces/s"
        )


def _list(say: Callable[[str], None], what: str, found: Sequence[tuple[str, str]]) -> None:
    """Say how many there are, and show the first."""
    if found:
        say(f"{len(found):,} {what}:")
        for name, reason in found[:_SHOWN]:
            say(f"  {name}: {reason}")
        if len(found) > _SHOWN:
            say(f"  … and {len(found) - _SHOWN:,} more; sources.parquet lists those that were left out.")
