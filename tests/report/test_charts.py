from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from halfsmile.metrics.bootstrap import Interval
from halfsmile.metrics.scores import reliability_bins
from halfsmile.report import charts
from halfsmile.utils.page import Html

EPOCHS = np.linspace(0, 10, 1000)


def every_chart() -> dict[str, Html]:
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet([1.0, 1.0], 200)
    line = (EPOCHS, np.exp(-EPOCHS))
    gaps = (EPOCHS[:4], np.array([np.nan, 0.5, np.nan, 0.7]))
    intervals = [Interval(0.5, 0.4, 0.6), Interval(0.7, 0.65, 0.75)]
    return {
        "classes": charts.class_bars(["a", "b"], {"labeled": {"a": 3, "b": 0}, "test": {"a": 1, "b": 2}}),
        "stages": charts.stage_bars(["one", "two"], {"accuracy": intervals, "macro F1": intervals}),
        "curve": charts.curve("loss", {"loss": line, "other": gaps}, smooth=True),
        "rate": charts.curve("learning rate", {"rate": (EPOCHS, 1.5e-4 * np.exp(-EPOCHS))}),
        "nothing": charts.curve("nothing", {"nan": (EPOCHS[:2], np.full(2, np.nan))}, percent=True),
        "reliability": charts.reliability_diagram(
            reliability_bins(probabilities, generator.integers(0, 2, 200))
        ),
        "risk": charts.risk_coverage_chart(
            {
                "validation": (np.linspace(0.01, 1, 50), np.linspace(0, 0.3, 50)),
                "test": (np.ones(1), np.ones(1)),
            },
            target=0.1,
            chosen={"validation": (0.3, 0.1)},
        ),
        "class curves": charts.class_curves(
            ["a", "b", "c"], {"a": {"right": line, "share": gaps}, "b": {"right": line}}, filled="share"
        ),
    }


@pytest.fixture(scope="module")
def drawn() -> dict[str, Html]:
    return every_chart()


def test_charts_are_well_formed_and_follow_the_page(drawn: dict[str, Html]) -> None:
    for name, svg in drawn.items():
        root = ElementTree.fromstring(svg)  # noqa: S314
        assert root.tag.endswith("svg"), name
        assert "width" not in root.attrib
        assert root.attrib["aria-label"]
        assert "#0a0b" not in svg
        assert "var(--c1)" in svg
        assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", svg)


def test_ids_are_unique_across_charts(drawn: dict[str, Html]) -> None:
    ids = [found for svg in drawn.values() for found in set(re.findall(r' id="([^"]+)"', svg))]
    assert len(ids) == len(set(ids))


def test_text_stays_text_and_tiny_values_get_a_unit(drawn: dict[str, Html]) -> None:
    assert "× 10⁻⁴" in drawn["rate"]
    for text in ("labeled", "share of its part", ">3<"):
        assert text in drawn["classes"]


def test_long_curves_are_thinned(drawn: dict[str, Html]) -> None:
    assert len(drawn["rate"]) < 40_000
