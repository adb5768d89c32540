"""Stage I by a teacher: what is compared, that it is learned, and painting beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from halfsmile.methods.pretrain.distill import DistillTask, TeacherShape
from halfsmile.methods.pretrain.mae import MaeTask
from halfsmile.methods.pretrain.masked_conv import build_autoencoder
from halfsmile.methods.task import Batch
from halfsmile.models.resnet import ResNet, ResNetConfig

CONFIG = ResNetConfig(image_size=32, widths=(8, 12, 16), depths=(1, 1, 1))
SHAPE = TeacherShape(channels=4, grid=3, width=5)


def batch(count: int = 8) -> Batch:
    source = torch.Generator().manual_seed(1)
    faces = torch.randint(0, 256, (count, 1, 32, 32), generator=source).to(torch.uint8)
    return Batch(images=faces, features=torch.randn(count, SHAPE.count, generator=source))


def encoder() -> ResNet:
    torch.manual_seed(0)
    return ResNet(CONFIG)


def test_the_numbers_of_a_map_come_before_those_of_the_feature() -> None:
    assert SHAPE.count == 4 * 9 + 5
    task = DistillTask(encoder(), SHAPE).eval()
    at_grid, last = task.model.encoder.maps(torch.rand(2, 1, 32, 32))  # type: ignore[operator, union-attr]
    said = task.readers(at_grid, last)
    assert said.shape == (2, SHAPE.count)
    torch.testing.assert_close(said[:, 36:], task.readers.of_feature(last.mean(dim=(2, 3))))
    assert task.readers.of_map is not None
    grid = torch.nn.functional.adaptive_avg_pool2d(task.readers.of_map(at_grid), 3)
    torch.testing.assert_close(said[:, :36].view(2, 4, 3, 3), grid)


def test_map_and_feature_count_the_same_however_many_numbers_they_have() -> None:
    task = DistillTask(encoder(), SHAPE, match=3.0).eval()
    with torch.no_grad():
        for parameter in task.readers.parameters():
            parameter.zero_()
    found = batch()
    assert found.features is not None
    result = task.step(found, torch.Generator().manual_seed(0))
    squares = found.features.square()
    torch.testing.assert_close(result.loss, 3.0 * (squares[:, :36].mean() + squares[:, 36:].mean()) / 2)


def test_a_teacher_without_maps_is_matched_in_its_feature_alone() -> None:
    task = DistillTask(encoder(), TeacherShape(channels=0, grid=3, width=5), match=3.0).eval()
    assert [name for name, _ in task.readers.named_parameters()] == ["of_feature.weight", "of_feature.bias"]
    with torch.no_grad():
        for parameter in task.readers.parameters():
            parameter.zero_()
    found = batch()
    assert found.features is not None
    said = found.features[:, 36:]
    result = task.step(replace(found, features=said), torch.Generator().manual_seed(0))
    torch.testing.assert_close(result.loss, 3.0 * said.square().mean())
    assert set(result.logs) == {"feature"}


def test_it_is_learned() -> None:
    task, found = DistillTask(encoder(), SHAPE).train(), batch()
    optimizer = torch.optim.AdamW([p for p in task.parameters() if p.requires_grad], lr=1e-2)
    losses = []
    for step in range(40):
        loss = task.step(found, torch.Generator().manual_seed(step)).loss
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_painting_beside_it_is_that_of_masked_reconstruction() -> None:
    network = encoder()
    painter = build_autoencoder(
        network, decoder_width=16, decoder_depth=1, decoder_heads=1, normalize_target=True
    )
    both = DistillTask(network, SHAPE, painter=painter, paint=0.5).eval()
    assert both.model is painter
    names = [name for name, _ in both.named_parameters()]
    assert len(names) == len(set(names))
    found = batch()
    result = both.step(found, torch.Generator().manual_seed(0))
    parts = result.logs
    expected = (parts["map"] + parts["feature"]) / 2 + 0.5 * parts["painted"]
    torch.testing.assert_close(result.loss.detach(), expected)
    assert both.painting is not None
    assert isinstance(both.painting[0], MaeTask)
    result.loss.backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in both.readers.parameters())
    assert painter.decoder_pred.weight.grad is not None  # type: ignore[union-attr]


def test_faces_without_answers_are_refused() -> None:
    with pytest.raises(ValueError, match="what the teacher says"):
        DistillTask(encoder(), SHAPE).step(Batch(images=batch().images), torch.Generator())
