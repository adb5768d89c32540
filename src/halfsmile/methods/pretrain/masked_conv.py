"""Stage I for convolutional encoders: hidden patches stay empty in the maps, and a light decoder paints them.

SimMIM (Xie et al. 2021, arXiv 2111.09886) masks the input of any encoder and predicts pixels with a light
head; SparK (Tian et al. 2023, arXiv 2301.03580) keeps hidden places empty at every scale of a convolutional
network, as its sparse convolutions do, and joins the scales in the decoder. Masking, target and loss are
those of :mod:`halfsmile.methods.pretrain.mae`.
"""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.methods.pretrain.mae import Autoencoder, MaskedAutoencoder, Masking
from halfsmile.models.encoder import Encoder
from halfsmile.models.face_network import FaceNetwork
from halfsmile.models.resnet import ResNet, hide
from halfsmile.models.winograd import Conv3x3


class MaskedConvAutoencoder(Autoencoder):
    """Residual network over visible patches, and a decoder of two convolutions on the patch grid.

    The coarse last map is spread over the grid (sub-pixel convolution, arXiv 1609.05158) and added to the
    finer one, whose hidden places are empty.

    Args:
        encoder: The network to pre-train.
        decoder_width: Channels of the decoder.
        decoder_depth: Its 3×3 convolutions.
        normalize_target: Standardize each target patch by its own mean and (unbiased) variance.
    """

    encoder: ResNet

    def __init__(
        self,
        encoder: ResNet,
        *,
        decoder_width: int = 128,
        decoder_depth: int = 2,
        normalize_target: bool = True,
    ) -> None:
        super().__init__(encoder, normalize_target=normalize_target)
        config = encoder.config
        self.spread = config.stride // config.patch_size
        at_grid = config.widths[round(math.log2(config.patch_size)) - 1]
        self.decoder_coarse = nn.Conv2d(config.width, decoder_width * self.spread**2, 1)
        self.decoder_fine = nn.Conv2d(at_grid, decoder_width, 1)
        layers: list[nn.Module] = []
        for _ in range(decoder_depth):
            layers += [Conv3x3(decoder_width, decoder_width), nn.BatchNorm2d(decoder_width), nn.ReLU()]
        self.decoder_body = nn.Sequential(*layers)
        self.decoder_pred = nn.Conv2d(decoder_width, config.patch_size**2 * config.channels, 1)

    def forward(self, images: Tensor, masking: Masking) -> Tensor:
        """Painted patches (B, N, p² · C) of images (B, C, H, W) in [0, 1]."""
        grid = self.encoder.config.grid
        visible = (1 - masking.mask).view(-1, grid, grid)
        fine, coarse = self.encoder.maps(images, visible)
        x = F.pixel_shuffle(self.decoder_coarse(coarse), self.spread)
        x = x + hide(self.decoder_fine(fine), visible)
        return self.decoder_pred(self.decoder_body(x)).flatten(2).transpose(1, 2)  # type: ignore[no-any-return]


def build_autoencoder(
    encoder: Encoder,
    *,
    decoder_width: int,
    decoder_depth: int,
    decoder_heads: int,
    normalize_target: bool,
) -> Autoencoder:
    """The autoencoder that fits an encoder, with a new decoder.

    Args:
        encoder: The network to pre-train; the autoencoder trains it in place.
        decoder_width: Token dimension of a Transformer's decoder (MAE: 512), channels of a convolutional one.
        decoder_depth: Blocks (MAE: 8), or 3×3 convolutions.
        decoder_heads: Attention heads (MAE: 16); convolutional decoders have none and ignore it.
        normalize_target: Standardize each target patch by its own mean and variance.

    Raises:
        ValueError: If the encoder is the face network, which is not pre-trained by masking.
    """
    if isinstance(encoder, FaceNetwork):
        raise ValueError(
            "The face network has seen enough faces and is not pre-trained by masking. Leave Stage I out: "
            "--init face."
        )
    if isinstance(encoder, ResNet):
        return MaskedConvAutoencoder(
            encoder,
            decoder_width=decoder_width,
            decoder_depth=decoder_depth,
            normalize_target=normalize_target,
        )
    return MaskedAutoencoder(
        encoder,
        decoder_width=decoder_width,
        decoder_depth=decoder_depth,
        decoder_heads=decoder_heads,
        normalize_target=normalize_target,
    )
