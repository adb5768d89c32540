"""Stage I: masked autoencoder on unlabeled faces.

He et al. 2021, "Masked Autoencoders Are Scalable Vision Learners" (arXiv 2111.06377): three quarters of the
patches are hidden, the encoder sees the others only, a light decoder paints the hidden ones, and the loss is
the squared error there. SSFER (arXiv 2410.17622) pre-trains so on face-recognition images, with raw pixels as
the target; normalizing each patch's pixels is MAE's better variant.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from halfsmile.methods.task import Batch, StepResult, Task
from halfsmile.models.patches import init_weights, patchify, sincos_positions, unpatchify
from halfsmile.models.resnet import ResNet
from halfsmile.models.vit import Block, VisionTransformer
from halfsmile.transforms.augment import Augment


@dataclass(frozen=True)
class Masking:
    """Which patches are hidden.

    Args:
        keep: (B, V) int64, indices of the visible patches, in random order.
        mask: (B, N) float, 1 where hidden.
        restore: (B, N) int64, for each patch its place in the shuffled order, visible ones first.
    """

    keep: Tensor
    mask: Tensor
    restore: Tensor


def random_masking(batch: int, num_patches: int, ratio: float, generator: torch.Generator) -> Masking:
    """Hide exactly ``num_patches − int(num_patches · (1 − ratio))`` patches of each image, at random.

    Args:
        batch: Number of images B.
        num_patches: N of each, ``encoder.config.num_patches``.
        ratio: Share of hidden patches, in (0, 1); MAE's is 0.75.
        generator: Of the choice, which is on its device.

    Raises:
        ValueError: If the ratio leaves no visible or no hidden patch.

    Example:
        >>> masking = random_masking(2, 16, 0.75, torch.Generator().manual_seed(0))
        >>> masking.keep.shape, masking.mask.sum(dim=1).tolist()
        (torch.Size([2, 4]), [12.0, 12.0])
    """
    visible = int(num_patches * (1 - ratio))
    if not 0 < visible < num_patches:
        raise ValueError(
            f"mask_ratio {ratio} leaves {visible} of {num_patches} patches visible; at least one patch must "
            "be visible and one hidden."
        )
    noise = torch.rand(batch, num_patches, generator=generator, device=generator.device)
    order = noise.argsort(dim=1)
    restore = order.argsort(dim=1)
    return Masking(order[:, :visible], (restore >= visible).float(), restore)


class Autoencoder(nn.Module):
    """Paints the hidden patches of a face; what its kinds share.

    The encoder is trained along and is what is kept;
    :func:`~halfsmile.methods.pretrain.masked_conv.build_autoencoder` makes the kind that fits it.

    Args:
        encoder: The network to pre-train.
        normalize_target: Standardize each target patch by its own mean and (unbiased) variance.
    """

    def __init__(self, encoder: VisionTransformer | ResNet, *, normalize_target: bool = True) -> None:
        super().__init__()
        self.encoder = encoder
        self.normalize_target = normalize_target

    def target(self, images: Tensor) -> Tensor:
        """What the decoder shall paint: (B, N, p² · C), from images (B, C, H, W) in [0, 1]."""
        patches = patchify(self.encoder.normalize(images), self.encoder.config.patch_size)
        if self.normalize_target:
            variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
            patches = (patches - mean) / (variance + 1e-6).sqrt()
        return patches

    def forward(self, images: Tensor, masking: Masking) -> Tensor:
        """Painted patches (B, N, p² · C) of images (B, C, H, W) in [0, 1]."""
        raise NotImplementedError

    def reconstruct(self, images: Tensor, masking: Masking) -> tuple[Tensor, Tensor]:
        """Pictures for people: the masked input and the completed one, both (B, C, H, W) in [0, 1].

        Give it faces as they are, (B, C, H, W) in [0, 1], evaluation mode, and no gradients.
        With a normalized target the painted patches get the mean and variance of the true ones back, as MAE's
        own demonstration does; their contrast is therefore borrowed from the truth.
        """
        p, channels = self.encoder.config.patch_size, self.encoder.config.channels
        truth = patchify(self.encoder.normalize(images), p)
        painted = self(images, masking).float()
        if self.normalize_target:
            variance, mean = torch.var_mean(truth, dim=-1, keepdim=True)
            painted = painted * (variance + 1e-6).sqrt() + mean
        hidden = masking.mask.unsqueeze(-1)
        completed = unpatchify(truth * (1 - hidden) + painted * hidden, p, channels)
        completed = completed * self.encoder.get_buffer("std") + self.encoder.get_buffer("mean")
        shown = unpatchify((1 - hidden).expand_as(truth).contiguous(), p, channels)
        return images * shown + 0.5 * (1 - shown), completed.clamp(0, 1)


class MaskedAutoencoder(Autoencoder):
    """Transformer encoder over visible patches and decoder over all, with MAE's parameter names.

    Args:
        encoder: The network to pre-train.
        decoder_width: Token dimension of the decoder.
        decoder_depth: Its number of blocks.
        decoder_heads: Its attention heads.
        normalize_target: Standardize each target patch by its own mean and (unbiased) variance.

    Example:
        >>> from halfsmile.models.vit_config import VitConfig
        >>> encoder = VisionTransformer(VitConfig(image_size=32, patch_size=8, width=32, depth=2, heads=2))
        >>> model = MaskedAutoencoder(encoder, decoder_width=16, decoder_depth=1, decoder_heads=2)
        >>> faces = torch.rand(2, 3, 32, 32)
        >>> masking = random_masking(2, encoder.config.num_patches, 0.75, torch.Generator().manual_seed(0))
        >>> painted = model(faces, masking)
        >>> painted.shape, masked_loss(painted, model.target(faces), masking.mask).shape
        (torch.Size([2, 16, 192]), torch.Size([]))
    """

    encoder: VisionTransformer
    decoder_pos_embed: Tensor

    def __init__(
        self,
        encoder: VisionTransformer,
        *,
        decoder_width: int = 512,
        decoder_depth: int = 8,
        decoder_heads: int = 16,
        normalize_target: bool = True,
    ) -> None:
        super().__init__(encoder, normalize_target=normalize_target)
        config = encoder.config
        encoder.pos_embed.requires_grad_(False)
        self.decoder_embed = nn.Linear(config.width, decoder_width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder_width))
        self.register_buffer(
            "decoder_pos_embed", sincos_positions(decoder_width, config.grid), persistent=False
        )
        self.decoder_blocks = nn.ModuleList(Block(decoder_width, decoder_heads) for _ in range(decoder_depth))
        self.decoder_norm = nn.LayerNorm(decoder_width, eps=1e-6)
        self.decoder_pred = nn.Linear(decoder_width, config.patch_size**2 * config.channels)
        for module in (self.decoder_embed, self.decoder_blocks, self.decoder_pred):
            module.apply(init_weights)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(self, images: Tensor, masking: Masking) -> Tensor:
        """Painted patches (B, N, p² · C) of images (B, C, H, W) in [0, 1]."""
        encoder = self.encoder
        visible = self.decoder_embed(encoder.norm(encoder.tokens(images, masking.keep)))
        hidden = self.mask_token.expand(len(images), masking.mask.shape[1] - masking.keep.shape[1], -1)
        patches = torch.cat([visible[:, 1:], hidden.to(visible.dtype)], dim=1)
        patches = patches.gather(1, masking.restore.unsqueeze(-1).expand(-1, -1, patches.shape[-1]))
        x = torch.cat([visible[:, :1], patches], dim=1) + self.decoder_pos_embed
        for block in self.decoder_blocks:
            x = block(x)
        return self.decoder_pred(self.decoder_norm(x))[:, 1:]  # type: ignore[no-any-return]


def masked_loss(painted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error per patch, averaged over the hidden patches (MAE, section 3): a scalar.

    Args:
        painted: (B, N, P) of the autoencoder, P = p² · C values a patch.
        target: (B, N, P), see :meth:`Autoencoder.target`.
        mask: (B, N), 1 where hidden.
    """
    per_patch = (painted.float() - target.float()).square().mean(dim=-1)
    return (per_patch * mask).sum() / mask.sum()


class MaeTask(Task):
    """Pre-training step: augment, hide, paint, compare.

    Args:
        model: The autoencoder.
        augment: View of the unlabeled faces.
        mask_ratio: Share of hidden patches.
    """

    model: Autoencoder

    def __init__(self, model: Autoencoder, *, augment: Augment, mask_ratio: float = 0.75) -> None:
        super().__init__(model)
        self.augment = augment
        self.mask_ratio = mask_ratio

    def step(self, batch: Batch, generator: torch.Generator) -> StepResult:
        """Reconstruction loss of ``batch.images``, (B, C, H, W) uint8 of any size."""
        config = self.model.encoder.config
        images = self.augment(batch.images, out_size=config.image_size, generator=generator).images
        masking = random_masking(len(images), config.num_patches, self.mask_ratio, generator)
        return StepResult(masked_loss(self.model(images, masking), self.model.target(images), masking.mask))
