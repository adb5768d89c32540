"""Several networks as one: the mean of what they say, each in its own size."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from halfsmile.models.classifier import Classifier, MirroredClassifier
from halfsmile.models.ensemble import Ensemble
from halfsmile.models.resnet import ResNet, ResNetConfig
from halfsmile.taxonomy import FERPLUS, RAFDB, Taxonomy

CONFIG = ResNetConfig(image_size=32, channels=1, widths=(8, 8, 8, 8), depths=(1, 1, 1, 1))


def classifier(seed: int, *, size: int = 32, channels: int = 1, taxonomy: Taxonomy = FERPLUS) -> Classifier:
    torch.manual_seed(seed)
    seen = (0.5,) * channels
    encoder = ResNet(replace(CONFIG, image_size=size, channels=channels, mean=seen, std=seen))
    model = Classifier(encoder, taxonomy=taxonomy)
    torch.nn.init.normal_(model.head.weight)
    return model.eval()


def test_the_answer_is_the_mean_of_the_probabilities() -> None:
    first, second = MirroredClassifier(classifier(0)), classifier(1)
    faces = torch.rand(5, 1, 32, 32)
    logits, features = Ensemble([first, second]).eval().answer(faces)
    mean = (first(faces).softmax(dim=1) + second(faces).softmax(dim=1)) / 2
    assert torch.allclose(logits.softmax(dim=1), mean, atol=1e-6)
    assert torch.equal(features, first.answer(faces)[1])


def test_each_member_sees_faces_in_its_own_size() -> None:
    first, second = classifier(0, size=48), classifier(1, size=32)
    faces = torch.rand(3, 1, 48, 48)
    smaller = F.interpolate(faces, size=[32, 32], mode="bilinear", align_corners=False, antialias=True)
    found = Ensemble([first, second]).eval()(faces).softmax(dim=1)
    assert torch.allclose(found, (first(faces).softmax(1) + second(smaller).softmax(1)) / 2, atol=1e-6)


def test_an_average_with_itself_changes_nothing() -> None:
    model, faces = classifier(0), torch.rand(4, 1, 32, 32)
    found = Ensemble([model, model]).eval()(faces).softmax(dim=1)
    assert torch.allclose(found, model(faces).softmax(dim=1), atol=1e-6)


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ValueError, match="two networks at least, found 1"):
        Ensemble([classifier(0)])
    with pytest.raises(ValueError, match="these have 1 and 3 channels"):
        Ensemble([classifier(0), classifier(1, channels=3)])
    with pytest.raises(ValueError, match="Taxonomies do not match"):
        Ensemble([classifier(0), classifier(1, taxonomy=RAFDB)])
