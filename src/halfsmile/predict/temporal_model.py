"""A network over frames as an ONNX file: features of one person's frames in, expressions out; no torch.

``halfsmile export`` writes such a file beside the model of single frames, whose features it reads. The graph
answers for a whole window; :mod:`halfsmile.sequences.windowed` makes whole videos and streams of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from halfsmile.predict.model import ExpressionModel, open_session
from halfsmile.predict.model_facts import FORMAT, WEIGHTS
from halfsmile.predict.not_exported import not_exported, run_of
from halfsmile.sequences.windowed import Flags, Floats, FrameFeatures, LogitStream, Times, frame_logits

INPUTS = ("features", "times", "present")
OUTPUT = "logits"
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

    @property
    def features(self) -> int:
        """Number F of features of a frame."""
        return self.facts.features

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.facts.labels)

    @property
    def window(self) -> int:
        """Frames of a window, where the context is not bounded."""
        return self.facts.window

    @property
    def context(self) -> tuple[int, int] | None:
        """Frames before and after it that an answer depends on; None where only the window bounds it."""
        return self.facts.context

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

    def window_logits(self, features: Floats, times: Times, present: Flags) -> Floats:
        """Logits (B, T, classes) of windows, as the graph gives them, one window after the other.

        Args:
            features: (B, T, F), zeros where there is no face.
            times: (B, T) seconds since the first frame of each window.
            present: (B, T), False where there is no face.
        """
        windows = zip(features, times, present, strict=True)
        return np.stack(
            [self.session.run([OUTPUT], dict(zip(INPUTS, window, strict=True)))[0] for window in windows]
        )

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
        frames = (
            FrameFeatures(time, row if seen else None)
            for time, row, seen in zip(times.tolist(), features, present.tolist(), strict=True)
        )
        logits = list(frame_logits(self, frames))
        return np.asarray(softmax(np.reshape(logits, (count, self.classes)), axis=1), np.float32)

    def stream(self) -> TemporalStream:
        """A new stream of frames of one person."""
        return TemporalStream(self)


class TemporalStream:
    """Frames of one person as they come, in memory that does not grow; see :class:`LogitStream`.

    Args:
        model: The network.

    Attributes:
        delay: Frames after it that an answer waits for.
    """

    def __init__(self, model: TemporalModel) -> None:
        self._logits = LogitStream(model)
        self.delay = self._logits.delay

    def push(self, time: float, features: Floats | None) -> list[tuple[float, Floats]]:
        """Take a frame; give the times and probabilities (classes,) of those that are now decided.

        Args:
            time: Seconds, later than that of the frame before.
            features: (F,); None where there is no face.

        Raises:
            ValueError: If times do not rise, or there is another number of features.
        """
        return [(when, _probabilities(row)) for when, row in self._logits.push(time, features)]

    def finish(self) -> list[tuple[float, Floats]]:
        """Give all frames that still wait for later ones; the stream then is as new."""
        return [(when, _probabilities(row)) for when, row in self._logits.finish()]


def _probabilities(logits: Floats) -> Floats:
    return np.asarray(softmax(logits), np.float32)


def _file(path: Path) -> Path:
    if path.is_dir():
        exported = [path / name for name in _EXPORTED if (path / name).is_file()]
        if not exported:
            run = run_of(path)
            if run is None:
                raise ValueError(not_exported(path, _EXPORTED[0], "a run with Stage IV"))
            raise ValueError(
                f"{path} holds no exported network over frames (no {_EXPORTED[0]}): only a run with Stage IV "
                f"has one, and `halfsmile export {run}` writes it."
            )
        return exported[0]
    if not path.is_file():
        raise ValueError(f"The model {path} does not exist. Give an ONNX file or an exported run folder.")
    return path
