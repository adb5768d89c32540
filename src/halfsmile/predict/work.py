"""Sources one after the other: rows, annotated copies, timelines and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from halfsmile.data.preprocess import Image
from halfsmile.faces.recordings import recorded_frames
from halfsmile.faces.sources import MediaSource
from halfsmile.predict.drawing.output_paths import OutputPaths, copy_path
from halfsmile.predict.face import NO_FACE, Face, Faces, NoFace, tells_of_failure
from halfsmile.predict.options.selection import Selection
from halfsmile.predict.predictor import Predictor
from halfsmile.predict.summary import PredictSummary
from halfsmile.predict.tables.columns import flat_row
from halfsmile.predict.tables.people import PeopleTable
from halfsmile.predict.tables.sinks import Printer, Sink
from halfsmile.predict.video_options import VideoOptions
from halfsmile.utils.errors import in_words
from halfsmile.utils.parallel.threads import map_in_threads
from halfsmile.utils.progress import Progress

if TYPE_CHECKING:
    from halfsmile.faces.video.sound import Sound
    from halfsmile.predict.answers.baseline import Reference
    from halfsmile.predict.video import Seen

BATCH = 8  # pictures of one batch
BATCH_PIXELS = 1 << 25  # after which a batch is full
AHEAD = 4  # pictures that are read while others are processed

Picture = tuple[MediaSource, Image | str]
"""A source with its pixels, or the reason why there are none."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """Predicts for sources and hands on the results.

    Args:
        predictor: Finds faces and names expressions.
        sink: Gets the rows.
        summary: Counts.
        video: How videos are processed.
        selection: Which faces are wanted.
        people: Collects the rows for a second table.
        frames_without_face: Whether they have rows, too.
        fps: Frames per second of folders of pictures that are recordings.
        paths: Where what is written about a source goes.
        annotate: Folder for annotated copies.
        plot: Folder for timelines.
        explain: Folder for explanations.
        blur_faces: Make faces unrecognizable in annotated copies.
        progress: Is told what takes long.
    """

    predictor: Predictor
    sink: Sink | Printer
    summary: PredictSummary
    video: VideoOptions
    selection: Selection = field(default_factory=Selection)
    people: PeopleTable | None = None
    frames_without_face: bool = False
    fps: float = 30.0
    paths: OutputPaths
    annotate: Path | None = None
    plot: Path | None = None
    explain: Path | None = None
    blur_faces: bool = False
    progress: Progress

    def pictures(self, sources: Iterable[MediaSource]) -> Iterator[MediaSource]:
        """Predict for pictures; give each source when its rows are written."""
        for batch in batches(read_ahead(sources, self.predictor.threads, self.summary.damaged)):
            found = self.predictor.predict_batch(
                [picture for _, picture in batch], [s.name for s, _ in batch]
            )
            for (source, picture), results in zip(batch, found, strict=True):
                faces = Faces(result for result in results if isinstance(result, Face))
                failures = [
                    result.reason
                    for result in results
                    if isinstance(result, NoFace) and tells_of_failure(result.reason)
                ]
                if isinstance(picture, str) or failures:
                    self.summary.fail(source.name, failures[0])
                else:
                    self.paths.of(source)
                    wanted = self.selection.choose(faces)
                    self._annotate(source, picture, wanted, hidden=faces)
                    self._explain(source, picture, wanted)
                    self.summary.pictures += 1
                    self.summary.without_face += not wanted
                    results = self._without(faces, wanted, results) or [
                        NoFace(source=source.name, reason=f"{NO_FACE} in what was asked for")
                    ]
                self.summary.count(results)
                self._write(results)
                yield source

    def _without(self, faces: Faces, wanted: Faces, results: list[Face | NoFace]) -> list[Face | NoFace]:
        """Results without the faces that are not wanted, which are counted."""
        self.summary.left_out += len(faces) - len(wanted)
        if len(faces) == len(wanted):
            return results
        return [*wanted, *(result for result in results if isinstance(result, NoFace))]

    def _write(self, results: Sequence[Face | NoFace]) -> None:
        self.sink.write(results)
        if self.people is not None:
            for result in results:
                self.people.add(flat_row(result))

    def video_source(self, source: MediaSource) -> None:
        """Predict for a video, camera or stream."""
        from halfsmile.faces.video.frames import BadVideoError
        from halfsmile.predict.video import predict_video

        problems: list[str] = []
        span = self._span(source)
        frames = recorded_frames(
            source,
            fps=self.fps,
            every=self.video["every"],
            every_seconds=self.video["every_seconds"] or 0.0,
            start=self.video["start"],
            end=self.video["end"],
            problems=problems,
        )
        seen_frames = predict_video(
            self.predictor,
            frames if source.pictures else source.video,
            keep_pictures=self.annotate is not None or self.explain is not None,
            name=source.name,
            problems=problems,
            first_look=partial(self._advance, source, span, 1),
            **self.video,
        )
        try:
            first = next(seen_frames, None)  # what can't be read shall leave no files
            if first is None:
                raise BadVideoError(f"{source.video}: {self._nothing_taken(source)}")
        except Exception as error:  # whatever it is, the other sources are processed
            reason = self._reason(source, error)
            self.summary.fail(source.name, reason)
            self._write([NoFace(source=source.name, reason=reason)])
        else:
            self.summary.videos += 1
            self._watch(source, span, self._unless_it_breaks_off(source, chain([first], seen_frames)))
            self.summary.notes += [f"{source.name}: {problem}" for problem in problems]
        self.progress.advance(1, note=source.name)

    def _nothing_taken(self, source: MediaSource) -> str:
        """Why a video has frames, but none to look at."""
        start, end = self.video["start"], self.video["end"]
        if start or end is not None:
            until = "" if end is None else f" and before {end:g} s"
            length = self._length(source)
            lasts = "" if length is None else f"; it lasts {length:.2f} s"
            return f"no frame from {start:g} s on{until} (--start, --end){lasts}."
        return "no frame whose number is a multiple of --every."

    @staticmethod
    def _reason(source: MediaSource, error: Exception) -> str:
        return in_words(error).removeprefix(f"{source.video}: ").replace(str(source.video), source.name)

    def _unless_it_breaks_off(self, source: MediaSource, seen_frames: Iterable[Seen]) -> Iterator[Seen]:
        """Frames up to the one at which reading or answering fails; that has a row with the reason."""
        time = 0.0
        try:
            for seen in seen_frames:
                time = seen.frame.time
                yield seen
        except Exception as error:  # whatever it is, the other sources are processed
            reason = f"broke off after {time:.2f} s: {self._reason(source, error)}"
            self.summary.notes.append(f"{source.name}: {reason}")
            self._write([NoFace(source=source.name, reason=reason)])

    def _span(self, source: MediaSource) -> float | None:
        """Seconds of a source that are to be looked at; None where nobody knows."""
        length = self._length(source)
        if length is None:
            return None
        return max(1e-3, min(length, self.video["end"] or length) - self.video["start"])

    def _length(self, source: MediaSource) -> float | None:
        """Seconds of a whole source; None where nobody knows."""
        if source.pictures:
            return len(source.pictures) / self.fps
        return None if source.is_live else duration_of(source.video)

    def _looks(self, source: MediaSource) -> int:
        """How often a video is looked at: twice where people are compared with their rest in it."""
        compares = self.video["baseline"] is not None
        return 2 if compares and not source.is_live and not source.pictures else 1

    def _advance(self, source: MediaSource, span: float | None, look: int, time: float) -> None:
        """Say how far a video is: seconds of how many, in which look, at which time."""
        looks = self._looks(source)
        done = 0.0 if span is None else min(max((time - self.video["start"]) / span, 0.0), 1.0)
        which = f", look {look} of {looks}," if looks > 1 else ""
        note = f"{source.name}{which} at {time:,.0f} s"
        self.progress.advance(0, note=note, share=(look - 1 + done) / looks)

    def _watch(self, source: MediaSource, span: float | None, seen_frames: Iterable[Seen]) -> None:
        """Take frame after frame; Ctrl-C is the natural end of a camera or stream."""
        from halfsmile.predict.drawing.annotate import annotated_video
        from halfsmile.predict.drawing.explain_files import PeopleOfVideo
        from halfsmile.predict.drawing.timeline import Timeline

        timeline = Timeline(self.predictor.labels, source.place.name) if self.plot is not None else None
        explained = PeopleOfVideo(self.predictor) if self.explain is not None else None
        people: set[int | None] = set()
        references: dict[int, Reference] = {}
        looks = self._looks(source)
        place = self.paths.of(source)
        frames = rows = 0
        with ExitStack() as stack:
            draw, copy, sound = None, Path(), self._sound(source)
            if self.annotate is not None:
                copy = self.annotate / copy_path(source, place)
                with self._writing(copy):
                    draw = stack.enter_context(annotated_video(copy, hide_faces=self.blur_faces, sound=sound))
            try:
                for found in seen_frames:
                    seen = replace(found, faces=self.selection.choose(found.faces))
                    self.summary.left_out += len(found.faces) - len(seen.faces)
                    results = seen.results(frames_without_face=self.frames_without_face)
                    self._write(results)
                    rows += len(results)
                    frames += 1
                    present = {face.track for face in seen.faces}
                    people |= present
                    references.update(item for item in seen.references.items() if item[0] in present)
                    self.summary.count(seen.faces)
                    if draw is not None:
                        with self._writing(copy):
                            draw(seen)
                    if timeline is not None:
                        timeline.add(seen.faces, seen.frame.time)
                    if explained is not None:
                        explained.add(seen.frame.image, seen.faces)
                    self._advance(source, span, looks, seen.frame.time)
            except KeyboardInterrupt:
                if not source.is_live:
                    raise
            with self._writing(copy):
                stack.close()
        if sound is not None and sound.problem is not None:
            self.summary.notes.append(f"{source.name}: in the annotated copy {sound.problem}.")
        self.summary.frames += frames
        self.summary.people += len(people)
        self.summary.references.update(references.values())
        self.summary.without_face += not people
        if not rows:
            self._write([NoFace(source=source.name, reason=f"{NO_FACE} in {frames:,} frames")])
        if timeline is not None and self.plot is not None:
            path = self._path(self.plot, source, ".svg")
            with self._writing(path):
                timeline.write(path)
        if explained is not None and self.explain is not None:
            with self._writing(self._path(self.explain, source)):
                written = explained.write(self._path(self.explain, source), say=self._say(source))
            left_out = len(people) - len(written)
            if left_out:
                who = "1 person who is" if left_out == 1 else f"{left_out:,} people who are"
                is_or_are = "is" if left_out == 1 else "are"
                self.summary.notes.append(f"{source.name}: {who} seen less {is_or_are} not explained.")

    def _sound(self, source: MediaSource) -> Sound | None:
        """What an annotated copy sounds like: nothing where faces are hidden, since voices tell, too."""
        if self.annotate is None or self.blur_faces or source.is_live or source.pictures:
            return None
        from halfsmile.faces.video.animation import is_webp
        from halfsmile.faces.video.sound import Sound

        return None if is_webp(source.name) else Sound(source.name)

    def _annotate(
        self, source: MediaSource, picture: Image, faces: Sequence[Face], *, hidden: Sequence[Face]
    ) -> None:
        """Write a copy; ``hidden`` are the faces to blur, where that was asked for."""
        if self.annotate is None:
            return
        from halfsmile.predict.drawing.annotate import write_picture

        path = self.annotate / copy_path(source, self.paths.of(source))
        with self._writing(path):
            write_picture(path, picture, faces, hidden=hidden if self.blur_faces else ())

    def _explain(self, source: MediaSource, picture: Image, faces: Sequence[Face]) -> None:
        if self.explain is None:
            return
        from halfsmile.predict.drawing.explain_files import explain_picture

        place = self._path(self.explain, source)
        with self._writing(place):
            explain_picture(self.predictor, place, picture, faces, say=self._say(source))

    @contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        """Say of what can't be written where it was to go and what is kept."""
        try:
            yield
        except OSError as error:
            kept = "; what was written so far stays"
            kept += ", and --resume goes on from it" if self.sink.partial else ""
            raise OSError(error.errno, f"{error.strerror or error}{kept}", str(path)) from error

    def _say(self, source: MediaSource) -> Callable[[str], None]:
        return lambda what: self.progress.advance(0, note=f"{source.name}: {what}")

    def _path(self, folder: Path, source: MediaSource, suffix: str = "") -> Path:
        place = self.paths.of(source)
        return folder / place.parent / f"{place.name}{suffix}"


def duration_of(video: str | int) -> float | None:
    """Seconds that a video lasts; None where it does not say."""
    from halfsmile.faces.video.frames import BadVideoError, probe

    try:
        return None if isinstance(video, int) else probe(video).duration or None
    except BadVideoError:
        return None


def read_ahead(
    sources: Iterable[MediaSource], threads: int | None = None, problems: list[str] | None = None
) -> Iterator[Picture]:
    """Read pictures in their order, some while others are worked on, unless one thread shall do all.

    Args:
        sources: Pictures.
        threads: Of the run; None for all there are.
        problems: Gets a sentence for each picture that is damaged and was read all the same.
    """

    def read(source: MediaSource) -> Picture:
        try:
            return source, source.read(problems)
        except Exception as error:  # whatever it is, the other sources are processed
            return source, in_words(error).removeprefix(f"{source.locator}: ").removeprefix(
                f"{source.name}: "
            )

    if threads == 1:
        return map(read, sources)
    return map_in_threads(read, sources, threads=2, ahead=AHEAD)


def batches(pictures: Iterable[Picture]) -> Iterator[list[Picture]]:
    """A batch of one picture, for the first row to come soon, then larger ones, bounded in pixels."""
    batch: list[Picture] = []
    limit, pixels = 1, 0
    for source, picture in pictures:
        batch.append((source, picture))
        pixels += 0 if isinstance(picture, str) else picture.size
        if len(batch) >= limit or pixels >= BATCH_PIXELS:
            yield batch
            batch, limit, pixels = [], BATCH, 0
    if batch:
        yield batch
