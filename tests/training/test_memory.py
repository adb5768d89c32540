from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys, torch
from halfsmile.training.memory import reuse_freed_memory

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
