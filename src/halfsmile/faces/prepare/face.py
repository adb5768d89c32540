"""From one face in a picture to what the store holds of it: pixels, box, landmarks, measures, labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from halfsmile.data.decode import decode, read_bytes, read_image
from halfsmile.data.preprocess import Image, placement, preprocess
from halfsmile.data.store.write import StoredFace
from halfsmile.faces.align import TEMPLATE_BOX, alignment, move, similarity, template, warp
from halfsmile.faces.boxes import overlaps
from halfsmile.faces.detect import Detection, Floats
from halfsmile.faces.prepare.settings import ALIGNED, JPEG_QUALITY, Settings
from halfsmile.faces.prepare.sources import FaceSource
from halfsmile.faces.quality import Quality, exposure, frontal, pose, quality, sharpness

KEPT = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF")
_LABELS = ("label", "votes", "split", "person", "video", "frame")
_ABOUT_ONE = ("label", "votes", "person", "box", "landmarks")


class DroppedFaceError(Exception):
    """A face that is not stored; the message is the reason, the same for all faces dropped for it."""


class NoPlaceError(DroppedFaceError):
    """A face that can't be aligned."""

    def __init__(self) -> None:
        super().__init__("landmarks that fix no place")


def select_faces(faces: Sequence[Detection], said: Mapping[str, Any], settings: Settings) -> list[Detection]:
    """The faces of a picture that are stored.

    What a data set says of a picture is said of one face: the one that overlaps the given box most, or else
    the largest.

    Args:
        faces: What was detected.
        said: See :class:`~halfsmile.faces.prepare.sources.FaceSource`.
        settings: Of the run.
    """
    faces = [face for face in faces if face.score >= settings.min_score]
    is_one = settings.largest_only or any(name in said for name in _ABOUT_ONE)
    if not faces or not is_one:
        return faces
    boxes = np.stack([face.box for face in faces])
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    if "box" in said:
        shares = overlaps(boxes, np.array([said["box"]]))[:, 0]
        if shares.max() > 0:
            return [faces[int(shares.argmax())]]
    return [faces[int(areas.argmax())]]


def annotated_face(said: Mapping[str, Any]) -> Detection:
    """The face that a data set says is in a picture.

    Raises:
        ValueError: If it says neither box nor landmarks, or they make no face.
    """
    points = None if "landmarks" not in said else np.reshape(said["landmarks"], (5, 2))
    if "box" in said:
        return Detection(np.array(said["box"]), points)
    if points is None:
        raise ValueError("the data set gives neither a box nor landmarks")
    back = similarity(template(), points)
    return Detection(_moved_box(np.array(TEMPLATE_BOX, np.float32), back), points)


def prepare_face(image: Image, face: Detection, settings: Settings, **more: Any) -> StoredFace:
    """Align, score and encode one face.

    Args:
        image: The picture, RGB (H, W, 3), or gray (H, W, 1) for a gray face.
        face: The face in it.
        settings: Of the run.
        more: Further fields of :class:`~halfsmile.data.store.write.StoredFace`.

    Raises:
        NoPlaceError: If the landmarks fix no place.
        DroppedFaceError: If the quality is too low.
    """
    side = settings.side
    try:
        matrix = alignment(face, side)
    except ValueError as error:
        raise NoPlaceError from error
    pixels = warp(image if image.shape[2] == 3 else np.repeat(image, 3, axis=2), matrix, side)
    scores = quality(face, pixels)
    if scores.worst < settings.min_quality:
        raise DroppedFaceError("quality too low")
    box = np.clip(_moved_box(face.box, matrix), 0, side)
    if not (box[:2] < box[2:]).all():
        raise NoPlaceError
    points = None if face.landmarks is None else move(face.landmarks, matrix)
    return StoredFace(
        encode(pixels if image.shape[2] == 3 else pixels[:, :, :1], settings),
        side,
        side,
        box=box.tolist(),
        landmarks=None if points is None else points.ravel().tolist(),
        quality=_measures(scores) | ({ALIGNED: 1.0} if settings.are_crops else {}),
        **more,
    )


def prepare_aligned_face(source: FaceSource, settings: Settings) -> StoredFace:
    """A picture that is an aligned face: the bytes of its file, or its pixels in another size.

    Box and landmarks are those that the data set gives, moved with the pixels, and none where it gives none.

    Raises:
        BadImageError: If it can't be read.
        DroppedFaceError: If its quality is too low.
    """
    is_table = ".csv#" in source.locator.lower()
    data = b"" if is_table else read_bytes(source.root, source.locator)
    image = read_image(source.root, source.locator) if is_table else decode(data, source.locator)
    return _whole_picture(image, data, source.said, settings, settings.size)


def keep_crop(image: Image, said: Mapping[str, Any], settings: Settings) -> StoredFace:
    """A crop in which no landmarks are known: all of it, scaled to the size of the aligned ones.

    Args:
        image: RGB (H, W, 3) or gray (H, W, 1).
        said: What a data set says of it; its box and landmarks are moved with the pixels.
        settings: Of the run.

    Raises:
        DroppedFaceError: If its quality is too low.
    """
    return _whole_picture(image, b"", said, settings, settings.side)


def _whole_picture(
    image: Image, data: bytes, said: Mapping[str, Any], settings: Settings, side: int | None
) -> StoredFace:
    """A picture as it is, or scaled to a side; ``data`` are the bytes of its file, if they are known."""
    height, width, channels = image.shape
    box, points = (said.get(name) for name in ("box", "landmarks"))
    if side is not None and (height, width) != (side, side):
        place = placement(height, width, side)
        image, data = preprocess(image, side, channels), b""
        box = None if box is None else place.points(np.reshape(box, (2, 2))).ravel().tolist()
        points = None if points is None else place.points(np.reshape(points, (5, 2))).ravel().tolist()
    scores = _quality_of_aligned(image, points, max(height, width))
    if scores.worst < settings.min_quality:
        raise DroppedFaceError("quality too low")
    if not data.startswith(KEPT):
        data = encode(image, settings)
    return StoredFace(
        data,
        image.shape[1],
        image.shape[0],
        box=box,
        landmarks=points,
        quality=_measures(scores) | ({ALIGNED: 0.0} if settings.are_crops else {}),
        **label_columns(said),
    )


def label_columns(said: Mapping[str, Any]) -> dict[str, Any]:
    """What a data set says of a face apart from where it is."""
    return {name: said[name] for name in _LABELS if name in said}


def encode(image: Image, settings: Settings) -> bytes:
    """The bytes of a JPEG or PNG file of RGB (H, W, 3) or gray (H, W, 1) pixels."""
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.shape[2] == 3 else image
    if settings.is_lossless:
        return bytes(cv2.imencode(".png", pixels)[1])
    quality_flags = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    full_color = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return bytes(cv2.imencode(".jpg", pixels, [*quality_flags, *full_color])[1])


def _quality_of_aligned(image: Image, points: Any, side: int) -> Quality:
    """Quality of a picture that is one face, whose pose is known where its landmarks are."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else image[:, :, 0]
    small = min(gray.shape) < 3
    try:
        head = None if points is None else pose(np.reshape(points, (5, 2)))
    except ValueError:  # landmarks that coincide
        head = None
    return Quality(
        size=min(1.0, side / 112),
        sharpness=0.0 if small else sharpness(np.asarray(gray, np.uint8)),
        frontal=None if head is None else frontal(head),
        exposure=0.0 if small else exposure(np.asarray(gray, np.uint8)),
        pose=head,
    )


def _measures(scores: Quality) -> dict[str, float]:
    """The scores that are known, by the names in the store."""
    found = {"size": scores.size, "sharpness": scores.sharpness, "exposure": scores.exposure}
    if scores.frontal is not None:
        found["frontal"] = scores.frontal
    if scores.pose is not None:
        found |= {"yaw": scores.pose.yaw, "pitch": scores.pose.pitch, "roll": scores.pose.roll}
    return found


def _moved_box(box: Floats, matrix: Any) -> Floats:
    """A box whose center and size follow a similarity transform, but which does not turn."""
    half = (box[2:] - box[:2]) / 2 * np.hypot(matrix[0, 0], matrix[1, 0])
    center = move((box[:2] + box[2:]) / 2, matrix)
    return np.concatenate([center - half, center + half]).astype(np.float32)
