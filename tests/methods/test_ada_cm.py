"""Ada-CM by hand: margins from labeled faces, two weak views, and the contrast of the unsure faces."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.methods.ada_cm import AdaCM, AdaCMTask, contrastive_loss
from halfsmile.methods.pseudo_label import FixMatch
from halfsmile.methods.semi import SemiSettings
from halfsmile.methods.task import Batch
from halfsmile.models.classifier import Classifier
from halfsmile.models.vit import VisionTransformer
from halfsmile.models.vit_config import VitConfig
from halfsmile.taxonomy import Taxonomy
from halfsmile.transforms.augment import NONE, STRONG, WEAK


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    config = VitConfig(
        image_size=8, patch_size=4, channels=1, width=8, depth=1, heads=2, mean=(0.5,), std=(0.25,)
    )
    model = Classifier(VisionTransformer(config), taxonomy=Taxonomy("moods", ("calm", "glad", "sad")))
    nn.init.normal_(model.head.weight)
    return model


def make(classifier: Classifier, settings: SemiSettings, method: AdaCM) -> AdaCMTask:
    return method.task(classifier, **settings)


def test_thresholds_by_hand(classifier: Classifier, settings: SemiSettings) -> None:
    task = make(classifier, settings, AdaCM(least=0.4, scale=0.97, period=2))
    targets = torch.eye(3)[[0, 0, 1]]
    task.observe_labeled(torch.tensor([[0.9, 0.05, 0.05], [0.3, 0.6, 0.1], [0.1, 0.5, 0.4]]).log(), targets)
    assert task.thresholds.tolist() == pytest.approx([0.4] * 3)
    task.observe_labeled(torch.tensor([[0.7, 0.2, 0.1], [0.8, 0.1, 0.1], [0.1, 0.2, 0.7]]).log(), targets)
    first = 1 / (1 + math.exp(-1))
    assert task.thresholds.tolist() == pytest.approx([0.97 * 0.8 * first, 0.4, 0.4])
    assert task.confidence_sum.tolist() == task.right_count.tolist() == [0.0, 0.0, 0.0]

    for _ in range(2):
        task.observe_labeled(torch.tensor([[0.1, 0.9, 0.0]] * 3).log(), torch.eye(3)[[0, 1, 1]])
    second = 1 / (1 + math.exp(-2))
    assert task.thresholds.tolist() == pytest.approx([0.4, 0.97 * 0.9 * second, 0.4])


def test_contrast_by_hand() -> None:
    """Two faces; the second view of each points where the first does, at a right angle to the other face."""
    first = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    second = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    expected = -math.log(math.exp(2.0) / (math.exp(2.0) + 2))
    assert float(contrastive_loss(first, second, temperature=0.5)) == pytest.approx(expected, rel=1e-5)
    swapped = contrastive_loss(second, first, temperature=0.5)
    assert float(swapped) == pytest.approx(expected, rel=1e-5)
    assert float(contrastive_loss(first, second.flip(0), temperature=0.5)) > expected + 1


def test_contrast_is_exact_under_autocast() -> None:
    first, second = torch.rand(2, 5, 8, generator=torch.Generator().manual_seed(0))
    expected = contrastive_loss(first, second, temperature=0.07)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(contrastive_loss(first, second, temperature=0.07), expected)


@pytest.mark.parametrize("least", [0.0, 0.8, 1.01])
def test_loss_equals_the_formula(
    classifier: Classifier, both: Batch, settings: SemiSettings, least: float
) -> None:
    assert both.targets is not None
    assert both.unlabeled is not None
    task = make(classifier, settings, AdaCM(least=least, contrast=0.5, temperature=0.2))
    result = task.step(both, torch.Generator().manual_seed(0))

    faces = both.unlabeled.float() / 255
    logits = classifier(faces)
    confidence, labels = logits.softmax(dim=1).max(dim=1)
    sure = confidence >= least
    unlabeled = (F.cross_entropy(logits, labels, reduction="none") * sure).mean()
    if not sure.all():
        features = classifier.features(faces[~sure])
        assert len(features) > 1
        unlabeled = unlabeled + 0.5 * contrastive_loss(features, features, temperature=0.2)
    labeled = F.cross_entropy(classifier(both.images.float() / 255), both.targets)
    torch.testing.assert_close(result.loss, labeled + 3.0 * unlabeled)
    assert float(result.logs["acceptance"]) == pytest.approx(float(sure.float().mean()))


def test_without_unsure_faces_it_is_fixmatch(
    classifier: Classifier, both: Batch, settings: SemiSettings
) -> None:
    ada = make(classifier, settings, AdaCM(least=0.0)).step(both, torch.Generator().manual_seed(0))
    plain = FixMatch(threshold=0.0).task(classifier, **settings).step(both, torch.Generator().manual_seed(0))
    torch.testing.assert_close(ada.loss, plain.loss)


def test_labels_come_from_the_mean_of_two_views(classifier: Classifier, both: Batch) -> None:
    assert both.unlabeled is not None
    task = AdaCM(least=0.0).task(classifier, weak=WEAK, strong=NONE)
    result = task.step(both, torch.Generator().manual_seed(4))
    joined = torch.cat([both.images, both.unlabeled, both.unlabeled])
    views = WEAK(joined, generator=torch.Generator().manual_seed(4)).images
    with torch.no_grad():
        first, second = classifier(views[4:]).softmax(dim=1).chunk(2)
    assert not torch.equal(first, second)
    labels = ((first + second) / 2).argmax(dim=1)
    expected = [float((labels == c).float().mean()) for c in range(3)]
    assert [float(result.logs[f"named/{label}"]) for label in ("calm", "glad", "sad")] == pytest.approx(
        expected
    )


def test_the_student_sees_a_strong_view_to_name_and_two_weak_ones_to_contrast(
    classifier: Classifier, both: Batch
) -> None:
    assert both.unlabeled is not None
    task = AdaCM(least=1.01).task(classifier, weak=WEAK, strong=STRONG)
    seen: list[Tensor] = []
    classifier.encoder.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    task.step(both, torch.Generator().manual_seed(4))
    source = torch.Generator().manual_seed(4)
    weak = WEAK(torch.cat([both.images, both.unlabeled, both.unlabeled]), generator=source).images
    strong = STRONG(both.unlabeled, generator=source).images
    assert len(seen) == 1
    assert torch.equal(seen[0], torch.cat([weak[:4], strong, weak[4:]]))


def test_the_contrast_reaches_the_encoder_where_nothing_is_sure(
    classifier: Classifier, both: Batch, settings: SemiSettings
) -> None:
    task = make(classifier, {**settings, "weak": WEAK}, AdaCM(least=1.01))
    gradients = []
    for contrast in (0.0, 0.1):
        task.method = AdaCM(least=1.01, contrast=contrast)
        classifier.zero_grad()
        task.step(both, torch.Generator().manual_seed(0)).loss.backward()  # type: ignore[no-untyped-call]
        gradients.append([p.grad.clone() for p in classifier.encoder.parameters() if p.grad is not None])
    assert any(not torch.allclose(a, b) for a, b in zip(*gradients, strict=True))


def test_a_model_without_features_is_refused(model: nn.Module, settings: SemiSettings) -> None:
    with pytest.raises(ValueError, match="LinearClassifier shows none"):
        AdaCM().task(model, **settings)
