"""From pictures and videos to :class:`Face` results: detect, align, name; without torch, without network.

Example:
    >>> from halfsmile import Predictor  # doctest: +SKIP
    >>> for face in Predictor().predict("photo.jpg"):  # doctest: +SKIP
    ...     print(face.expression, face.confidence, face.uncertain)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from halfsmile.data.preprocess import Image
from halfsmile.faces.any_angle import is_tilted
from halfsmile.faces.boxes import clipped
from halfsmile.faces.detect import Detection, Detector, DetectorName, innermost
from halfsmile.faces.given_faces import AlignedFaces
from halfsmile.faces.given_table import GivenTable, faces_in
from halfsmile.faces.quality import pose_of, quality_scores
from halfsmile.predict.answers.doubt import strangeness, weighed
from halfsmile.predict.answers.judgment import Judge
from halfsmile.predict.answers.prior import Prior
from halfsmile.predict.cutting import cut_out, split_odd
from halfsmile.predict.face import LOOKS_CUT_OUT, NO_FACE, Face, Faces, NoFace
from halfsmile.predict.inputs import ChannelOrder, Picture, each_picture, read_picture, rgb
from halfsmile.predict.model import Crops, ExpressionModel, Prediction
from halfsmile.predict.options.devices import DeviceName, open_detector
from halfsmile.utils.errors import in_words

if TYPE_CHECKING:
    from halfsmile.faces.tracking.gallery import Gallery
    from halfsmile.faces.upright import Upright
    from halfsmile.faces.video.frames import VideoFrame
    from halfsmile.predict.answers.baseline import Baseline
    from halfsmile.predict.explain import Explanation
    from halfsmile.predict.temporal_model import TemporalModel

CROP_SIZE = 256  # pixels of a square picture up to which it may be a face that was cut out before


class Predictor:
    """Finds faces and names their expressions. One object serves one thread.

    Args:
        model: An exported ONNX file or a run folder with one; None for the model in the box.
        detector: Name of a detector, or one of your own. ``aligned`` takes each picture as one face that was
            cut out before; :class:`halfsmile.faces.given_table.GivenTable` takes faces from a table.
        threshold: Confidence from which an answer counts as certain; None for the model's own threshold.
            Where there is neither, certainty is unknown.
        quality: Score every face's size, sharpness, pose and exposure.
        threads: Of the expression model, the detector and, in the whole process, of OpenCV; None for all
            cores.
        device: What computes the expression model: ``cpu``, ``cuda`` or another of
            :mod:`halfsmile.predict.options.devices`; ``auto`` takes a GPU where there is one that works.
            Faces are found on the processor.
        clip_boxes: Cut boxes off at the picture's edges; else they reach beyond it where faces do.
        prior: How often each expression is to be expected: ``uniform``, ``natural``, a JSON file of shares by
            label, or those shares; None for the model's own, that of its labels.

    Raises:
        ValueError: If the model, the detector or the device can't be had, or the threshold is not between 0
            and 1.
    """

    def __init__(
        self,
        model: str | Path | ExpressionModel | None = None,
        *,
        detector: DetectorName | Detector = "auto",
        threshold: float | None = None,
        quality: bool = False,
        threads: int | None = None,
        device: DeviceName = "auto",
        clip_boxes: bool = False,
        prior: Prior | None = None,
    ) -> None:
        if threshold is not None and not 0 <= threshold <= 1:
            raise ValueError(f"threshold must lie between 0 and 1, found {threshold}.")
        self.model = (
            model if isinstance(model, ExpressionModel) else ExpressionModel.load(model, threads, device)
        )
        if prior is not None:
            self.model = self.model.with_prior(prior)
        self.detector: Detector = open_detector(detector, threads) if isinstance(detector, str) else detector
        self.threads = threads
        self.judge = Judge(self.model.facts, self.model.threshold if threshold is None else threshold)
        self.quality = quality
        self.clip_boxes = clip_boxes

    @property
    def labels(self) -> tuple[str, ...]:
        """Expressions that the model knows, in the order of its probabilities."""
        return self.model.labels

    @property
    def threshold(self) -> float | None:
        """Confidence from which an answer counts as certain; None where nobody knows."""
        return self.judge.threshold

    def predict(
        self,
        picture: Picture,
        *,
        channel_order: ChannelOrder = "RGB",
        value_range: tuple[float, float] | None = None,
    ) -> Faces:
        """All faces of one picture, the surest detection first; an empty list where there is none.

        Args:
            picture: A file's path, its bytes, the open file, an image of PIL, or pixels: RGB (H, W, 3) or
                gray (H, W, 1) or (H, W), uint8.
            channel_order: Of pixels. ``cv2.imread`` and cameras of OpenCV give ``"BGR"``: read as RGB, faces
                are found and answered less well, and nothing tells. ``"RGBA"`` and ``"BGRA"`` are taken
                without their transparency.
            value_range: Of pixels that are not uint8: which values are black and white, as (0, 1).

        Raises:
            BadImageError: If the file can't be read, or is a video (see :meth:`video`) or a folder (see
                :meth:`predict_many`).
            ValueError: If the picture is not as described.
        """
        image, source = read_picture(picture, channel_order=channel_order, value_range=value_range)
        return self.faces([image], [source])[0]

    def explain(
        self,
        picture: Picture,
        *,
        channel_order: ChannelOrder = "RGB",
        value_range: tuple[float, float] | None = None,
    ) -> list[Explanation]:
        """What the answer for each face of a picture rests on, in the order of :meth:`predict`.

        Each face costs some eighty answers of the model; see :mod:`halfsmile.predict.explain`.

        Args:
            picture: As for :meth:`predict`.
            channel_order: Likewise.
            value_range: Likewise.

        Raises:
            BadImageError: If the file can't be read.
            ValueError: If the pixels are not as described.
        """
        from halfsmile.predict.explain import explain_answer

        image, source = read_picture(picture, channel_order=channel_order, value_range=value_range)
        return [
            explain_answer(self.model, face, self.crop_of(image, face))
            for face in self.faces([image], [source])[0]
        ]

    def predict_many(
        self,
        pictures: Iterable[Picture] | str | PathLike[str],
        *,
        batch_size: int = 8,
        channel_order: ChannelOrder = "RGB",
        value_range: tuple[float, float] | None = None,
    ) -> Iterator[Face | NoFace]:
        """Faces of many pictures, as they are computed, in their order.

        A picture that can't be read, or shows no face, gives one :class:`NoFace` that says so.

        Args:
            pictures: Files, or whatever :meth:`predict` takes; or a folder, whose pictures are taken. What
                has no name is called ``array 0``, ``bytes 1`` and so on, by its place in the list.
            batch_size: Pictures of one batch; more are faster and need more memory.
            channel_order: Of pixels, as for :meth:`predict`.
            value_range: Likewise.

        Raises:
            ValueError: From the first ``next``, if it is no list.
        """
        remaining = enumerate(each_picture(pictures))
        while batch := list(islice(remaining, batch_size)):
            found: list[Image | str] = []
            names: list[str] = []
            for number, (picture, name) in batch:
                try:
                    image, kind = read_picture(picture, channel_order=channel_order, value_range=value_range)
                    found.append(image)
                    names.append(name or f"{kind} {number}")
                except ValueError as error:
                    shown = "" if name is None else f"{Path(name).name}: "
                    found.append(str(error).removeprefix(f"{name}: ").removeprefix(shown))
                    names.append(name or f"picture {number}")
            for results in self.predict_batch(found, names):
                yield from results

    def video(
        self,
        source: str | Path | int | Iterable[VideoFrame],
        *,
        start: float = 0.0,
        end: float | None = None,
        every: int = 1,
        every_seconds: float | None = None,
        retries: int = 3,
        detect_every: int = 3,
        smoothing: float | None = None,
        temporal: str | Path | TemporalModel | None = None,
        people: Gallery | None = None,
        baseline: Baseline | None = None,
        neutral: Picture | None = None,
        frames_without_face: bool = False,
        problems: list[str] | None = None,
    ) -> Iterator[Face | NoFace]:
        """Faces of a video, frame by frame, with a steady number for each person; in constant memory.

        Args:
            source: A file, an address, the number of a camera, or frames.
            start: Seconds; earlier frames are left out. Times and numbers of frames stay those of the video.
            end: Seconds; frames from then on are left out.
            every: Take each frame whose number is a multiple of this.
            every_seconds: Take the first frame at or after each multiple of this time instead.
            retries: How often in a row a stream that breaks off is opened again; frames that come faster than
                they can be looked at are dropped, and ``problems`` tells of both.
            detect_every: Frames from one detection to the next; between them faces move on straight lines.
                Larger values are faster and lose faces that move wildly.
            smoothing: Seconds over which each person's probabilities are averaged, half before and half after
                a frame (before it only for a camera or an address); None leaves them as they are.
            temporal: Network over frames that answers for each person instead: an exported run with Stage IV,
                or its ONNX file. The model must be of the same run. Not together with ``smoothing``.
            people: Who was seen before: pass one ``Gallery(room=1000, identity=FaceIdentity())`` to all calls
                for people to keep their numbers from video to video; see
                :class:`halfsmile.faces.tracking.gallery.Gallery`.
            baseline: ``person`` answers relative to each person's own resting face; a file is looked at twice
                for it, of a camera, stream or frames the rest is that of the frames so far. See
                :mod:`halfsmile.predict.answers.baseline`.
            neutral: A photograph of the person's resting face, taken as their rest instead; not of who looks
                like somebody else, and ``problems`` tells of them. With ``baseline`` those have their own.
            frames_without_face: Give a :class:`NoFace` for each frame without one.
            problems: Gets a sentence on each kind of damage in the video; if None, they are warned of.

        Raises:
            ValueError: If an argument is out of range, or the network over frames can't be had or does not
                fit the model.
            BadVideoError: From the first ``next``, if nothing of the source can be decoded.
        """
        from halfsmile.predict.answers.neutral import neutral_face
        from halfsmile.predict.video import predict_video

        frames = predict_video(
            self,
            source,
            start=start,
            end=end,
            every=every,
            every_seconds=every_seconds,
            retries=retries,
            detect_every=detect_every,
            smoothing=smoothing,
            temporal=temporal,
            people=people,
            baseline=baseline,
            neutral=None if neutral is None else neutral_face(self, neutral),
            keep_pictures=False,
            problems=problems,
        )
        return (result for seen in frames for result in seen.results(frames_without_face=frames_without_face))

    def predict_batch(
        self, pictures: Sequence[Image | str], sources: Sequence[str]
    ) -> list[list[Face | NoFace]]:
        """What is to be said of pictures, or of why they could not be read: never an empty list.

        A picture at which the detector or the model fails has a row with the reason.

        Args:
            pictures: Pixels as for :meth:`faces`, or a reason.
            sources: What ``Face.source`` will say, one a picture.
        """
        readable = [i for i, picture in enumerate(pictures) if not isinstance(picture, str)]
        images = [picture for picture in pictures if not isinstance(picture, str)]
        found = dict(zip(readable, self._each(images, [sources[i] for i in readable]), strict=True))
        results: list[list[Face | NoFace]] = []
        for i, (picture, source) in enumerate(zip(pictures, sources, strict=True)):
            said = found.get(i, picture)
            if isinstance(said, Faces):
                results.append([*said, *said.left_out] or [NoFace(source=source, reason=self._none(picture))])
            else:
                results.append([NoFace(source=source, reason=str(said))])
        return results

    def _each(self, images: Sequence[Image], sources: Sequence[str]) -> list[Faces | str]:
        """Faces of each picture, or why it can't be processed; the others are processed all the same."""
        try:
            return list(self.faces(images, sources))
        except Exception as error:  # a detector of one's own or a library may fail in any way
            if len(images) == 1:
                return [in_words(error)]
        alone = zip(images, sources, strict=True)
        return [self._each([image], [source])[0] for image, source in alone]

    def faces(self, images: Sequence[Image], sources: Sequence[str]) -> list[Faces]:
        """Faces of pictures in memory, one list a picture.

        Args:
            images: RGB (H, W, 3), or gray (H, W, 1) or (H, W), uint8, of any sizes; of OpenCV's BGR pixels
                ``image[:, :, ::-1]``.
            sources: What ``Face.source`` will say, one a picture.

        Raises:
            ValueError: If a picture is not as described.
        """
        colored = [rgb(image) for image in images]
        placed = [split_odd(faces) for faces in faces_in(self.detector, colored, sources)]
        crops = [self.crops(image, faces) for image, (faces, _) in zip(colored, placed, strict=True)]
        rows = iter(self.answers(crops, [face for faces, _ in placed for face in faces]).rows())
        results = []
        for image, (faces, odd), source in zip(colored, placed, map(str, sources), strict=True):
            found = Faces(self.result(face, *next(rows), source, image=image) for face in faces)
            found.left_out = tuple(NoFace(source=source, reason=reason) for reason in odd)
            results.append(found)
        return results

    def _none(self, picture: Image | str) -> str:
        """Why a picture shows no face; of a small square one, which may be one, what to do."""
        if isinstance(picture, str) or isinstance(innermost(self.detector), GivenTable | AlignedFaces):
            return NO_FACE
        height, width = picture.shape[:2]
        return LOOKS_CUT_OUT if max(height, width) <= CROP_SIZE and height == width else NO_FACE

    def answers(self, crops: Sequence[Crops], faces: Sequence[Detection]) -> Prediction:
        """What the model says of all crops (N, S, S, C) of some pictures, (sum of N) rows.

        Faces that the package's own detectors found tilted are answered with the mean over slightly moved
        views, for their landmarks are less exact. Of those that do not stand upright the model can't say
        anything: see :func:`weighed`. Faces of a detector of one's own are taken as it gives them.

        Args:
            crops: Of each picture.
            faces: All that they were cut out of, (sum of N).
        """
        shape = (0, *self.model.crop_shape)
        cut = np.concatenate([np.zeros(shape, np.uint8), *crops])
        said = self.model.predict(cut)
        upright: Upright | None = getattr(self.detector, "upright", None)
        if upright is None:
            return said
        tilted = np.flatnonzero([is_tilted(face) for face in faces])
        if len(tilted):
            said = said.with_rows(tilted, self.model.predict_moved(cut[tilted]))
        chances = np.array([np.nan if face.upright is None else face.upright for face in faces], np.float32)
        unknown = np.flatnonzero(np.isnan(chances))
        chances[unknown] = upright.crops(cut[unknown], self.model.preprocessing.scale)
        return weighed(said, chances)

    def crops(self, image: Image, faces: Sequence[Detection]) -> Crops:
        """What the model sees of each face, (N, S, S, C) uint8, of an RGB picture (H, W, 3)."""
        return cut_out(image, faces, self.model.preprocessing)

    def crop_of(self, image: Image, face: Face) -> Image:
        """What the model sees of a face of a picture, (S, S, C) uint8."""
        points = None if face.landmarks is None else np.array(face.landmarks, np.float32)
        detection = Detection(np.array(face.box, np.float32), points, face.score)
        crop: Image = self.crops(rgb(image), [detection])[0]
        return crop

    def result(
        self,
        face: Detection,
        probabilities: npt.NDArray[np.floating],
        features: npt.NDArray[np.floating],
        is_turned: bool,
        source: str,
        *,
        image: Image | None = None,
        frame: int | None = None,
        time: float | None = None,
        track: int | None = None,
    ) -> Face:
        """A detection with its probabilities (classes,) and features (F,) as a :class:`Face`."""
        strange = strangeness(features, is_turned, self.model.facts.feature_norm)
        size = None if image is None else (image.shape[1], image.shape[0])
        box = face.box if size is None or not self.clip_boxes else clipped(face.box, size)
        left, top, right, bottom = (round(float(v), 2) for v in box)
        points = None
        if face.landmarks is not None:
            points = tuple((round(float(x), 2), round(float(y), 2)) for x, y in face.landmarks)
        return Face(
            source=source,
            frame=frame,
            time=time,
            box=(left, top, right, bottom),
            landmarks=points,
            score=float(face.score),
            track=track,
            quality=quality_scores(image, face) if self.quality and image is not None else None,
            pose=None if face.landmarks is None else pose_of(face.landmarks),
            picture_size=size,
            **self.judge.judgment(probabilities, strange),
        )

    def is_uncertain(self, confidence: float) -> bool | None:
        """See :meth:`halfsmile.predict.answers.judgment.Judge.is_uncertain`."""
        return self.judge.is_uncertain(confidence)
