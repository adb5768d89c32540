"""Which of the found faces an answer is wanted for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from halfsmile.predict.face import Face, Faces

Region = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A choice among the faces of a picture or frame; the default takes all.

    Args:
        largest_only: Take only the largest of those that the others take.
        min_score: The detector's score that a face must have.
        region: Left, top, right, bottom; a face is taken if the center of its box lies within. Numbers up to
            1 are shares of the picture's width and height, larger ones pixels.

    Raises:
        ValueError: If a number is out of range.
    """

    largest_only: bool = False
    min_score: float = 0.0
    region: Region | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.min_score <= 1:
            raise ValueError(f"min_score must lie between 0 and 1, found {self.min_score}.")
        if self.region is None:
            return
        region = tuple(map(float, self.region))
        if len(region) != 4 or not all(0 <= edge < math.inf for edge in region):
            raise ValueError(f"region is left, top, right and bottom, none below 0, found {self.region}.")
        left, top, right, bottom = region
        if not (left < right and top < bottom):
            raise ValueError(
                "region is left, top, right and bottom with left < right and top < bottom, found "
                f"{self.region}."
            )
        object.__setattr__(self, "region", region)

    @property
    def takes_all(self) -> bool:
        """Whether no face is ever left out."""
        return not self.largest_only and not self.min_score and self.region is None

    @property
    def in_words(self) -> str:
        """The options of the command line that ask for it.

        Example:
            >>> Selection(largest_only=True, region=(0, 0, 50, 100)).in_words
            '--largest-only and --region 0 0 50 100 (in pixels)'
        """
        asked = ["--largest-only"] if self.largest_only else []
        if self.min_score:
            asked.append(f"--min-score {self.min_score:g}")
        if self.region is not None:
            unit = "in pixels" if self.is_in_pixels else "as shares of the picture"
            asked.append(f"--region {' '.join(f'{edge:g}' for edge in self.region)} ({unit})")
        return " and ".join(asked)

    @property
    def is_in_pixels(self) -> bool:
        """Whether the region is told in pixels."""
        return self.region is not None and max(self.region) > 1

    def choose(self, faces: Sequence[Face]) -> Faces:
        """The faces that are wanted, in their order.

        Args:
            faces: Of one picture, with its size.
        """
        chosen = Faces(face for face in faces if face.score >= self.min_score and self._has(face))
        if self.largest_only and chosen:
            chosen = Faces([max(chosen, key=_area)])
        chosen.left_out = getattr(faces, "left_out", ())
        return chosen

    def _has(self, face: Face) -> bool:
        """Whether the region holds a face."""
        if self.region is None:
            return True
        width, height = face.picture_size if not self.is_in_pixels and face.picture_size else (1, 1)
        left, top, right, bottom = self.region
        x, y = (face.box[0] + face.box[2]) / 2 / width, (face.box[1] + face.box[3]) / 2 / height
        return left <= x <= right and top <= y <= bottom


def _area(face: Face) -> float:
    left, top, right, bottom = face.box
    return (right - left) * (bottom - top)
