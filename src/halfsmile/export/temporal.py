"""The network over frames of a run as an ONNX file, for :mod:`halfsmile.predict.temporal_model`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor, nn

from halfsmile.export.gate import EXACT, GateError, Parity, compare
from halfsmile.export.onnx import OPSET, write_onnx
from halfsmile.models.temporal.encoder import TemporalNetwork
from halfsmile.predict.temporal_model import INPUTS, OUTPUT, TemporalFacts, TemporalModel
from halfsmile.sequences.windowed import Floats, FrameFeatures, frame_logits
from halfsmile.taxonomy import Taxonomy

GATE_FRAMES = 400
FRAME_SECONDS = 0.04
_EXAMPLE_FRAMES = 5


class OneWindow(nn.Module):
    """The network on a single window, without a batch."""

    def __init__(self, model: TemporalNetwork) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor, times: Tensor, present: Tensor) -> Tensor:
        """Logits (T, classes) of features (T, F), times (T,) float64 and presence (T,) bool."""
        logits: Tensor = self.model(features[None], times[None], present[None])[0]
        return logits


def temporal_facts(
    model: TemporalNetwork, taxonomy: Taxonomy, recipe_sha256: str, weights_sha256: str | None = None
) -> TemporalFacts:
    """What the file of a network says of itself; ``weights_sha256`` is of what gives the features."""
    return TemporalFacts(
        labels=taxonomy.labels,
        features=model.features,
        window=model.config.window,
        context=model.context,
        recipe_sha256=recipe_sha256,
        weights_sha256=weights_sha256,
    )


def export_temporal(model: TemporalNetwork, facts: TemporalFacts, path: Path) -> None:
    """Write a network over frames as a single file; the number of frames T is free.

    Raises:
        OSError: If the file can't be written.
    """
    free = {0: torch.export.Dim.DYNAMIC}
    with torch.no_grad():
        program = torch.onnx.export(
            OneWindow(model.cpu()).eval(),
            (
                torch.zeros(_EXAMPLE_FRAMES, model.features),
                torch.arange(_EXAMPLE_FRAMES, dtype=torch.float64),
                torch.ones(_EXAMPLE_FRAMES, dtype=torch.bool),
            ),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_shapes=(free, free, free),
            verbose=False,
        )
    write_onnx(program.model_proto, facts.to_metadata(), path)  # type: ignore[union-attr]


def require_temporal(
    name: str, exported: TemporalModel, model: TemporalNetwork, taxonomy: Taxonomy, features: Floats
) -> Parity:
    """Pass a network over frames through the gate, on a video made of known faces.

    The features follow each other as frames of one person; every seventh frame has no face, and now and then
    time passes without a frame.

    Args:
        name: What to call the file.
        exported: The loaded file.
        model: The network.
        taxonomy: Its classes.
        features: (N, F) of faces that the run knows.

    Raises:
        GateError: If the file names other classes or differs by more than a 32-bit file may.
    """
    if exported.labels != taxonomy.labels:
        raise GateError(
            f"{name} names the classes {list(exported.labels)}, the network's are {list(taxonomy.labels)}."
        )
    features = features[:GATE_FRAMES]
    numbers = np.arange(len(features))
    times = (FRAME_SECONDS * numbers + numbers // 50).astype(np.float64)
    present = numbers % 7 != 6
    frames = [
        FrameFeatures(float(time), feature if seen else None)
        for time, feature, seen in zip(times, features, present, strict=True)
    ]
    reference = softmax(np.stack(list(frame_logits(model.eval(), frames))).astype(np.float64), axis=1)
    stream = exported.stream()
    streamed = [row for frame in frames for _, row in stream.push(frame.time, frame.features)]
    streamed += [row for _, row in stream.finish()]
    found = [exported.predict(features, times, present), np.stack(streamed)]
    results = [compare(reference, probabilities, limits=EXACT) for probabilities in found]
    worst = max(results, key=lambda result: result.difference)
    violations = worst.violations(EXACT)
    if violations:
        raise GateError(
            f"{name} does not answer as the trained network does on {worst.count:,} frames: "
            f"{'; '.join(violations)}. Nothing was published."
        )
    return worst
