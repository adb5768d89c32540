import torch
from torch import Tensor, nn

from halfsmile.methods.pretrain.mae import MaeTask, masked_loss, random_masking
from halfsmile.methods.pretrain.masked_conv import MaskedConvAutoencoder
from halfsmile.methods.task import Batch
from halfsmile.models.resnet import ResNet, ResNetConfig, hide
from halfsmile.transforms.augment import Augment

CONFIG = ResNetConfig(image_size=32, widths=(8, 12, 16, 24), depths=(1, 1, 1, 1))


def autoencoder(config: ResNetConfig = CONFIG) -> MaskedConvAutoencoder:
    torch.manual_seed(0)
    return MaskedConvAutoencoder(ResNet(config), decoder_width=16)


def test_every_patch_is_painted() -> None:
    masking = random_masking(2, 16, 0.6, torch.Generator().manual_seed(0))
    assert autoencoder()(torch.rand(2, 1, 32, 32), masking).shape == (2, 16, 64)


def test_patches_as_coarse_as_the_last_map() -> None:
    model = autoencoder(ResNetConfig(image_size=32, patch_size=16, widths=(8, 12, 16, 24), depths=(1,) * 4))
    masking = random_masking(2, 4, 0.5, torch.Generator().manual_seed(0))
    assert model(torch.rand(2, 1, 32, 32), masking).shape == (2, 4, 256)


def test_painting_does_not_depend_on_what_is_hidden() -> None:
    model = autoencoder().eval()
    masking = random_masking(1, 16, 0.6, torch.Generator().manual_seed(1))
    images = torch.rand(1, 1, 32, 32)
    pixels = masking.mask.view(1, 1, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3)
    changed = torch.where(pixels > 0, torch.rand(1, 1, 32, 32), images)
    with torch.no_grad():
        assert torch.equal(model(images, masking), model(changed, masking))


def test_hidden_places_are_empty_in_every_map_as_fine_as_the_patches() -> None:
    model = autoencoder().eval()
    masking = random_masking(2, 16, 0.6, torch.Generator().manual_seed(0))
    visible = (1 - masking.mask).view(2, 4, 4)
    nn.init.zeros_(model.decoder_coarse.weight)  # so that the decoder is given the finer map alone
    assert model.decoder_coarse.bias is not None
    nn.init.zeros_(model.decoder_coarse.bias)
    seen: list[Tensor] = []
    for module in (*model.encoder.blocks, model.decoder_body):
        module.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    model(torch.rand(2, 1, 32, 32), masking)
    fine = [x for x in seen if x.shape[-1] >= 4]
    assert len(fine) == 5
    for x in fine:
        assert torch.equal(x, hide(x, visible))
        assert x.any()


def test_reconstruction_keeps_the_visible_patches() -> None:
    model = autoencoder().eval()
    masking = random_masking(2, 16, 0.5, torch.Generator().manual_seed(2))
    images = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        masked, completed = model.reconstruct(images, masking)
    visible = (1 - masking.mask).view(2, 1, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3) > 0
    torch.testing.assert_close(completed[visible], images[visible])
    assert (masked[~visible] == 0.5).all()


def test_it_learns_to_paint() -> None:
    model = autoencoder()
    task = MaeTask(model, augment=Augment(), mask_ratio=0.5)
    ramps = (torch.rand(32, 1, 1, 1) * 100 + torch.linspace(0, 150, 32).view(1, 1, 1, 32)).expand(
        -1, 1, 32, 32
    )
    batch = Batch(images=ramps.to(torch.uint8))
    optimizer = torch.optim.AdamW(task.parameters(), lr=3e-3)
    losses = []
    for step in range(40):
        loss = task.step(batch, torch.Generator().manual_seed(step)).loss
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]


def test_the_encoder_gets_gradients_through_both_maps() -> None:
    model = autoencoder()
    images = torch.rand(4, 1, 32, 32)
    masking = random_masking(4, 16, 0.6, torch.Generator().manual_seed(0))
    loss = masked_loss(model(images, masking), model.target(images), masking.mask)
    loss.backward()  # type: ignore[no-untyped-call]
    last = model.encoder.blocks[-1].parameters()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in last)
    assert model.decoder_fine.weight.grad is not None
    assert model.decoder_fine.weight.grad.abs().sum() > 0
