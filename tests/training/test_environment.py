"""What a run keeps of the machine."""

from __future__ import annotations

import json

import torch

from halfsmile.training.environment import environment


def test_the_environment_is_plain_json() -> None:
    facts = environment(torch.device("cpu"), precision="float32", init=None)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["packages"]["torch"] == torch.__version__.split("+")[0] or "+" in facts["packages"]["torch"]
    assert facts["device"] == "cpu"
    assert facts["precision"] == "float32"
    assert facts["cores"] >= 1
