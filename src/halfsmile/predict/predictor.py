"""From pictures and videos to :class:`Face` results: detect, align, name; without torch, without network.

Example:
    >>> from halfsmile import Predictor  # doctest: +SKIP
    >>> for face in Predictor().predict("photo.jpg"):  # doctest: +SKIP
    ...     print(face.expression, face.confidence, face.uncertain)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.decode import BadImageError, read_image
from halfsmile.data.preprocess import Image
from halfsmile.faces.align import TEMPLATE_SIZE, align, alignment
from halfsmile.faces.detect import Detection, Detector, DetectorName
from halfsmile.faces.detect import detector as detector_named
from halfsmile.faces.quality import quality as face_quality
from halfsmile.predict.face import ODD_FACE, Face, Faces, NoFace
from halfsmile.predict.model import ExpressionModel, Prediction
from halfsmile.predict.prior import Prior

if TYPE_CHECKING:
    from halfsmile.faces.video.frames import VideoFrame
    from halfsmile.predict.explain import Explanation
    from halfsmile.predict.temporal_model import TemporalModel

Crops = npt.NDArray[np.uint8]


class Judgment(TypedDict):
    """The fields of a :class:`Face` that follow from its probabilities."""

    expression: str
    probabilities: dict[str, float]
    confidence: float
    uncertain: bool | None
    possible: tuple[str, ...] | None
    votes: dict[str, float] | None


class Predictor:
    """Finds faces and names their expressions. One object serves one thread.

    Args:
        model: An exported ONNX file or a run folder with one; None for the model in the box.
        detector: Name of a detector, or one of your own.
        threshold: Confidence from which an answer counts as certain; None for the model's own threshold.
            Where there is neither, certainty is unknown.
        quality: Score every face's size, sharpness, pose and exposure.
        threads: Of the expression model; None for all cores.
        prior: How often each expression is to be expected: ``uniform``, ``natural``, a JSON file of shares by
            label, or those shares; None for the model's own, that of its labels.

    Raises:
        ValueError: If the model or the detector can't be had, or the threshold is not between 0 and 1.
    """

    def __init__(
        self,
        model: str | Path | ExpressionModel | None = None,
        *,
        detector: DetectorName | Detector = "auto",
        threshold: float | None = None,
        quality: bool = False,
        threads: int | None = None,
        prior: Prior | None = None,
    ) -> None:
        if threshold is not None and not 0 <= threshold <= 1:
            raise ValueError(f"threshold must lie between 0 and 1, found {threshold}.")
        self.model = model if isinstance(model, ExpressionModel) else ExpressionModel.load(model, threads)
        if prior is not None:
            self.model = self.model.with_prior(prior)
        self.detector: Detector = detector_named(detector) if isinstance(detector, str) else detector
        self.threshold = self.model.threshold if threshold is None else threshold
        self.quality = quality

    @property
    def labels(self) -> tuple[str, ...]:
        """Expressions that the model knows, in the order of its probabilities."""
        return self.model.labels

    def predict(self, picture: str | Path | Image) -> Faces:
        """All faces of one picture, the surest detection first; an empty list where there is none.

        Args:
            picture: A file, or pixels: RGB (H, W, 3) or grey (H, W, 1) or (H, W), uint8.

        Raises:
            BadImageError: If the file can't be read.
            ValueError: If the pixels are not as described.
        """
        image, source = read_picture(picture)
        return self.faces([image], [source])[0]

    def explain(self, picture: str | Path | Image) -> list[Explanation]:
        """What the answer for each face of a picture rests on, in the order of :meth:`predict`.

        Each face costs some eighty answers of the model; see :mod:`halfsmile.predict.explain`.

        Args:
            picture: As for :meth:`predict`.

        Raises:
            BadImageError: If the file can't be read.
            ValueError: If the pixels are not as described.
        """
        from halfsmile.predict.explain import explain_answer

        image, source = read_picture(picture)
        return [
            explain_answer(self.model, face, self.crop_of(image, face))
            for face in self.faces([image], [source])[0]
        ]

    def predict_many(self, paths: Iterable[str | Path], *, batch_size: int = 8) -> Iterator[Face | NoFace]:
        """Faces of many files, as they are computed, in the order of the files.

        A file that can't be read, or shows no face, gives one :class:`NoFace` that says so.

        Args:
            paths: Files.
            batch_size: Pictures of one batch; more are faster and need more memory.
        """
        remaining = map(str, paths)
        while batch := list(islice(remaining, batch_size)):
            found: list[Image | str] = []
            for path in map(Path, batch):
                try:
                    found.append(read_image(path.parent, path.name))
                except BadImageError as error:
                    found.append(str(error).removeprefix(f"{path.name}: "))
            for results in self.predict_batch(found, batch):
                yield from results

    def video(
        self,
        source: str | Path | int | Iterable[VideoFrame],
        *,
        every: int = 1,
        detect_every: int = 3,
        smoothing: float | None = None,
        temporal: str | Path | TemporalModel | None = None,
        frames_without_face: bool = False,
        problems: list[str] | None = None,
    ) -> Iterator[Face | NoFace]:
        """Faces of a video, frame by frame, with a steady number for each person; in constant memory.

        Args:
            source: A file, an address, the number of a camera, or frames.
            every: Take each frame whose number is a multiple of this.
            detect_every: Frames from one detection to the next; between them faces move on straight lines.
                Larger values are faster and lose faces that move wildly.
            smoothing: Seconds over which each person's probabilities are averaged, half before and half after
                a frame (before it only for a camera or an address); None leaves them as they are.
            temporal: Network over frames that answers for each person instead: an exported run with Stage IV,
                or its ONNX file. The model must be of the same run. Not together with ``smoothing``.
            frames_without_face: Give a :class:`NoFace` for each frame without one.
            problems: Gets a sentence on each kind of damage in the video; if None, they are warned of.

        Raises:
            ValueError: If an argument is out of range, or the network over frames can't be had or does not
                fit the model.
            BadVideoError: From the first ``next``, if nothing of the source can be decoded.
        """
        from halfsmile.predict.video import predict_video

        frames = predict_video(
            self,
            source,
            every=every,
            detect_every=detect_every,
            smoothing=smoothing,
            temporal=temporal,
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
                results.append([*said, *said.left_out] or [NoFace(source=source)])
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
            images: RGB (H, W, 3), or grey (H, W, 1) or (H, W), uint8, of any sizes.
            sources: What ``Face.source`` will say, one a picture.

        Raises:
            ValueError: If a picture is not as described.
        """
        colored = [rgb(image) for image in images]
        placed = [split_odd(faces) for faces in self.detector.detect(colored)]
        crops = [self.crops(image, faces) for image, (faces, _) in zip(colored, placed, strict=True)]
        rows = iter(self.answers(crops).probabilities)
        results = []
        for image, (faces, odd), source in zip(colored, placed, sources, strict=True):
            found = Faces(self.result(face, next(rows), source, image=image) for face in faces)
            found.left_out = tuple(NoFace(source=source, reason=reason) for reason in odd)
            results.append(found)
        return results

    def answers(self, crops: Sequence[Crops]) -> Prediction:
        """What the model says of all crops (N, S, S, C) of some pictures, (sum of N) rows."""
        shape = (0, *self.model.crop_shape)
        return self.model.predict(np.concatenate([np.zeros(shape, np.uint8), *crops]))

    def crops(self, image: Image, faces: Sequence[Detection]) -> Crops:
        """What the model sees of each face, (N, S, S, C) uint8, of an RGB picture (H, W, 3)."""
        wanted = self.model.preprocessing
        cut = np.zeros((len(faces), wanted.size, wanted.size, wanted.channels), np.uint8)
        for i, face in enumerate(faces):
            pixels = align(image, face, size=wanted.size, scale=wanted.scale)
            if wanted.channels == 1:
                pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)[:, :, None]
            cut[i] = pixels
        return cut

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
        source: str,
        *,
        image: Image | None = None,
        frame: int | None = None,
        time: float | None = None,
        track: int | None = None,
    ) -> Face:
        """A detection and its probabilities (classes,) as a :class:`Face`."""
        left, top, right, bottom = (round(float(v), 2) for v in face.box)
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
            **self.judgment(probabilities),
        )

    def judgment(self, probabilities: npt.NDArray[np.floating]) -> Judgment:
        """What follows from the probabilities (classes,) of a face."""
        ranked = np.argsort(-probabilities, kind="stable")
        best, floor = int(ranked[0]), self.model.facts.set_floor
        confidence = float(probabilities[best])
        possible = (self.labels[i] for i in ranked if i == best or probabilities[i] >= (floor or 0))
        return {
            "expression": self.labels[best],
            "probabilities": dict(zip(self.labels, map(float, probabilities), strict=True)),
            "confidence": confidence,
            "uncertain": self.is_uncertain(confidence),
            "possible": None if floor is None else tuple(possible),
            "votes": self._votes(probabilities),
        }

    def _votes(self, probabilities: npt.NDArray[np.floating]) -> dict[str, float] | None:
        """Shares of votes: the same logits by another temperature."""
        facts = self.model.facts
        if facts.vote_temperature is None:
            return None
        power = facts.temperature / facts.vote_temperature
        shares = np.asarray(probabilities, np.float64).clip(1e-12) ** power
        return dict(zip(self.labels, map(float, shares / shares.sum()), strict=True))

    def is_uncertain(self, confidence: float) -> bool | None:
        """Whether a confidence lies below the threshold of certainty; with one of 1 all do, 1 itself too.

        None where there is no threshold: nobody knows.
        """
        if self.threshold is None:
            return None
        return confidence < self.threshold or self.threshold >= 1


def read_picture(picture: str | Path | Image) -> tuple[Image, str]:
    """The pixels of a picture, and what ``Face.source`` will say.

    Raises:
        BadImageError: If a file can't be read.
    """
    if isinstance(picture, str | Path):
        path = Path(picture)
        return read_image(path.parent, path.name), str(picture)
    return picture, "array"


def split_odd(faces: Sequence[Detection]) -> tuple[list[Detection], list[str]]:
    """Faces that can be cut out, and a reason for each other one."""
    good, reasons = [], []
    for face in faces:
        try:
            alignment(face)
        except ValueError:
            left, top, right, bottom = (round(float(edge)) for edge in face.box)
            reasons.append(
                f"{ODD_FACE}: its landmarks fix no place (box from {left}, {top} to {right}, {bottom})"
            )
        else:
            good.append(face)
    return good, reasons


def in_words(error: Exception) -> str:
    """What went wrong with a source, for its row; errors of our own are sentences already.

    Example:
        >>> in_words(ValueError("Found no pixels.")), in_words(KeyError("x"))
        ('Found no pixels.', "it can't be processed (KeyError: 'x')")
    """
    if isinstance(error, OSError):
        return f"it can't be read ({error.strerror or error})"
    if type(error) is ValueError or type(error).__module__.partition(".")[0] == "halfsmile":
        return str(error)
    return f"it can't be processed ({type(error).__name__}: {error})"


def quality_scores(image: Image, face: Detection) -> dict[str, float]:
    """Scores of :mod:`halfsmile.faces.quality` by name; ``frontal`` only where there are landmarks."""
    found = face_quality(face, align(image, face, size=TEMPLATE_SIZE))
    scores = {"size": found.size, "sharpness": found.sharpness, "exposure": found.exposure}
    return scores if found.frontal is None else scores | {"frontal": found.frontal}


def rgb(image: Image) -> Image:
    """A picture (H, W, 3), (H, W, 1) or (H, W) as RGB (H, W, 3)."""
    if image.ndim == 2:
        image = image[:, :, None]
    return np.repeat(image, 3, axis=2) if image.ndim == 3 and image.shape[2] == 1 else image
