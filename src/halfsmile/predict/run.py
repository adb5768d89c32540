"""``halfsmile predict``: many sources in, one table out, rows as they are computed."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from halfsmile.faces.detect import Detector, DetectorName, detector_title
from halfsmile.faces.given_table import GivenTable
from halfsmile.faces.recordings import as_recordings, look_like_frames
from halfsmile.faces.sources import Named, find_sources
from halfsmile.predict.answers.neutral import neutral_face
from halfsmile.predict.answers.prior import Prior
from halfsmile.predict.drawing.output_paths import OutputPaths, output_paths_after, require_originals_kept
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.options.devices import DeviceName
from halfsmile.predict.options.selection import Region, Selection
from halfsmile.predict.predictor import Predictor
from halfsmile.predict.summary import PredictSummary
from halfsmile.predict.tables.columns import QUALITY
from halfsmile.predict.tables.older import older_table
from halfsmile.predict.tables.people import PeopleTable, require_people_table
from halfsmile.predict.tables.read_rows import read_rows
from halfsmile.predict.tables.settings import settings_of
from halfsmile.predict.tables.sinks import Printer, Sink, TableFormat, open_sink, require_table
from halfsmile.predict.video_options import VideoOptions, require_video_options, seconds_of
from halfsmile.predict.work import Work
from halfsmile.utils.errors import StopRequestedError
from halfsmile.utils.progress import Progress

if TYPE_CHECKING:
    from halfsmile.faces.tracking.gallery import Gallery
    from halfsmile.predict.answers.baseline import Baseline
    from halfsmile.predict.temporal_model import TemporalModel


def predict_run(
    paths: Sequence[str | Path],
    *,
    out: str | Path | None = None,
    model: str | Path | ExpressionModel | None = None,
    detector: DetectorName | Literal["given"] | Detector = "auto",
    boxes: str | Path | None = None,
    annotate: str | Path | None = None,
    plot: str | Path | None = None,
    explain: str | Path | None = None,
    blur_faces: bool = False,
    resume: bool = False,
    threshold: float | None = None,
    prior: Prior | None = None,
    summary: str | Path | None = None,
    start: float | str = 0.0,
    end: float | str | None = None,
    every: int = 1,
    every_seconds: float | None = None,
    largest_only: bool = False,
    min_score: float = 0.0,
    region: Region | None = None,
    clip_boxes: bool = False,
    retries: int = 3,
    detect_every: int = 3,
    smoothing: float | None = None,
    temporal: str | Path | TemporalModel | None = None,
    same_people: bool = False,
    baseline: Baseline | None = None,
    neutral: str | Path | None = None,
    frames_without_face: bool = False,
    as_video: bool = False,
    fps: float | None = None,
    quality: bool = False,
    table_format: TableFormat = "auto",
    threads: int | None = None,
    device: DeviceName = "auto",
    progress: bool = True,
) -> PredictSummary:
    """Predict for everything that is named and write a row for every face.

    Args:
        paths: Pictures, videos, folders, archives, patterns, camera numbers, addresses; see
            :mod:`halfsmile.faces.sources`.
        out: Table to write, see :func:`halfsmile.predict.tables.sinks.open_sink`; None prints a line for
            each face. One of an earlier run is replaced, any other file refused.
        model: See :class:`Predictor`; so are ``detector``, ``threshold``, ``quality``, ``threads`` and
            ``device``.
        detector: Name of a detector, or one of your own; ``given`` takes the faces of ``boxes``.
        boxes: Table of boxes or landmarks, see :class:`halfsmile.faces.given_table.GivenTable`.
        annotate: Folder for annotated copies.
        plot: Folder for a timeline (SVG) of each video.
        explain: Folder for pictures of what answers rest on: for every face of a picture, and for each person
            of a video where the model was surest; see :mod:`halfsmile.predict.drawing.explain_files`.
        blur_faces: Make faces unrecognizable in annotated copies; the detector then runs on every frame.
        resume: Leave out sources that the table, or what a stopped run left of it, already has, except those
            that could not be read.
        threshold: Confidence from which an answer counts as certain.
        prior: How often each expression is to be expected, see :class:`Predictor`.
        summary: Second table, with a row for each person, video and picture; see
            :mod:`halfsmile.predict.tables.people`.
        start: Seconds of each video, or ``minutes:seconds``, before which it is left out.
        end: Likewise, from which on it is left out.
        every_seconds: Take the first frame at or after each multiple of this time.
        largest_only: See :class:`halfsmile.predict.options.selection.Selection`; so are ``min_score`` and
            ``region``.
        min_score: The detector's score that a face must have.
        region: Where the centers of faces lie.
        clip_boxes: See :class:`Predictor`.
        every: See :meth:`Predictor.video`; so are ``detect_every``, ``smoothing``, ``temporal`` and
            ``frames_without_face``.
        retries: How often in a row a stream that breaks off is opened again.
        detect_every: Frames from one detection to the next.
        smoothing: Seconds over which each person's probabilities are averaged.
        temporal: Network over frames, for videos.
        same_people: Number people across all videos of the run, and know them by the face network, too.
        baseline: ``person`` answers in videos relative to each person's own resting face.
        neutral: Photograph of the person's resting face, to be taken for it; a note tells who looks like
            somebody else. With ``baseline`` those have their own.
        frames_without_face: Write a row for each frame without a face.
        as_video: Take the pictures of each folder as the frames of one video, in the order of their numbers.
        fps: Frames per second of those videos.
        quality: Score every face.
        table_format: ``openface`` for OpenFace's columns.
        threads: Of all that computes.
        device: What computes the expression model.
        progress: Show progress on standard error.

    Returns:
        What was found. A source that can't be read is counted there and has a row with the reason.

    Raises:
        ValueError: If the sources, the model, the table or an option are not as described, or no source could
            be read, now or before.
        OSError: If a result can't be written; the rows so far are kept.
        StopRequestedError: On Ctrl-C, which only ends a camera or stream; the rows so far are kept.
    """
    if blur_faces and annotate is None:
        raise ValueError("blur_faces hides faces in annotated copies: give a folder for them (--annotate).")
    if blur_faces and explain is not None:
        raise ValueError("explain shows faces as they are, and blur_faces hides them: choose one.")
    if resume and out is None:
        raise ValueError("resume goes on with a table: name it (--out).")
    if same_people and resume:
        raise ValueError(
            "--same-people numbers the people of all videos in one run, and --resume does not know those of "
            "before: choose one."
        )
    if as_video != (fps is not None):
        raise ValueError("--as-video and --fps go together: say how many frames a second the pictures are.")
    if fps is not None and not 0 < fps <= 1000:
        raise ValueError(f"fps must be a number of frames per second up to 1,000, found {fps}.")
    first_second, last_second = seconds_of(start), None if end is None else seconds_of(end)
    require_video_options(
        every=every,
        detect_every=detect_every,
        smoothing=smoothing,
        every_seconds=every_seconds,
        start=first_second,
        end=last_second,
    )
    if retries < 0:
        raise ValueError(f"retries must not be negative, found {retries}.")
    selection = Selection(largest_only=largest_only, min_score=min_score, region=region)
    people_file = None if summary is None else require_people_table(summary)
    if people_file is not None and resume and table_format == "openface":
        raise ValueError(
            "--summary counts the rows of earlier runs, too, and OpenFace's columns don't tell enough of "
            "them. Leave out --resume, or write another table."
        )
    began = time.monotonic()
    folders = [Path(folder) for folder in (annotate, plot, explain) if folder is not None]
    sources = find_sources(paths, leave_out=folders)
    of_videos = {
        "--start": first_second > 0,
        "--end": last_second is not None,
        "--every": every != 1,
        "--every-seconds": every_seconds is not None,
        "--detect-every": detect_every != 3,
        "--smoothing": smoothing is not None,
        "--same-people": same_people,
        "--temporal": temporal is not None,
        "--baseline": baseline is not None,
        "--neutral": neutral is not None,
        "--plot": plot is not None,
        "--frames-without-face": frames_without_face,
    }
    notes = list(sources.notes)
    if prior is not None:
        notes.append(f"Expressions are expected as often as the prior {prior} says.")
    if as_video:
        sources = replace(sources, items=as_recordings(sources.items))
        if not any(source.pictures for source in sources.items):
            notes.append("--as-video, --fps: for folders of pictures only, and there is none.")
    else:
        notes += look_like_frames(sources.items)
    idle = [name for name, is_given in of_videos.items() if is_given]
    if idle and all(source.kind == "picture" for source in sources.items):
        notes.append(f"{', '.join(idle)}: for videos only, and there is none.")
    copies = {"annotate": _folder(annotate), "explain": _folder(explain)}
    require_originals_kept(sources.items, OutputPaths(), **copies)
    table = None if out is None else require_table(out, table_format)
    finder = _finder(detector, boxes)
    if isinstance(finder, GivenTable):
        notes += finder.notes_on(sources.items)
    if people_file is not None and table is not None and people_file.absolute() == table.absolute():
        raise ValueError(f"--out and --summary both name {table}: they are two tables.")
    for path in (people_file, None if resume else table):
        if path is not None:
            older_table(path)
    predictor = Predictor(
        model,
        detector=finder,
        threshold=threshold,
        quality=quality,
        threads=threads,
        device=device,
        clip_boxes=clip_boxes,
        prior=prior,
    )
    video: VideoOptions = {
        "start": first_second,
        "end": last_second,
        "every_seconds": every_seconds,
        "retries": retries,
        "every": every,
        "detect_every": 1 if blur_faces else detect_every,
        "smoothing": smoothing,
        "temporal": None,
        "people": known_people(threads) if same_people else None,
        "baseline": baseline,
        "neutral": None if neutral is None else neutral_face(predictor, neutral),
    }
    if temporal is not None:
        from halfsmile.predict.temporal import open_temporal

        video["temporal"] = open_temporal(temporal, predictor.model, smoothing=smoothing)
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"{folder} can't be made a folder ({error.strerror}).") from error
    names = QUALITY if quality else ()
    sink: Sink | Printer = (
        Printer(failures=len(sources.items) > 1)  # of a single source, the error or a note tells
        if table is None
        else open_sink(
            table,
            predictor.labels,
            quality=names,
            votes=predictor.model.facts.vote_temperature is not None,
            table_format=table_format,
            resume=resume,
            again=Named(sources.items),
            settings=settings_of(
                predictor, video, selection, frames_without_face=frames_without_face, fps=fps
            ),
        )
    )
    done = {*sink.done, *map(os.path.abspath, sink.done)}
    left = [source for source in sources.items if source.key not in done]
    total = len(sources.items)
    found = PredictSummary(
        ignored=sources.ignored,
        notes=notes,
        skipped=total - len(left),
        left_out_by=selection.in_words,
        neutral="" if neutral is None else str(neutral),
        detector=detector_title(predictor.detector),
        device=predictor.model.device,
    )
    people = None if people_file is None else PeopleTable(predictor.labels)
    try:
        with sink, Progress("looking", total=total, done=found.skipped, active=progress) as shown:
            before = _in_order(sink)
            if people is not None and before and not isinstance(sink, Printer):
                for row in read_rows(sink.partial, sink.rows):
                    people.add(row)
            if before:
                require_originals_kept(sources.items, output_paths_after(before, sources.items), **copies)
            work = Work(
                predictor=predictor,
                sink=sink,
                summary=found,
                video=video,
                selection=selection,
                people=people,
                frames_without_face=frames_without_face,
                fps=fps or 30.0,
                paths=output_paths_after(before, sources.items),
                annotate=_folder(annotate),
                plot=_folder(plot),
                explain=_folder(explain),
                blur_faces=blur_faces,
                progress=shown,
            )
            for are_pictures, group in groupby(left, key=lambda source: source.kind == "picture"):
                if are_pictures:
                    for source in work.pictures(group):
                        shown.advance(1, note=source.name)
                else:
                    for source in group:
                        work.video_source(source)
    except KeyboardInterrupt:
        where = f" {sink.partial} has what was found; --resume goes on from it." if sink.partial else ""
        raise StopRequestedError(f"Stopped.{where}") from None
    if people is not None and people_file is not None:
        people.write(people_file)
    found.seconds = time.monotonic() - began
    found.written = [path for path in dict.fromkeys((table, people_file, *folders)) if path is not None]
    if len(found.failures) == total:
        name, reason = found.failures[0]
        several = f"None of {total} sources could be read; first: " if total > 1 else ""
        raise ValueError(several + (reason if name in reason else f"{name}: {reason}"))
    return found


def known_people(threads: int | None = None) -> Gallery:
    """A memory of people for many videos, in which the face network tells who is who."""
    from halfsmile.faces.tracking.gallery import Gallery
    from halfsmile.faces.tracking.identity import FaceIdentity

    return Gallery(room=1000, identity=FaceIdentity(threads))


def _finder(
    detector: DetectorName | Literal["given"] | Detector, boxes: str | Path | None
) -> DetectorName | Detector:
    """The detector, or the table that stands for one."""
    if (detector == "given") != (boxes is not None):
        raise ValueError("--detector given and --boxes TABLE go together: the table tells where faces are.")
    if boxes is not None:
        return GivenTable(boxes)
    return detector  # type: ignore[return-value]


def _in_order(sink: Sink | Printer) -> list[str]:
    """The sources that a table has rows of, in its order."""
    if isinstance(sink, Printer) or not sink.done:
        return []
    with sink.partial.open("rb") as file:
        return [row.source for row in sink.rows.find(file)]


def _folder(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
