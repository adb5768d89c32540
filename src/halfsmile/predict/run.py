"""``halfsmile predict``: many sources in, one table out, rows as they are computed."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from halfsmile.faces.detect import Detector, DetectorName, detector_title
from halfsmile.faces.recordings import as_recordings, look_like_frames
from halfsmile.faces.sources import Named, find_sources
from halfsmile.predict.drawing.output_paths import OutputPaths, output_paths_after, require_originals_kept
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.predictor import Predictor
from halfsmile.predict.prior import Prior
from halfsmile.predict.summary import PredictSummary
from halfsmile.predict.tables.columns import QUALITY
from halfsmile.predict.tables.settings import settings_of
from halfsmile.predict.tables.sinks import Printer, Sink, TableFormat, open_sink, require_table
from halfsmile.predict.video_options import VideoOptions, require_video_options
from halfsmile.predict.work import Work
from halfsmile.utils.errors import StopRequestedError
from halfsmile.utils.progress import Progress

if TYPE_CHECKING:
    from halfsmile.predict.temporal_model import TemporalModel


def predict_run(
    paths: Sequence[str | Path],
    *,
    out: str | Path | None = None,
    model: str | Path | ExpressionModel | None = None,
    detector: DetectorName | Detector = "auto",
    annotate: str | Path | None = None,
    plot: str | Path | None = None,
    explain: str | Path | None = None,
    blur_faces: bool = False,
    resume: bool = False,
    threshold: float | None = None,
    prior: Prior | None = None,
    every: int = 1,
    detect_every: int = 3,
    smoothing: float | None = None,
    temporal: str | Path | TemporalModel | None = None,
    frames_without_face: bool = False,
    as_video: bool = False,
    fps: float | None = None,
    quality: bool = False,
    table_format: TableFormat = "auto",
    threads: int | None = None,
    progress: bool = True,
) -> PredictSummary:
    """Predict for everything that is named and write a row for every face.

    Args:
        paths: Pictures, videos, folders, archives, patterns, camera numbers, addresses; see
            :mod:`halfsmile.faces.sources`.
        out: Table to write, see :func:`halfsmile.predict.tables.sinks.open_sink`; None prints a line for
            each face.
        model: See :class:`Predictor`; so are ``detector``, ``threshold``, ``quality`` and ``threads``.
        detector: Name of a detector, or one of your own.
        annotate: Folder for annotated copies.
        plot: Folder for a timeline (SVG) of each video.
        explain: Folder for pictures of what answers rest on: for every face of a picture, and for each person
            of a video where the model was surest; see :mod:`halfsmile.predict.drawing.explain_files`.
        blur_faces: Make faces unrecognizable in annotated copies; the detector then runs on every frame.
        resume: Leave out sources that the table, or what a stopped run left of it, already has, except those
            that could not be read.
        threshold: Confidence from which an answer counts as certain.
        prior: How often each expression is to be expected, see :class:`Predictor`.
        every: See :meth:`Predictor.video`; so are ``detect_every``, ``smoothing``, ``temporal`` and
            ``frames_without_face``.
        detect_every: Frames from one detection to the next.
        smoothing: Seconds over which each person's probabilities are averaged.
        temporal: Network over frames, for videos.
        frames_without_face: Write a row for each frame without a face.
        as_video: Take the pictures of each folder as the frames of one video, in the order of their numbers.
        fps: Frames per second of those videos.
        quality: Score every face.
        table_format: ``openface`` for OpenFace's columns.
        threads: Of the expression model.
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
    if as_video != (fps is not None):
        raise ValueError("--as-video and --fps go together: say how many frames a second the pictures are.")
    if fps is not None and not 0 < fps <= 1000:
        raise ValueError(f"fps must be a number of frames per second up to 1,000, found {fps}.")
    require_video_options(every=every, detect_every=detect_every, smoothing=smoothing)
    start = time.monotonic()
    folders = [Path(folder) for folder in (annotate, plot, explain) if folder is not None]
    sources = find_sources(paths, leave_out=folders)
    of_videos = {
        "--every": every != 1,
        "--detect-every": detect_every != 3,
        "--smoothing": smoothing is not None,
        "--temporal": temporal is not None,
        "--plot": plot is not None,
        "--frames-without-face": frames_without_face,
    }
    notes = list(sources.notes)
    if prior is not None:
        notes.append(f"Expressions are expected as often as the prior {prior} says.")
    if as_video:
        sources = replace(sources, items=as_recordings(sources.items))
    else:
        notes += look_like_frames(sources.items)
    idle = [name for name, is_given in of_videos.items() if is_given]
    if idle and all(source.kind == "picture" for source in sources.items):
        notes.append(f"{', '.join(idle)}: for videos only, and there is none.")
    copies = {"annotate": _folder(annotate), "explain": _folder(explain)}
    require_originals_kept(sources.items, OutputPaths(), **copies)
    table = None if out is None else require_table(out, table_format)
    predictor = Predictor(
        model, detector=detector, threshold=threshold, quality=quality, threads=threads, prior=prior
    )
    video: VideoOptions = {
        "every": every,
        "detect_every": 1 if blur_faces else detect_every,
        "smoothing": smoothing,
        "temporal": None,
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
        Printer()
        if table is None
        else open_sink(
            table,
            predictor.labels,
            quality=names,
            votes=predictor.model.facts.vote_temperature is not None,
            table_format=table_format,
            resume=resume,
            again=Named(sources.items),
            settings=settings_of(predictor, video, frames_without_face=frames_without_face, fps=fps),
        )
    )
    done = {*sink.done, *map(os.path.abspath, sink.done)}
    left = [source for source in sources.items if source.key not in done]
    total = len(sources.items)
    summary = PredictSummary(
        ignored=sources.ignored,
        notes=notes,
        skipped=total - len(left),
        detector=detector_title(predictor.detector),
    )
    try:
        with sink, Progress("looking", total=total, done=summary.skipped, active=progress) as shown:
            before = _in_order(sink)
            if before:
                require_originals_kept(sources.items, output_paths_after(before, sources.items), **copies)
            work = Work(
                predictor=predictor,
                sink=sink,
                summary=summary,
                video=video,
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
    summary.seconds = time.monotonic() - start
    summary.written = [path for path in dict.fromkeys((table, *folders)) if path is not None]
    if len(summary.failures) == total:
        name, reason = summary.failures[0]
        several = f"None of {total} sources could be read; first: " if total > 1 else ""
        raise ValueError(several + (reason if name in reason else f"{name}: {reason}"))
    return summary


def _in_order(sink: Sink | Printer) -> list[str]:
    """The sources that a table has rows of, in its order."""
    if isinstance(sink, Printer) or not sink.done:
        return []
    with sink.partial.open("rb") as file:
        return [row.source for row in sink.rows.find(file)]


def _folder(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
