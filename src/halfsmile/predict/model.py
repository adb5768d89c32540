"""The expression model: an ONNX file that says itself what it takes and what its answers mean; no torch.

``halfsmile export`` writes such files. Everything from uint8 pixels to calibrated probabilities is in the
graph; labels, alignment and the threshold of certainty are in its metadata. A file that lacks them is
refused, since guessed labels or a guessed crop give wrong answers that look right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.predict.answers.prior import Prior, prior_ratio, reweigh
from halfsmile.predict.model_facts import ModelFacts, Preprocessing
from halfsmile.predict.not_exported import not_exported, run_of
from halfsmile.predict.options.devices import CPU, PROVIDERS, candidates, device_of
from halfsmile.runs.stages import CLASSIFYING
from halfsmile.utils.cpu import processors
from halfsmile.utils.runtime import import_onnxruntime

Crops = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

INPUT = "images"
OUTPUTS = ("probabilities", "logits", "features")
BATCH = 64
_EYES, _OFF = 36 / 112, 0.05  # distance of the eyes in the template, and how far off landmarks are in it
_MOVES = ((1, 0, 1.0, 4), (-1, 0, 1.0, -4), (0, 1, 1.05, 0), (0, -1, 0.95, 0))  # x, y, scale, degrees
_EXPORTED = (Path("export/model.onnx"), Path("model.onnx"))
_WEIGHTS = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the model says of N faces.

    Args:
        probabilities: (N, classes), calibrated; rows sum to 1.
        logits: (N, classes), before temperature and softmax.
        features: (N, D), what the last layer sees.
        turned: (N,) of bool: which faces may not stand upright; None where nobody looked.
    """

    probabilities: Floats
    logits: Floats
    features: Floats
    turned: npt.NDArray[np.bool_] | None = None

    def with_rows(self, rows: npt.NDArray[np.intp], other: Prediction) -> Prediction:
        """The same, with what was said otherwise of the faces of some rows."""
        changed = {name: getattr(self, name).copy() for name in OUTPUTS}
        for name, values in changed.items():
            values[rows] = getattr(other, name)
        return replace(self, **changed)

    def rows(self) -> Iterator[tuple[Floats, Floats, bool]]:
        """Probabilities (classes,) and features (D,) of each face, and whether it may not stand upright."""
        turned = np.zeros(len(self.features), bool) if self.turned is None else self.turned
        return zip(self.probabilities, self.features, map(bool, turned), strict=True)


class ExpressionModel:
    """A loaded model; may be shared between threads.

    Args:
        session: An onnxruntime session.
        facts: What the file says of itself.
        sha256: Of the file; None where it isn't known.

    Raises:
        ValueError: If inputs and outputs of the graph are not as the facts say.
    """

    def __init__(self, session: Any, facts: ModelFacts, *, sha256: str | None = None) -> None:
        self.session = session
        self.facts = facts
        self.sha256 = sha256
        self.prior: Prior | None = None
        self._ratio: npt.NDArray[np.float64] | None = None
        crop = facts.preprocessing
        self.crop_shape = (crop.size, crop.size, crop.channels)
        inputs = {node.name: (node.type, tuple(node.shape[1:])) for node in session.get_inputs()}
        expected = {INPUT: ("tensor(uint8)", self.crop_shape)}
        if inputs != expected:
            raise ValueError(f"its input is {inputs}, expected {expected}.")
        outputs = {node.name: tuple(node.shape) for node in session.get_outputs()}
        if set(outputs) != set(OUTPUTS):
            raise ValueError(f"its outputs are {sorted(outputs)}, expected {sorted(OUTPUTS)}.")
        for name in ("probabilities", "logits"):
            if outputs[name][1:] != (len(facts.labels),):
                raise ValueError(
                    f"its {name} have the shape {outputs[name]}, but it names {len(facts.labels)} labels: "
                    f"{list(facts.labels)}."
                )
        self.width = int(outputs["features"][1])

    @classmethod
    def load(
        cls, path: str | Path | None = None, threads: int | None = None, device: str = "auto"
    ) -> ExpressionModel:
        """Load an exported file.

        Args:
            path: An ONNX file, or a run folder that was exported; None for the model in the box.
            threads: Threads of a prediction; None for all processors that this process may use.
            device: What computes; see :func:`open_session`.

        Raises:
            ValueError: If there is no such file, it is damaged or not one that ``halfsmile export`` wrote, or
                the device can't be had.
        """
        return cls.from_bytes(*read_model(path), threads, device)

    @classmethod
    def from_bytes(
        cls, data: bytes, name: str, threads: int | None = None, device: str = "cpu"
    ) -> ExpressionModel:
        """Load what :func:`read_model` gives.

        Args:
            data: Bytes of an exported file.
            name: What to call it in messages.
            threads: Threads of a prediction; None for all processors that this process may use.
            device: What computes; see :func:`open_session`.

        Raises:
            ValueError: If it is damaged or not one that ``halfsmile export`` wrote, or the device can't be
                had.
        """
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, found {threads}.")
        session = open_session(data, name, threads, device)
        try:
            facts = ModelFacts.from_metadata(session.get_modelmeta().custom_metadata_map)
            return cls(session, facts, sha256=hashlib.sha256(data).hexdigest())
        except ValueError as error:
            raise ValueError(f"{name} can't be used: {error}") from error

    def with_prior(self, prior: Prior | None) -> ExpressionModel:
        """The same model, which expects each expression as often as a prior says.

        Args:
            prior: See :mod:`halfsmile.predict.answers.prior`; None for that of its labels.

        Raises:
            ValueError: As :func:`~halfsmile.predict.answers.prior.prior_ratio`.
        """
        changed = copy(self)
        changed.prior = prior
        changed._ratio = None if prior is None else prior_ratio(prior, self.facts)
        return changed

    @property
    def device(self) -> str:
        """What computes: ``cpu``, ``cuda`` and the like."""
        return device_of(self.session)

    @property
    def name(self) -> str:
        """Short name."""
        return self.facts.name

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes, in the order of the probabilities."""
        return self.facts.labels

    @property
    def preprocessing(self) -> Preprocessing:
        """How faces are cut out for the model."""
        return self.facts.preprocessing

    @property
    def temperature(self) -> float:
        """What the graph divides logits by."""
        return self.facts.temperature

    @property
    def threshold(self) -> float | None:
        """Confidence from which an answer counts as certain; None where it was never measured."""
        return self.facts.threshold

    @property
    def card(self) -> str:
        """What the model is, in a few sentences."""
        return self.facts.card

    def predict(self, crops: Crops, *, batch_size: int = BATCH) -> Prediction:
        """Name the expressions of aligned faces.

        Args:
            crops: (N, S, S, C) uint8, as :attr:`preprocessing` says; N may be 0.
            batch_size: Faces that are computed at a time; more need more memory.

        Raises:
            ValueError: If the crops are not as described.
        """
        crops = np.asarray(crops)
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != self.crop_shape:
            raise ValueError(
                f"The model {self.name!r} takes faces (N, {', '.join(map(str, self.crop_shape))}) of uint8, "
                f"found {crops.shape} of {crops.dtype}."
            )
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, found {batch_size}.")
        widths = (len(self.labels), len(self.labels), self.width)
        parts = [tuple(np.zeros((0, width), np.float32) for width in widths)]
        for start in range(0, len(crops), batch_size):
            batch = np.ascontiguousarray(crops[start : start + batch_size])
            parts.append(tuple(self.session.run(OUTPUTS, {INPUT: batch})))
        found = Prediction(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
        if self._ratio is None:
            return found
        return replace(found, probabilities=reweigh(found.probabilities, self._ratio))

    def predict_moved(self, crops: Crops, *, batch_size: int = BATCH) -> Prediction:
        """The mean over slightly moved views of each face, for faces whose landmarks are less exact.

        An answer that hangs on where exactly the face was cut out loses its certainty.

        Args:
            crops: As for :meth:`predict`.
            batch_size: Likewise.
        """
        views = [self.predict(view, batch_size=batch_size) for view in moved_views(crops)]
        parts = ([getattr(view, name) for view in views] for name in OUTPUTS)
        probabilities, logits, features = (np.asarray(np.mean(part, axis=0), np.float32) for part in parts)
        return Prediction(probabilities, logits, features)


def moved_views(crops: Crops) -> list[Crops]:
    """Aligned faces as they are, and moved as far as the landmarks of tilted ones are off.

    Those are off by 0.05 of the distance of the eyes, half of them (docs/experiments.md, 2026-11-30).

    Args:
        crops: (N, S, S, C) uint8.

    Returns:
        Five of the same shape: as it is, moved to both sides, up, and down, also turned or scaled.
    """
    size = crops.shape[1]
    shift = size * _EYES * _OFF
    views = [crops]
    for x, y, scale, degrees in _MOVES:
        matrix = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), degrees, scale)
        matrix[:, 2] += x * shift, y * shift
        moved = np.empty_like(crops)
        for crop, view in zip(crops, moved, strict=True):
            pixels = cv2.warpAffine(
                crop, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
            )
            view[:] = pixels.reshape(view.shape)
        views.append(moved)
    return views


def read_model(path: str | Path | None) -> tuple[bytes, str]:
    """The bytes of a model, and what to call it in messages.

    Args:
        path: See :meth:`ExpressionModel.load`.

    Raises:
        ValueError: If there is no such file.
    """
    if path is None:
        file = resources.files("halfsmile.predict") / "models" / "default.onnx"
        if not file.is_file():
            raise ValueError(
                "This installation of halfsmile has no model in the box. Give one with --model: an ONNX file "
                "or a run folder that `halfsmile export` has exported."
            )
        return file.read_bytes(), "The model in the box"
    path = Path(path)
    if path.is_dir():
        exported = [path / name for name in _EXPORTED if (path / name).is_file()]
        if not exported:
            raise ValueError(not_exported(path, _EXPORTED[0]))
        path = exported[0]
    if not path.is_file():
        raise ValueError(f"The model {path} does not exist. Give an ONNX file or an exported run folder.")
    if path.suffix.lower() in _WEIGHTS:
        run = run_of(path)
        way = f"halfsmile export {run or 'RUN'}"
        if run is not None and path.parent != run and path.parent.name in CLASSIFYING:
            way += f" --stage {path.parent.name}"
        raise ValueError(
            f"{path} holds weights for training, and an exported model is needed: `{way}` makes one "
            f"({(run or Path('RUN')) / _EXPORTED[0]}); give that, or the run folder."
        )
    return path.read_bytes(), str(path)


def open_session(data: bytes, name: str, threads: int | None = None, device: str = "cpu") -> Any:
    """An onnxruntime session.

    Args:
        data: The bytes of an ONNX file, so that it can't refer to other files.
        name: What to call it in messages.
        threads: Threads of a prediction; None for all processors that this process may use.
        device: Name of :data:`halfsmile.predict.options.devices.PROVIDERS`, or ``auto`` for a GPU
            where there is one that works.

    Raises:
        ValueError: If the file is damaged or no ONNX model, or the device can't be had.
    """
    onnxruntime = import_onnxruntime()
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or processors()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    refusals = (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NoSuchFile,
        state.NotImplemented,
        state.RuntimeException,
    )
    tried = candidates(device)
    for name_of_device in tried[:-1] if device == "auto" else tried:
        if name_of_device == "cpu":
            continue
        session = _on_device(onnxruntime, data, options, name_of_device, refusals)
        if not isinstance(session, str):
            return session
        if device != "auto":
            raise ValueError(f"The device {device} can't be used for {name}: {session}")
    try:
        return onnxruntime.InferenceSession(data, options, providers=[CPU])
    except refusals as error:
        raise ValueError(
            f"{name} is damaged, cut short, or no ONNX model ({len(data):,} bytes): {error}"
        ) from error


def _on_device(onnxruntime: Any, data: bytes, options: Any, device: str, refusals: tuple[Any, ...]) -> Any:
    """A session on a device, or why there is none: onnxruntime itself goes on without it and says little."""
    try:
        session = onnxruntime.InferenceSession(data, options, providers=[PROVIDERS[device], CPU])
    except (RuntimeError, *refusals) as error:
        return str(error)
    if device_of(session) != device:
        return "onnxruntime found no such device, or lacks its libraries; its own messages say more."
    return session
