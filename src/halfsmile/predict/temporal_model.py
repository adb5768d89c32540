"""A network over frames as an ONNX file: features of one person's frames in, expressions out; no torch.

``halfsmile export`` writes such a file beside the model of single frames, whose features it reads. The graph
answers for a whole window; what must be remembered between windows is kept here:

* An answer of a network with a bounded ``context`` depends on so many frames before and after it.
  :class:`TemporalStream` remembers that many and answers ``context[1]`` frames late.
* Without a bounded context (an offline Transformer), answers of overlapping windows are blended with weights
  that fall off towards the ends of each window.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from halfsmile.predict.model import ExpressionModel, open_session
from halfsmile.predict.model_facts import FORMAT, WEIGHTS

Floats = npt.NDArray[np.float32]
Times = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
INPUTS = ("features", "times", "present")
OUTPUT = "logits"
CHUNK = 256
_EXPORTED = (Path("export/temporal.onnx"), Path("temporal.onnx"))


@dataclass(frozen=True, kw_only=True)
class TemporalFacts:
    """What a file says of itself.

    Args:
        labels: Classes, in the order of the logits.
        features: Number F of features of a frame.
        window: Frames of a window, where the context is not bounded.
        context: Frames before and after it that an answer depends on; None where only the window bounds it.
        recipe_sha256: SHA-256 of the recipe.json of the run that both models are from.
        weights_sha256: SHA-256 of the model.safetensors of the model that gives the features; None in files
            of older exports.
    """

    labels: tuple[str, ...]
    features: int
    window: int
    context: tuple[int, int] | None
    recipe_sha256: str
    weights_sha256: str | None = None

    def to_metadata(self) -> dict[str, str]:
        """The same as text for a file's metadata."""
        return {
            "halfsmile.format": FORMAT,
            "halfsmile.kind": "temporal",
            "halfsmile.labels": json.dumps(self.labels, ensure_ascii=False),
            "halfsmile.window": json.dumps(
                {"features": self.features, "frames": self.window, "context": self.context}
            ),
            "halfsmile.recipe_sha256": self.recipe_sha256,
            **({} if self.weights_sha256 is None else {WEIGHTS: self.weights_sha256}),
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> TemporalFacts:
        """Read what :meth:`to_metadata` wrote.

        Raises:
            ValueError: If an entry is missing or not as described, or it is another kind of file.
        """
        kind, found = metadata.get("halfsmile.kind"), metadata.get("halfsmile.format")
        if (kind, found) != ("temporal", FORMAT):
            raise ValueError(
                f"it is of kind {kind!r} and format {found!r}, expected 'temporal' and {FORMAT!r}."
            )
        try:
            window = json.loads(metadata["halfsmile.window"])
            past_and_later = window["context"]
            return cls(
                labels=tuple(map(str, json.loads(metadata["halfsmile.labels"]))),
                features=int(window["features"]),
                window=int(window["frames"]),
                context=None if past_and_later is None else (int(past_and_later[0]), int(past_and_later[1])),
                recipe_sha256=metadata["halfsmile.recipe_sha256"],
                weights_sha256=metadata.get(WEIGHTS),
            )
        except (KeyError, TypeError, IndexError, json.JSONDecodeError) as error:
            raise ValueError(f"its metadata are not as expected ({error!r}).") from error


class TemporalModel:
    """A loaded network over frames.

    Args:
        path: The ONNX file, or an exported run folder with Stage IV.
        threads: Threads of a prediction; None for all processors that this process may use.

    Raises:
        ValueError: If the file is missing, damaged or another one.
    """

    def __init__(self, path: str | Path, threads: int | None = 1) -> None:
        path = _file(Path(path))
        data = path.read_bytes()
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.session: Any = open_session(data, str(path), threads)
        try:
            self.facts = TemporalFacts.from_metadata(self.session.get_modelmeta().custom_metadata_map)
        except ValueError as error:
            raise ValueError(f"{path} can't be used: {error}") from error

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes, in the order of the probabilities."""
        return self.facts.labels

    def require_features_of(self, model: ExpressionModel) -> None:
        """Refuse a model of single frames that these features are not from.

        Files of older exports do not name their weights; their recipes and labels are compared.

        Raises:
            ValueError: If it gives another number of features, is from another run, or has other labels.
        """
        if model.width != self.facts.features:
            raise ValueError(
                f"The network over frames reads {self.facts.features} features of a face, and the model "
                f"{model.name!r} gives {model.width}. Give the two files of one export, as in "
                "--model RUN --temporal RUN."
            )
        theirs, ours = model.facts, self.facts
        weights = (theirs.weights_sha256, ours.weights_sha256)
        if (theirs.recipe_sha256, model.labels) != (ours.recipe_sha256, self.labels) or (
            None not in weights and weights[0] != weights[1]
        ):
            raise ValueError(
                f"The network over frames was trained on the features of another model than {model.name!r}. "
                "Give the two files of one export, as in --model RUN --temporal RUN."
            )

    def window(self, features: Floats, times: Times, present: Flags) -> Floats:
        """Logits (T, classes) of one window of frames, as the graph gives them.

        Args:
            features: (T, F); rows of absent frames are not looked at.
            times: (T,) seconds, rising.
            present: (T,), False where there is no face.
        """
        filled = np.where(present[:, None], features, np.float32(0)).astype(np.float32)
        values = (filled, np.asarray(times - times[0], np.float64), np.asarray(present, np.bool_))
        logits: Floats = self.session.run([OUTPUT], dict(zip(INPUTS, values, strict=True)))[0]
        return logits

    def answer(self, frames: Sequence[tuple[float, Floats | None]]) -> Floats:
        """The same of frames with their times and features (F,); None where there is no face."""
        empty = np.zeros(self.facts.features, np.float32)
        return self.window(
            np.stack([empty if feature is None else feature for _, feature in frames]),
            np.array([time for time, _ in frames]),
            np.array([feature is not None for _, feature in frames]),
        )

    def require_feature(self, feature: Floats | None) -> None:
        """Refuse features of a face that are not (F,).

        Raises:
            ValueError: If they are not.
        """
        if feature is not None and np.shape(feature) != (self.facts.features,):
            raise ValueError(f"Expected {self.facts.features} features, found {np.shape(feature)}.")

    def predict(self, features: Floats, times: Times, present: Flags) -> Floats:
        """Probabilities (T, classes) of all frames of one person.

        Args:
            features: (T, F), of :class:`~halfsmile.predict.model.ExpressionModel`.
            times: (T,) seconds, rising.
            present: (T,), False where there is no face.

        Raises:
            ValueError: If the shapes do not fit or times do not rise.
        """
        features, times, present = np.asarray(features), np.asarray(times, np.float64), np.asarray(present)
        count = len(times)
        if features.shape != (count, self.facts.features) or present.shape != (count,):
            raise ValueError(
                f"Expected features (T, {self.facts.features}), times and presence (T,), found "
                f"{features.shape}, {times.shape} and {present.shape}."
            )
        if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
            raise ValueError("Times of frames must be finite and rise. Sort the frames.")
        sums = np.zeros((count, len(self.labels)), np.float32)
        weights = np.zeros((count, 1), np.float32)
        for read, kept, share in self._windows(count):
            logits = self.window(features[read], times[read], present[read])
            sums[kept] += share * logits[kept.start - read.start : kept.stop - read.start]
            weights[kept] += share
        return np.asarray(softmax(sums / weights, axis=1), np.float32)

    def stream(self) -> TemporalStream:
        """A new stream of frames of one person.

        Raises:
            ValueError: If the network's context is not bounded.
        """
        if self.facts.context is None:
            raise ValueError("This network sees whole windows; only one made with a delay can be streamed.")
        return TemporalStream(self, *self.facts.context)

    def _windows(self, count: int) -> list[tuple[slice, slice, Floats]]:
        """Frames to read, frames to keep of them, and their weights (kept, 1)."""
        if self.facts.context is not None:
            past, later = self.facts.context
            return [
                (
                    slice(max(0, start - past), min(count, start + CHUNK + later)),
                    slice(start, min(count, start + CHUNK)),
                    np.ones((min(count, start + CHUNK) - start, 1), np.float32),
                )
                for start in range(0, count, CHUNK)
            ]
        size = min(self.facts.window, count)
        last = count - size
        starts = [*range(0, last, max(1, self.facts.window // 2)), last] if count else []
        return [(slice(s, s + size), slice(s, s + size), slope(size)) for s in starts]


class TemporalStream:
    """Frames of one person as they come, in memory that does not grow.

    Args:
        model: The network.
        past: Frames before it that an answer depends on.
        later: Frames after it; so late is each answer.
    """

    def __init__(self, model: TemporalModel, past: int, later: int) -> None:
        self.model, self.past, self.later = model, past, later
        self._frames: deque[tuple[float, Floats | None]] = deque(maxlen=past + 1 + later)
        self._waiting = 0

    def push(self, time: float, feature: Floats | None) -> Floats | None:
        """Take a frame; answer with the probabilities (classes,) of the one ``later`` frames before it.

        Args:
            time: Seconds, later than that of the frame before.
            feature: (F,); None where there is no face.

        Returns:
            None until there are frames enough.

        Raises:
            ValueError: If times do not rise, or the feature has another shape.
        """
        require_later(self._frames[-1][0] if self._frames else None, time)
        self.model.require_feature(feature)
        self._frames.append((time, feature))
        self._waiting += 1
        return self._answer() if self._waiting > self.later else None

    def finish(self) -> list[Floats]:
        """Probabilities of the frames that still wait for later ones; the stream then is as new."""
        answers = [self._answer() for _ in range(self._waiting)]
        self._frames.clear()
        return answers

    def _answer(self) -> Floats:
        place = len(self._frames) - self._waiting
        self._waiting -= 1
        frames = list(self._frames)[max(0, place - self.past) :]
        logits = self.model.answer(frames)
        return np.asarray(softmax(logits[min(place, self.past)]), np.float32)


def slope(count: int) -> Floats:
    """Weights (T, 1) of the frames of a window of T: 1 at its ends, largest in its middle."""
    return np.minimum(np.arange(count), np.arange(count)[::-1])[:, None].astype(np.float32) + 1


def require_later(before: float | None, time: float) -> None:
    """Refuse a frame that is not later than the one before, if any.

    Raises:
        ValueError: If it is not, or its time is not finite.
    """
    if not (-math.inf if before is None else before) < time < math.inf:
        raise ValueError(f"Frame times must be finite and rise; {time} s follows {before} s.")


def _file(path: Path) -> Path:
    if path.is_dir():
        exported = [path / name for name in _EXPORTED if (path / name).is_file()]
        if not exported:
            raise ValueError(
                f"{path} holds no exported network over frames (no {_EXPORTED[0]}): only a run with Stage IV "
                f"has one, and `halfsmile export {path}` writes it."
            )
        return exported[0]
    if not path.is_file():
        raise ValueError(f"The model {path} does not exist. Give an ONNX file or an exported run folder.")
    return path
