from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from halfsmile.methods.pretrain.mae import MaeTask, MaskedAutoencoder, masked_loss, random_masking
from halfsmile.methods.task import Batch
from halfsmile.models.vit import VisionTransformer
from halfsmile.models.vit_config import VitConfig
from halfsmile.transforms.augment import NONE, WEAK

CONFIG = VitConfig(
    image_size=16, patch_size=4, channels=1, width=16, depth=1, heads=2, mean=(0.5,), std=(0.25,)
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def autoencoder(*, decoder_depth: int = 1, normalize_target: bool = True) -> MaskedAutoencoder:
    torch.manual_seed(0)
    return MaskedAutoencoder(
        VisionTransformer(CONFIG),
        decoder_width=16,
        decoder_depth=decoder_depth,
        decoder_heads=2,
        normalize_target=normalize_target,
    )


@given(st.integers(2, 64), st.floats(0.05, 0.95), st.integers(0, 100))
def test_masking_keeps_exactly_its_share_and_restores_the_order(
    patches: int, ratio: float, seed: int
) -> None:
    visible = int(patches * (1 - ratio))
    if not 0 < visible < patches:
        with pytest.raises(ValueError, match="visible"):
            random_masking(3, patches, ratio, generator(seed))
        return
    masking = random_masking(3, patches, ratio, generator(seed))
    assert masking.keep.shape == (3, visible)
    assert masking.mask.sum(dim=1).tolist() == [patches - visible] * 3
    assert (masking.mask.gather(1, masking.keep) == 0).all()
    tokens = torch.arange(patches).repeat(3, 1)
    shuffled = torch.cat([masking.keep, torch.full((3, patches - visible), -1)], dim=1)
    restored = shuffled.gather(1, masking.restore)
    assert torch.equal(restored == tokens, masking.mask == 0)


def test_masks_differ_between_images_and_follow_the_generator() -> None:
    first, second = random_masking(8, 16, 0.75, generator(1)), random_masking(8, 16, 0.75, generator(1))
    assert torch.equal(first.mask, second.mask)
    assert len({tuple(row) for row in first.mask.tolist()}) > 4


def test_every_patch_is_hidden_equally_often() -> None:
    share = random_masking(8000, 16, 0.75, generator()).mask.mean(dim=0)
    torch.testing.assert_close(share, torch.full((16,), 0.75), atol=0.03, rtol=0)


def test_loss_sees_hidden_patches_only() -> None:
    target = torch.randn(2, 16, 4, generator=generator())
    mask = random_masking(2, 16, 0.75, generator()).mask
    painted = target + (1 - mask).unsqueeze(-1) * 100
    assert float(masked_loss(painted, target, mask)) == 0.0
    assert float(masked_loss(target + 2 * mask.unsqueeze(-1), target, mask)) == pytest.approx(4.0)


def test_normalized_targets_are_standardized_per_patch() -> None:
    images = torch.rand(2, 1, 16, 16, generator=generator())
    target = autoencoder().target(images)
    torch.testing.assert_close(target.mean(dim=-1), torch.zeros(2, 16), atol=1e-5, rtol=0)
    torch.testing.assert_close(target.var(dim=-1), torch.ones(2, 16), atol=1e-3, rtol=0)
    raw = autoencoder(normalize_target=False).target(images)
    torch.testing.assert_close(raw[0, 0], ((images[0, 0, :4, :4] - 0.5) / 0.25).flatten())


def test_painting_never_uses_hidden_pixels() -> None:
    model = autoencoder().eval()
    images = torch.rand(2, 1, 16, 16, generator=generator())
    masking = random_masking(2, 16, 0.75, generator())
    hidden = masking.mask.view(2, 1, 4, 4).repeat_interleave(4, 2).repeat_interleave(4, 3)
    changed = torch.where(hidden.bool(), torch.rand(images.shape, generator=generator(9)), images)
    torch.testing.assert_close(model(images, masking), model(changed, masking))


def test_reconstructions_keep_what_was_visible() -> None:
    model = autoencoder().eval()
    images = torch.rand(2, 1, 16, 16, generator=generator())
    masking = random_masking(2, 16, 0.75, generator())
    with torch.no_grad():
        masked, completed = model.reconstruct(images, masking)
    visible = (1 - masking.mask).view(2, 1, 4, 4).repeat_interleave(4, 2).repeat_interleave(4, 3).bool()
    torch.testing.assert_close(completed[visible], images[visible])
    torch.testing.assert_close(masked[visible], images[visible])
    assert (masked[~visible] == 0.5).all()


def test_what_is_painted_right_gives_the_picture_back(monkeypatch: pytest.MonkeyPatch) -> None:
    model = autoencoder().eval()
    images = torch.rand(2, 1, 16, 16, generator=generator())
    monkeypatch.setattr(model, "forward", lambda pictures, _: model.target(pictures))
    _, completed = model.reconstruct(images, random_masking(2, 16, 0.75, generator()))
    torch.testing.assert_close(completed, images, atol=1e-5, rtol=0)


def test_a_decoder_without_blocks_paints_each_patch_from_its_own_token_and_place() -> None:
    model = autoencoder(decoder_depth=0).eval()
    source = generator(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=source))
    images, masking = torch.rand(2, 1, 16, 16, generator=source), random_masking(2, 16, 0.6, source)
    painted, encoder = model(images, masking), model.encoder
    visible = model.decoder_embed(encoder.norm(encoder.tokens(images, masking.keep)))[:, 1:]
    for image in range(2):
        for patch in range(16):
            found = (masking.keep[image] == patch).nonzero()
            token = visible[image, int(found)] if len(found) else model.mask_token[0, 0]
            placed = token + model.decoder_pos_embed[0, 1 + patch]
            expected = model.decoder_pred(model.decoder_norm(placed))
            torch.testing.assert_close(painted[image, patch], expected)


def test_a_step_is_the_loss_of_the_hidden_patches_of_a_view() -> None:
    model = autoencoder().eval()
    faces = torch.randint(0, 256, (3, 1, 16, 16), generator=generator()).to(torch.uint8)
    loss = MaeTask(model, augment=WEAK, mask_ratio=0.6).step(Batch(images=faces), generator(3)).loss
    source = generator(3)
    views = WEAK(faces, out_size=16, generator=source).images
    masking = random_masking(3, 16, 0.6, source)
    expected = masked_loss(model(views, masking), model.target(views), masking.mask)
    torch.testing.assert_close(loss, expected)


def test_training_lowers_the_loss() -> None:
    model = autoencoder()
    task = MaeTask(model, augment=NONE).train()
    ramp = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).repeat(16, 1, 1, 1)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for step in range(60):
        loss = task.step(Batch(images=ramp), generator(step)).loss
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) < 0.3 * sum(losses[:5])


def test_positions_are_fixed() -> None:
    model = autoencoder()
    assert not model.encoder.pos_embed.requires_grad
    assert "decoder_pos_embed" not in dict(model.named_parameters())
