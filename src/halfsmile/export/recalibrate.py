"""Another temperature, threshold and floor of the sets for a model that is exported already.

Nothing else of the file changes: the same logits and features, the same labels and votes. So what was chosen
on faces that the run knew nothing of, as on several data sets, gets into the file without its run.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from halfsmile.export.onnx import write_onnx
from halfsmile.predict.model_facts import ModelFacts


def recalibrate(
    source: Path,
    target: Path,
    *,
    temperature: float,
    threshold: float | None,
    target_error: float | None,
    set_coverage: float | None = None,
    set_floor: float | None = None,
) -> ModelFacts:
    """Write the same model with other numbers for how sure it is, atomically.

    Args:
        source: An ONNX file that ``halfsmile export`` wrote.
        target: The file to write; may be the same.
        temperature: What the graph divides logits by.
        threshold: Confidence from which answers are certain; None where nobody knows.
        target_error: Largest share of wrong ones among them that it was chosen for.
        set_coverage: Share of faces whose set of expressions holds the true one; None for no sets.
        set_floor: Probability from which a class belongs to the set; None likewise.

    Returns:
        What the file says of itself.

    Raises:
        ValueError: If the file is none that ``halfsmile export`` wrote, or a number is out of range.
        OSError: If it can't be read or written.
    """
    import onnx

    proto = onnx.load(source)
    facts = ModelFacts.from_metadata({entry.key: entry.value for entry in proto.metadata_props})
    facts = replace(
        facts,
        temperature=temperature,
        threshold=threshold,
        target_error=None if threshold is None else target_error,
        set_coverage=None if set_floor is None else set_coverage,
        set_floor=set_floor,
    )
    _divide_by(proto, np.float32(temperature), source)
    write_onnx(proto, facts.to_metadata(), target)
    return facts


def _divide_by(proto: Any, temperature: np.float32, source: Path) -> None:
    """Replace the number that logits are divided by on the way to the probabilities."""
    from onnx import numpy_helper

    graph = proto.graph
    made_by = {name: node for node in graph.node for name in node.output}
    softmax = made_by.get("probabilities")
    division = None if softmax is None else made_by.get(softmax.input[0])
    divisor = None if division is None or division.op_type != "Div" else division.input[1]
    held = [number for number in graph.initializer if number.name == divisor]
    if division is None or division.input[0] != "logits" or len(held) != 1:
        raise ValueError(
            f"{source} does not divide its logits by one number before the softmax, as files of "
            "`halfsmile export` do; export its run again."
        )
    shape = numpy_helper.to_array(held[0]).shape
    name = f"{divisor}_of_probabilities"
    graph.initializer.append(numpy_helper.from_array(np.full(shape, temperature, np.float32), name))
    division.input[1] = name
    if not any(divisor in node.input for node in graph.node):
        graph.initializer.remove(held[0])
