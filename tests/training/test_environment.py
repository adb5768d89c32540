"""What a run keeps of the machine."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from halfsmile.training.environment import environment


def test_the_environment_is_plain_json() -> None:
    facts = environment(torch.device("cpu"), precision="float32", init=None)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["packages"]["torch"] == torch.__version__.split("+")[0] or "+" in facts["packages"]["torch"]
    assert facts["device"] == "cpu"
    assert facts["precision"] == "float32"
    assert facts["cores"] >= 1


PROGRAM = """
import resource, sys, torch
from halfsmile.training.environment import reuse_freed_memory

def faults():
    torch.ones(4_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(4_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

default = faults()
print(reuse_freed_memory(), default, faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the memory policy of glibc")
def test_freed_tensors_are_used_again() -> None:
    answer = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    took_effect, default, faults = answer.stdout.split()
    if took_effect == "False":
        pytest.skip("the C library is not glibc")
    assert int(default) > 1000
    assert int(faults) < int(default) / 100
