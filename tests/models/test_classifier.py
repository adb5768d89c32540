from __future__ import annotations

import pytest
import torch
from torchvision.transforms.v2.functional import resize

from halfsmile.models.classifier import Classifier, MirroredClassifier
from halfsmile.models.vit import VisionTransformer
from halfsmile.models.vit_config import VitConfig
from halfsmile.taxonomy import FERPLUS

CONFIG = VitConfig(image_size=16, patch_size=8, width=16, depth=1, heads=2, pooling="average")


def classifier(*, standardize: bool) -> Classifier:
    torch.manual_seed(0)
    return Classifier(VisionTransformer(CONFIG), taxonomy=FERPLUS, standardize=standardize)


def test_one_logit_per_label() -> None:
    assert classifier(standardize=False)(torch.rand(3, 3, 16, 16)).shape == (3, len(FERPLUS))


def test_standardized_features_have_no_common_part() -> None:
    model = classifier(standardize=True).train()
    seen: list[torch.Tensor] = []
    model.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    images = torch.rand(32, 3, 16, 16)
    model(images)
    raw = model.encoder(images)
    assert float(raw.detach().mean(dim=0).abs().max()) > 0.5
    torch.testing.assert_close(seen[0].mean(dim=0), torch.zeros(16), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen[0].std(dim=0, correction=0), torch.ones(16), atol=0.05, rtol=0)


def test_evaluation_of_a_face_does_not_depend_on_its_neighbors() -> None:
    model = classifier(standardize=True)
    images = torch.rand(16, 3, 16, 16)
    for _ in range(5):
        model(images)
    model.eval()
    torch.testing.assert_close(model(images)[:1], model(images[:1]))


def test_the_answer_with_a_mirror_is_the_mean_of_both_probabilities() -> None:
    model = classifier(standardize=True)
    torch.nn.init.normal_(model.head.weight, std=2.0)
    images = torch.rand(16, 3, 16, 16)
    model(images)
    both = MirroredClassifier(model).eval()
    logits, features = both.answer(images)
    here, there = model(images).softmax(dim=1), model(images.flip(-1)).softmax(dim=1)
    assert (here - there).abs().max() > 0.05
    torch.testing.assert_close(logits.exp(), (here + there) / 2)
    torch.testing.assert_close(features, model.features(images))
    torch.testing.assert_close(both(images.flip(-1)), both(images))


@pytest.mark.parametrize(("zoom", "border"), [(1.0, 0), (1.2, 1), (1.34, 2), (2.0, 4)])
def test_a_closer_look_is_that_at_a_crop(zoom: float, border: int) -> None:
    model = classifier(standardize=True)
    torch.nn.init.normal_(model.head.weight, std=2.0)
    images = torch.rand(16, 3, 16, 16)
    model(images)
    model.eval()
    closer = resize(images[:, :, border : 16 - border, border : 16 - border], [16, 16], antialias=False)
    views = [images, images.flip(-1), closer, closer.flip(-1)]
    expected = torch.stack([model(view).softmax(dim=1) for view in views]).mean(dim=0)
    all_views = MirroredClassifier(model, zoom=zoom).eval()
    logits, features = all_views.answer(images)
    torch.testing.assert_close(logits.exp(), expected)
    torch.testing.assert_close(all_views(images.flip(-1)), all_views(images))
    torch.testing.assert_close(features, model.features(images))
    assert all_views.zoom == 16 / (16 - 2 * border)


def test_a_zoom_that_cuts_no_pixel_off_is_refused() -> None:
    model = classifier(standardize=False)
    with pytest.raises(ValueError, match=r"1\.05 cuts no pixel off faces of 16 px.* or 1\.143 or more"):
        MirroredClassifier(model, zoom=1.05)
    assert MirroredClassifier(model, zoom=1.143).border == 1


@pytest.mark.parametrize("zoom", [0.9, 2.1])
def test_a_zoom_out_of_range_is_refused(zoom: float) -> None:
    with pytest.raises(ValueError, match="from 1 to 2"):
        MirroredClassifier(classifier(standardize=False), zoom=zoom)


def test_without_standardization_nothing_is_added_to_the_weights() -> None:
    assert not [name for name in classifier(standardize=False).state_dict() if "feature_norm" in name]
