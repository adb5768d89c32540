"""The words that options take are written twice, so that help needs no import: here both must agree."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from halfsmile import api
from halfsmile.cli import (
    abaw,
    data,
    data_lists,
    data_options,
    evaluate,
    label,
    options,
    predict,
    pseudo_label,
    serve,
    train,
)
from halfsmile.data.manifest import SPLITS
from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.data.readers import affwild2, ferplus, registry
from halfsmile.data.split import Group
from halfsmile.data.tables.values import BoxFormat
from halfsmile.faces.detect import DetectorName
from halfsmile.faces.prepare.settings import Settings
from halfsmile.label.learn.acquisition import RULES
from halfsmile.models import pretrained
from halfsmile.predict.tables.sinks import TableFormat
from halfsmile.recipes.config import Preset
from halfsmile.sequences.smoothing import Kind
from halfsmile.utils.parallel.engine import Engine


def words(annotation: Any) -> set[str]:
    """What an annotation allows."""
    if get_origin(annotation) is Literal:
        return set(get_args(annotation))
    return set[str]().union(*map(words, get_args(annotation)))


def option(command: type, name: str) -> set[str]:
    return words(get_type_hints(command)[name])


def test_words_are_found_in_any_annotation() -> None:
    assert words(data_options.Layout) >= {"store", "ferplus"}
    assert option(data_lists.Split, "by") == {"person", "video"}


OPTIONS = {
    "label --rule": (option(label.Label, "rule"), set(RULES)),
    "data --layout": (words(data_options.Layout), set(registry.LAYOUTS)),
    "data --label-rule": (words(data_options.LabelRule), set(ferplus.RULES)),
    "data --box": (option(data_options.Reading, "box"), words(BoxFormat)),
    "train --box": (option(train.Train, "box"), words(BoxFormat)),
    "data split --by": (option(data_lists.Split, "by"), words(Group)),
    "data prepare --detector": (option(data.Prepare, "detector"), option(Settings, "detector") - {"aligned"}),
    "data prepare --engine": (option(data.Prepare, "engine"), words(Engine)),
    "pseudo-label --engine": (option(pseudo_label.PseudoLabel, "engine"), words(Engine)),
    "train --init-network": (words(train.Network), {*pretrained.PUBLISHED, *pretrained.RESNETS}),
    "train --preset": (option(train.Train, "preset"), words(Preset)),
    "train --data-set": (words(options.DataSetName), set(PROTOCOLS)),
    "train --device": (words(options.Device), words(api.Device)),
    "evaluate --split": (words(evaluate.Splits), {*SPLITS, "all"}),
    "evaluate --detector": (words(evaluate.DetectorOption), words(DetectorName) - {"aligned"}),
    "predict --detector": (option(predict.Predict, "detector"), words(DetectorName) | {"given"}),
    "serve --detector": (option(serve.Serve, "detector"), words(DetectorName)),
    "predict --format": (option(predict.Predict, "format"), words(TableFormat)),
    "abaw submit --kind": (option(abaw.Submit, "kind"), words(Kind)),
    "abaw folds --crops": (option(abaw.Folds, "crops"), words(affwild2.Crops)),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_offers_what_there_is(name: str) -> None:
    offered, known = OPTIONS[name]
    assert offered == known


def test_detectors_of_stores_are_those_of_pictures_and_more() -> None:
    assert option(Settings, "detector") == words(DetectorName) | {"given", "aligned"}
