"""``halfsmile predict``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro

from halfsmile.cli.options import (
    Model,
    ModelThreads,
    OptionalFile,
    OptionalFolder,
    PredictDevice,
    Prior,
    Threshold,
)
from halfsmile.utils.console import make_console, silence_opencv


@dataclass(frozen=True)
class Predict:
    """Find faces in pictures and videos and name their expressions.

    Args:
        paths: Pictures, videos, folders, archives, 'patterns', the number of a camera, or the rtsp:// address
            of one in the network.
        out: Table: .csv, .jsonl or .parquet; without it a line for each face is printed. That of an earlier
            run is replaced, unless --resume.
        model: An exported model: the folder of a run after `halfsmile export`, or its ONNX file.
        summary: Second table: a row for each person, video and picture.
        detector: What finds the faces: the network yunet or mtcnn; auto is yunet. aligned takes each picture
            as one face that was cut out before, given takes the faces of --boxes.
        boxes: Table of pictures with boxes or landmarks in pixels, for --detector given.
        format: openface writes a CSV file with the columns of OpenFace, another program.
        annotate: Folder for annotated pictures and videos.
        plot: Folder for a timeline (SVG) of each video.
        explain: Folder for pictures of what each answer rests on: per face, in videos per person.
        blur_faces: Make faces unrecognizable in annotated copies.
        resume: Leave out what the table already has, except what could not be read.
        largest_only: Take the largest face of each picture or frame only.
        min_score: Leave out faces of which the detector is less sure, from 0 to 1.
        region: Take faces whose centers lie within, as shares of the picture (0 0 0.5 1) or in pixels.
        clip_boxes: Cut boxes off at the edges of the picture.
        threshold: Confidence from which an answer counts as certain.
        prior: How often to expect each expression: uniform (all alike), natural (as often as in everyday
            pictures), or a JSON file of shares by label.
        smoothing: Seconds over which a person's probabilities are averaged.
        baseline: person answers in videos relative to each person's own resting face.
        neutral: Photograph of the person's resting face, to be taken for it; who looks like somebody else is
            told, and with --baseline compared with their own.
        temporal: Run with Stage IV (a network over neighboring frames), or its ONNX file, that answers in
            videos; not with smoothing.
        start: Leave out what comes before, in seconds or 1:30; of each video.
        end: Leave out what comes from then on.
        every: Take every n-th frame only.
        every_seconds: Take one frame in so many seconds only.
        detect_every: Frames from one detection to the next.
        retries: How often in a row a stream that breaks off is opened again.
        same_people: Number people across all videos, and know them in other light and on other days, too.
        frames_without_face: Write rows for frames without a face, too.
        as_video: Take the pictures of a folder as frames of one video; needs --fps.
        fps: Frames per second of --as-video.
        quality: Score size, sharpness, exposure and pose.
        threads: Threads of the model, the detector and OpenCV.
        device: What computes the expressions; auto takes a GPU that onnxruntime can use.
    """

    after_stop: ClassVar[str] = ""  # the message itself says how to go on

    paths: Annotated[
        tuple[str, ...],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="SOURCE [SOURCE ...]", help_behavior_hint="(required)"),
    ]
    out: Annotated[
        Path | None, tyro.conf.arg(metavar="TABLE", help_behavior_hint="(default: lines on the terminal)")
    ] = None
    summary: Annotated[Path | None, tyro.conf.arg(metavar="TABLE", help_behavior_hint="(default: none)")] = (
        None
    )
    model: Model = None
    detector: Literal["auto", "yunet", "mtcnn", "aligned", "given"] = "auto"
    boxes: Annotated[Path | None, tyro.conf.arg(metavar="TABLE", help_behavior_hint="(default: none)")] = None
    format: Literal["auto", "openface"] = "auto"
    annotate: OptionalFolder = None
    plot: OptionalFolder = None
    explain: OptionalFolder = None
    blur_faces: bool = False
    resume: bool = False
    largest_only: bool = False
    min_score: float = 0.0
    region: Annotated[
        tuple[float, float, float, float] | None,
        tyro.conf.arg(metavar="LEFT TOP RIGHT BOTTOM", help_behavior_hint="(default: everywhere)"),
    ] = None
    clip_boxes: bool = False
    threshold: Threshold = None
    prior: Prior = None
    start: Annotated[str, tyro.conf.arg(metavar="TIME")] = "0"
    end: Annotated[str | None, tyro.conf.arg(metavar="TIME", help_behavior_hint="(default: the end)")] = None
    baseline: Annotated[
        Literal["person"] | None,
        tyro.conf.arg(metavar="{person}", help_behavior_hint="(default: none)"),
    ] = None
    neutral: OptionalFile = None
    smoothing: Annotated[
        float | None, tyro.conf.arg(metavar="SECONDS", help_behavior_hint="(default: none)")
    ] = None
    temporal: Annotated[Path | None, tyro.conf.arg(metavar="RUN", help_behavior_hint="(default: none)")] = (
        None
    )
    every: int = 1
    every_seconds: Annotated[
        float | None, tyro.conf.arg(metavar="SECONDS", help_behavior_hint="(default: every frame)")
    ] = None
    detect_every: int = 3
    retries: int = 3
    same_people: bool = False
    frames_without_face: bool = False
    as_video: bool = False
    fps: Annotated[float | None, tyro.conf.arg(metavar="NUMBER", help_behavior_hint="(default: none)")] = None
    quality: bool = False
    threads: ModelThreads = None
    device: PredictDevice = "auto"

    def run(self) -> None:
        """Look, write and sum up."""
        from halfsmile.predict.run import predict_run
        from halfsmile.predict.tables.older import older_table

        silence_opencv()
        for path in (self.out, self.summary):
            if path is not None and not self.resume and (said := older_table(path)):
                make_console(stderr=True).print(said, soft_wrap=True)
        options = dataclasses.asdict(self)
        options["table_format"] = options.pop("format")
        predict_run(options.pop("paths"), **options).render(make_console(stderr=True))
