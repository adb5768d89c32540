"""Fixtures that several rooms share; those that train are in ``tests/trained.py``."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from halfsmile.data.synthetic import write_data_set

pytest_plugins = [
    "pytester",
    "tests.run_folders",
    "tests.skips",
    *(["tests.trained"] if find_spec("torch") else []),
]

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # some tests use onnxruntime itself
# Programs that tests start share the processors with other tests: threads that wait for each other are slow.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Several tests run side by side, so that time says little.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("random", unhurried)
settings.register_profile("repeatable", unhurried, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "random"))


@pytest.fixture(scope="session")
def generated_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set of generated faces: ``labeled/{train,test}/<label>/`` and ``unlabeled.zip``."""
    root = tmp_path_factory.mktemp("generated") / "faces"
    write_data_set(root, train=160, test=64, unlabeled=64, size=32, seed=3, people=20)
    return root


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; tests that use it are skipped where there is none."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    root = Path(os.environ.get("HALFSMILE_DATA", default))
    if not (root / "ferplus").is_dir():
        pytest.skip(f"no real data at {root}; set HALFSMILE_DATA to the folder that holds it")
    return root
