"""What columns of tables are called for each part of a face."""

from __future__ import annotations

Names = tuple[str, ...]

VOTES = "votes_"
"""What the columns of votes begin with in tables that halfsmile wrote; behind it stands the class."""
_XY = ("eye_l", "eye_r", "nose", "mouth_l", "mouth_r")
_OWN_POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
OPENFACE_POINTS = tuple(f"{axis}_{number}" for number in range(5) for axis in "xy")
"""Five landmarks in the tables that `predict --format openface` writes."""
NAMES: dict[str, tuple[str | Names, ...]] = {
    "image": ("image", "image_path", "image_name", "image_file", "img", "img_path", "img_name",
              "path", "paths", "pth",
              "filepath", "file_path", "file", "file_name", "filename", "fname", "picture", "photo",
              "subdirectory_filepath"),
    "label": ("label", "labels", "expression", "emotion", "emotions", "class", "class_name",
              "label_name", "category",
              "target", "class_id", "label_id", "emotion_id", "expression_id", "categories"),
    "votes": ("votes",),
    "split": ("split", "usage", "subset", "set", "partition"),
    "person": ("person", "person_id", "identity", "subject", "subject_id"),
    "video": ("video", "video_id", "sequence", "clip"),
    "frame": ("frame", "frame_id", "frame_number"),
    "box": (),
    "landmarks": ("landmarks", *(tuple(f"{point}_{axis}" for point in points for axis in "xy")
                                 for points in (_XY, _OWN_POINTS)), OPENFACE_POINTS),
    "sha256": ("pixel_sha256",),
}  # fmt: skip
"""Column names that are recognized, upper or lower case; the first that fits is taken."""
LOOSE = ("name", "id", "image_id", "img_id", "key")
"""Names of columns that may name pictures where nothing else does."""
