"""Logit adjustment and CDMAD by hand."""

from __future__ import annotations

import pytest
import torch

from halfsmile.methods.logit_adjustment import blank_shift, prior_shift, shift
from halfsmile.models.classifier import Classifier
from halfsmile.models.resnet import ResNet, ResNetConfig
from halfsmile.taxonomy import FERPLUS

SHARES = torch.tensor([0.5, 0.3, 0.15, 0.05])


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    encoder = ResNet(ResNetConfig(image_size=32, widths=(8, 16, 16), depths=(1, 1, 1)))
    return Classifier(encoder, taxonomy=FERPLUS, standardize=True, dropout=0.5)


def test_the_whole_adjustment_makes_classes_equally_frequent() -> None:
    """With π as the prior, p(x | y) in the ratios 1 : 2 : 3 : 4 gives p(y | x) ∝ π · p(x | y)."""
    likelihood = torch.tensor([1.0, 2.0, 3.0, 4.0])
    logits = (SHARES * likelihood).log()
    found = (logits + prior_shift(SHARES, 1.0)).softmax(dim=0)
    torch.testing.assert_close(found, likelihood / likelihood.sum())
    half = (logits + prior_shift(SHARES, 0.5)).softmax(dim=0)
    torch.testing.assert_close(half, SHARES.sqrt() * likelihood / (SHARES.sqrt() * likelihood).sum())


def test_nothing_is_shifted_by_nothing(classifier: Classifier) -> None:
    assert prior_shift(SHARES, 0.0).tolist() == [0.0] * 4
    assert blank_shift(classifier, 0.0).tolist() == [0.0] * 8


def test_a_class_without_labels_cannot_be_adjusted() -> None:
    with pytest.raises(ValueError, match="a label of each class"):
        prior_shift(torch.tensor([1.0, 0.0]), 1.0)


def test_a_picture_without_a_face_gets_no_answer(classifier: Classifier) -> None:
    blank = torch.full((1, 1, 32, 32), 0.5)
    shift(classifier, blank_shift(classifier.train(), 1.0))
    assert classifier.training
    with torch.inference_mode():
        found = classifier.eval()(blank)[0]
    torch.testing.assert_close(found, found.mean().expand(8), atol=1e-5, rtol=0)


def test_every_answer_moves_by_the_same(classifier: Classifier) -> None:
    faces = torch.rand(5, 1, 32, 32)
    classifier.eval()
    with torch.inference_mode():
        before = classifier(faces)
        amounts = torch.arange(8.0)
        shift(classifier, amounts)
        torch.testing.assert_close(classifier(faces) - before, amounts.expand(5, 8))
