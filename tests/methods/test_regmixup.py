"""RegMixup by hand: which faces are mixed, what mixtures are taught, and what they add to a loss."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from halfsmile.methods.facemix import beta_sample
from halfsmile.methods.mean_teacher import MeanTeacher
from halfsmile.methods.noisy_student import NoisyStudent
from halfsmile.methods.pseudo_label import FixMatch
from halfsmile.methods.regmixup import mix_names
from halfsmile.methods.semi import SemiSettings
from halfsmile.methods.task import Batch
from halfsmile.recipes import ssfer, with_semi
from halfsmile.recipes.overrides import override
from halfsmile.transforms.augment import NONE


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def test_faces_that_count_are_mixed_with_each_other_by_hand() -> None:
    images = torch.tensor([0.0, 10.0, 20.0, 40.0]).view(4, 1, 1, 1)
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.5, 0.5]])
    weights = torch.tensor([1.0, 0.0, 0.5, 1.0])
    mixed = mix_names(images, targets, weights, alpha=10.0, generator=generator())
    draws = generator()
    order = torch.randperm(3, generator=draws).tolist()
    amount = float(beta_sample(10.0, draws))
    kept, taught = [0.0, 20.0, 40.0], [[1.0, 0.0], [0.0, 0.5], [0.5, 0.5]]
    assert mixed.images.flatten().tolist() == pytest.approx(
        [amount * kept[i] + (1 - amount) * kept[order[i]] for i in range(3)]
    )
    expected = torch.tensor(taught) * amount + torch.tensor(taught)[order] * (1 - amount)
    torch.testing.assert_close(mixed.targets, expected)
    logits = torch.tensor([[0.0, 0.0]]).repeat(3, 1)
    assert float(mixed.loss(logits)) == pytest.approx(float(expected.sum()) * 0.693147 / 4, rel=1e-5)


def test_published_mixing_is_near_one_half() -> None:
    draws = torch.stack([beta_sample(10.0, torch.Generator().manual_seed(i)) for i in range(400)])
    assert float(draws.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(draws.std()) == pytest.approx(0.109, abs=0.02)  # 1 / (2 √21)


def test_where_nothing_is_accepted_nothing_is_added(
    model: nn.Module, both: Batch, settings: SemiSettings
) -> None:
    mixing: SemiSettings = {**settings, "regmixup": 1.0}
    plain = FixMatch(threshold=1.01).task(model, **settings).step(both, generator())
    found = FixMatch(threshold=1.01).task(model, **mixing).step(both, generator())
    torch.testing.assert_close(found.loss, plain.loss)
    found.loss.backward()  # type: ignore[no-untyped-call]
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_clean_and_mixed_in_one_loss(model: nn.Module, both: Batch, settings: SemiSettings) -> None:
    assert both.unlabeled is not None
    mixing: SemiSettings = {**settings, "regmixup": 0.5, "regmixup_alpha": 2.0}
    plain = FixMatch(threshold=0.0).task(model, **settings).step(both, generator())
    found = FixMatch(threshold=0.0).task(model, **mixing).step(both, generator())
    faces = both.unlabeled.float() / 255
    names = F.one_hot(model(faces).argmax(dim=1), 3).float()
    source = generator()
    for views in (torch.cat([both.images, both.unlabeled]), both.unlabeled):
        NONE(views, generator=source)
    mixed = mix_names(faces, names, torch.ones(10), alpha=2.0, generator=source)
    extra = F.cross_entropy(model(mixed.images), mixed.targets)
    torch.testing.assert_close(found.loss, plain.loss + settings["weight"] * 0.5 * extra)
    torch.testing.assert_close(found.logs["acceptance"], plain.logs["acceptance"])


def test_soft_names_are_mixed_softly(model: nn.Module, both: Batch, settings: SemiSettings) -> None:
    mixing: SemiSettings = {**settings, "regmixup": 1.0}
    task = MeanTeacher().task(model, **mixing)
    probabilities = torch.tensor([[0.7, 0.2, 0.1]])
    torch.testing.assert_close(task.taught(task.pseudo_label(probabilities.log())), probabilities)
    assert torch.isfinite(task.step(both, generator()).loss)


def test_a_step_of_its_own_has_no_place_for_it(model: nn.Module, settings: SemiSettings) -> None:
    mixing: SemiSettings = {**settings, "regmixup": 1.0}
    with pytest.raises(ValueError, match="NoisyStudentTask makes a step of its own"):
        NoisyStudent().task(model, **mixing)
    recipe = override(ssfer(), "semi.regmixup=1", "semi.regmixup_alpha=5")
    assert recipe.semi is not None
    assert (recipe.semi.regmixup, recipe.semi.regmixup_alpha) == (1.0, 5.0)
    assert with_semi(recipe, method="soft-targets").semi == replace(
        recipe.semi,
        method=with_semi(ssfer(), method="soft-targets").semi.method,  # type: ignore[union-attr]
    )
    with pytest.raises(ValueError, match="ada-cm makes a step of its own, which has no place for regmixup"):
        with_semi(recipe, method="ada-cm")
    with pytest.raises(ValueError, match="regmixup must be at least 0"):
        override(ssfer(), "semi.regmixup=-1")
