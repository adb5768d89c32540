"""``halfsmile predict``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro

from halfsmile.cli.options import Model, ModelThreads, OptionalFolder, Prior, Threshold
from halfsmile.utils.console import make_console


@dataclass(frozen=True)
class Predict:
    """Find faces in pictures and videos and name their expressions.

    Args:
        paths: Pictures, videos, folders, archives, 'patterns', a camera number, an rtsp:// address.
        out: Table: .csv, .jsonl or .parquet; without it a line for each face is printed.
        model: Exported ONNX file or run folder.
        detector: What finds the faces; auto is yunet.
        format: openface writes a CSV file with OpenFace's columns.
        annotate: Folder for annotated pictures and videos.
        plot: Folder for a timeline (SVG) of each video.
        explain: Folder for pictures of what each answer rests on: per face, in videos per person.
        blur_faces: Make faces unrecognizable in annotated copies.
        resume: Leave out what the table already has, except what could not be read.
        threshold: Confidence from which an answer counts as certain.
        prior: How often to expect each expression: uniform, natural, or a JSON file of shares by label.
        smoothing: Seconds over which a person's probabilities are averaged.
        temporal: Run with Stage IV, or its ONNX file, that answers in videos; not with smoothing.
        every: Take every n-th frame only.
        detect_every: Frames from one detection to the next.
        frames_without_face: Write rows for frames without a face, too.
        as_video: Take the pictures of a folder as frames of one video; needs --fps.
        fps: Frames per second of --as-video.
        quality: Score size, sharpness, exposure and pose.
        threads: Threads of the expression model.
    """

    after_stop: ClassVar[str] = ""  # the message itself says how to go on

    paths: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE [SOURCE ...]")]
    out: Annotated[
        Path | None, tyro.conf.arg(metavar="TABLE", help_behavior_hint="(default: lines on the terminal)")
    ] = None
    model: Model = None
    detector: Literal["auto", "yunet", "mtcnn"] = "auto"
    format: Literal["auto", "openface"] = "auto"
    annotate: OptionalFolder = None
    plot: OptionalFolder = None
    explain: OptionalFolder = None
    blur_faces: bool = False
    resume: bool = False
    threshold: Threshold = None
    prior: Prior = None
    smoothing: Annotated[
        float | None, tyro.conf.arg(metavar="SECONDS", help_behavior_hint="(default: none)")
    ] = None
    temporal: Annotated[Path | None, tyro.conf.arg(metavar="RUN", help_behavior_hint="(default: none)")] = (
        None
    )
    every: int = 1
    detect_every: int = 3
    frames_without_face: bool = False
    as_video: bool = False
    fps: Annotated[float | None, tyro.conf.arg(metavar="NUMBER", help_behavior_hint="(default: none)")] = None
    quality: bool = False
    threads: ModelThreads = None

    def run(self) -> None:
        """Look, write and sum up."""
        from halfsmile.predict.run import predict_run

        options = dataclasses.asdict(self)
        options["table_format"] = options.pop("format")
        predict_run(options.pop("paths"), **options).render(make_console(stderr=True))
