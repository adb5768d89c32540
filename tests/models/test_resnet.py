import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.models.resnet import ResNet, ResNetConfig, hide

SMALL = ResNetConfig(image_size=32, widths=(8, 12, 16, 24), depths=(1, 1, 2, 1))


def encoder(config: ResNetConfig = SMALL) -> ResNet:
    torch.manual_seed(0)
    network = ResNet(config).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.1)
    return network


def test_maps_have_the_resolutions_that_the_strides_say() -> None:
    fine, coarse = encoder().maps(torch.rand(2, 1, 32, 32))
    assert fine.shape == (2, 16, 4, 4)
    assert coarse.shape == (2, 24, 2, 2)


def test_feature_is_the_mean_of_the_last_map() -> None:
    network, images = encoder(), torch.rand(3, 1, 32, 32)
    torch.testing.assert_close(network(images), network.maps(images)[1].mean(dim=(2, 3)))
    assert network(images).shape == (3, network.config.width)


def test_every_convolution_learns_from_the_first_step() -> None:
    torch.manual_seed(0)
    network = ResNet(SMALL)
    network(torch.rand(4, 1, 32, 32)).square().sum().backward()
    still = [
        name for name, p in network.named_parameters() if p.ndim == 4 and (p.grad is None or not p.grad.any())
    ]
    assert not still


def test_hidden_pixels_never_reach_the_maps() -> None:
    network = encoder()
    visible = torch.ones(1, 4, 4)
    visible[0, 1, 2] = 0
    images = torch.rand(1, 1, 32, 32)
    changed = images.clone()
    changed[..., 8:16, 16:24] = torch.rand(8, 8)
    with torch.no_grad():
        before, after = network.maps(images, visible), network.maps(changed, visible)
        seen = network.maps(images), network.maps(changed)
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])
    assert not torch.allclose(seen[0][1], seen[1][1])


@given(grid=st.integers(1, 5), factor=st.integers(1, 4), seed=st.integers(0, 999))
@settings(max_examples=25, deadline=None)
def test_hide_empties_whole_patches_and_leaves_the_rest(grid: int, factor: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    visible = torch.randint(0, 2, (2, grid, grid), generator=generator).float()
    x = torch.rand(2, 3, grid * factor, grid * factor, generator=generator) + 1
    hidden = hide(x, visible)
    for b, row, column in torch.cartesian_prod(torch.arange(2), torch.arange(grid), torch.arange(grid)):
        rows = slice(int(row) * factor, (int(row) + 1) * factor)
        columns = slice(int(column) * factor, (int(column) + 1) * factor)
        expected = x[b, :, rows, columns] * visible[b, row, column]
        assert torch.equal(hidden[b, :, rows, columns], expected)


def test_maps_coarser_than_the_patches_stay() -> None:
    x = torch.rand(1, 2, 2, 2)
    assert hide(x, torch.zeros(1, 4, 4)) is x


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 40}, "multiple of the total stride 16; the next ones are 32 and 48"),
        ({"patch_size": 12}, "power of two"),
        ({"patch_size": 32}, "power of two from 2 to the total stride 16"),
        ({"depths": (1, 1)}, "one positive number a stage"),
        ({"channels": 3}, "need 3 values each"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResNetConfig(**changes)  # type: ignore[arg-type]


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(1, 48, 48\), this encoder takes \(1, 32, 32\)"):
        encoder()(torch.rand(1, 1, 48, 48))


@pytest.mark.parametrize("side", [16, 32])
def test_smaller_images_are_taken_while_training(side: int) -> None:
    assert encoder().train()(torch.rand(2, 1, side, side)).shape == (2, 24)


@pytest.mark.parametrize("shape", [(1, 1, 24, 24), (1, 1, 16, 32), (1, 1, 48, 48), (1, 3, 16, 16)])
def test_other_images_are_refused_while_training_too(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="this encoder takes"):
        encoder().train()(torch.rand(shape))


def test_smaller_images_are_refused_in_evaluation() -> None:
    with pytest.raises(ValueError, match="this encoder takes"):
        encoder().eval()(torch.rand(1, 1, 16, 16))


def test_drop_path_rates_rise_from_nothing_to_the_last_block() -> None:
    network = ResNet(ResNetConfig(image_size=32, widths=(8, 8), depths=(2, 3), patch_size=4, drop_path=0.4))
    rates = [getattr(block.drop_path, "drop_prob", 0.0) for block in network.blocks]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_drop_path_is_quiet_in_evaluation() -> None:
    config = ResNetConfig(image_size=32, widths=(8, 8), depths=(2, 2), patch_size=4, drop_path=0.5)
    network, images = encoder(config), torch.rand(4, 1, 32, 32)
    torch.testing.assert_close(network(images), network(images))
    network.train()
    assert not torch.allclose(network(images), network(images))
