from copy import deepcopy

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from semisup.cli import UserError
from semisup.layers import layer_features, layer_scales, quadrant_max, read_layers, side_by_side
from semisup.network import (
    Shape,
    new_network,
    read_network,
    set_normalization,
    take_layers,
    write_network,
)
from semisup.networks import declared_networks, network_builder
from semisup.torchvision_models import models

DECLARED = declared_networks()
EXEMPLAR = tuple(name for name, network in DECLARED.items() if network.of_patches)
# Of those of torchvision the smallest stands for all where something is computed: they share their code.
NETWORKS = [name for name in DECLARED if name not in ("resnet50", "wide_resnet50_2")]


def make(network, size=32, channels=3, classes=10, seed=0, **options):
    return new_network(Shape(network, channels, size, classes, options.pop("dropout", 0.5), **options), seed)


def noise(count, size, channels=3, seed=0):
    """Return uint8 (count, channels, size, size)."""
    return np.random.default_rng(seed).integers(0, 256, (count, channels, size, size), dtype=np.uint8)


def pixels(count, size, channels=3, seed=0):
    """Return float32 (count, channels, size, size) in 0..1."""
    return torch.from_numpy(noise(count, size, channels, seed)).float() / 255


def small(network, **options):
    """Return a network for the smallest images that it takes; of an exemplar network, for patches of 8 pixels."""
    size = 8 if network in EXEMPLAR else DECLARED[network].smallest
    return make(network, size, **({"field": size} if network in EXEMPLAR else {}), **options)


# Shapes


@pytest.mark.parametrize(
    ("network", "size", "weights"),
    [
        ("resnet", 96, 3_036_234),
        ("resnet", 32, 3_036_234 - (5**2 - 3**2) * 3 * 64),  # but for the stem
        ("vgg", 96, 2_998_090),
        ("digits", 28, 74_538),
        ("exemplar_small", 32, 633_034),
        ("exemplar_large", 32, 9_423_498),
        ("resnet18", 96, 11_181_642),
        ("resnet50", 96, 23_528_522),
        ("wide_resnet50_2", 96, 66_854_730),
        ("resnet18", 63, 11_181_642 - (7**2 - 3**2) * 3 * 64),
    ],
)
def test_number_of_weights(network, size, weights):
    assert sum(parameter.numel() for parameter in make(network, size).parameters()) == weights


@pytest.mark.parametrize(
    ("network", "size", "channels", "sides"),
    [
        ("resnet", 96, (64, 128, 256, 512), (24, 12, 6, 6)),
        ("resnet", 32, (64, 128, 256, 512), (32, 16, 8, 8)),
        ("resnet", 28, (64, 128, 256, 512), (28, 14, 7, 7)),
        ("vgg", 96, (64, 128, 256, 256), (24, 8, 4, 2)),
        ("digits", 28, (32, 64, 128), (14, 7, 4)),
        ("digits", 9, (32, 64, 128), (4, 2, 1)),
        ("exemplar_small", 32, (64, 64, 128), (16, 8, 1)),
        ("exemplar_small", 96, (64, 64, 128), (48, 24, 17)),
        ("exemplar_large", 96, (64, 128, 256, 512), (48, 24, 24, 17)),
        ("resnet18", 96, (64, 64, 128, 256, 512), (24, 24, 12, 6, 3)),
        ("resnet50", 64, (64, 256, 512, 1024, 2048), (16, 16, 8, 4, 2)),
        ("wide_resnet50_2", 63, (64, 256, 512, 1024, 2048), (63, 63, 32, 16, 8)),
    ],
)
def test_layers(network, size, channels, sides):
    made = make(network, size).to("meta")
    images = torch.empty(2, 3, size, size, device="meta")
    shapes = {name: tuple(value.shape) for name, value in made.activations(images)}
    assert list(shapes) == [name for name, _ in made.layers.named_children()]
    assert list(shapes.values()) == [(2, count, side, side) for count, side in zip(channels, sides, strict=True)]
    assert made(images).shape == (2, 10)


@pytest.mark.parametrize("name", DECLARED)
def test_what_is_read_of_a_network_is_what_it_declares(name):
    build, declared = network_builder(name), DECLARED[name]
    assert (build.smallest, build.of_patches, build.resizable) == declared[1:4]
    assert declared.about == " ".join(build.__doc__.split())


@pytest.mark.parametrize("size", [48, 96])
@pytest.mark.parametrize("name", DECLARED)
def test_sizes_beside_the_one_that_a_network_is_made_for(name, size):
    """It takes all multiples of four from what it declares on, and no others if it declares none."""
    declared = DECLARED[name]
    if size < declared.smallest:
        return
    with torch.device("meta"):
        made = network_builder(name)(Shape(name, 3, size, 10, 0.5))
        for side in range(declared.resizable, size, 4) if declared.resizable else (size // 2,):
            images = torch.empty(2, 3, side, side)
            if declared.resizable:
                assert made(images).shape == (2, 10)
            else:
                with pytest.raises(RuntimeError):
                    made(images)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_scores_are_those_of_torchvision(name):
    """With its weights, from images for which the stem is its own."""
    theirs, ours = getattr(models, name)(num_classes=10), make(name, 64)
    new_names = {"conv1": "layers.stem.0", "bn1": "layers.stem.1", "fc": "head.3"}
    new_names |= {f"layer{number}": f"layers.stage{number}" for number in (1, 2, 3, 4)}
    weights = {}
    for key, value in theirs.state_dict().items():
        first, rest = key.split(".", 1)
        weights[f"{new_names[first]}.{rest}"] = value
    ours.load_state_dict(weights | {"mean": ours.mean, "std": ours.std})
    images = pixels(3, 64)
    with torch.inference_mode():
        torch.testing.assert_close(ours.eval()(images), theirs.eval()(images), rtol=1e-4, atol=1e-5)


def test_hidden_layer_of_the_vgg_sees_1024_values():
    first = next(module for module in make("vgg", 96).head if isinstance(module, nn.Linear))
    assert (first.in_features, first.out_features) == (1024, 256)


@pytest.mark.parametrize("network", DECLARED)
def test_smallest_images(network):
    """That the configuration lets through."""
    size = DECLARED[network].smallest
    assert make(network, size).to("meta")(torch.empty(2, 3, size, size, device="meta")).shape == (2, 10)


@pytest.mark.parametrize("size", range(8, 33))
def test_digits_network_takes_images_of_any_size(size):
    """Where halves are rounded down, its head must have as many inputs as the last layer leaves."""
    assert make("digits", size, channels=1).to("meta")(torch.empty(2, 1, size, size, device="meta")).shape == (2, 10)


def test_digits_network_has_filters_of_5_3_and_2_pixels():
    filters = [module.kernel_size for module in make("digits", 28).modules() if isinstance(module, nn.Conv2d)]
    assert filters == [(5, 5), (3, 3), (2, 2)]


@pytest.mark.parametrize("name", ["resnet", "digits"])
def test_grey_images_of_28_pixels(name):
    network = make(name, 28, channels=1)
    set_normalization(network, noise(4, 28, 1))
    network(pixels(4, 28, 1)).square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


# What a network computes


@pytest.mark.parametrize("network", NETWORKS)
def test_same_seed_same_weights(network):
    first, same, other = (small(network, seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(value, same[name]) for name, value in first.items())
    random = [name for name, value in first.items() if value.ndim > 1 and name not in ("mean", "std")]
    assert not any(torch.equal(first[name], other[name]) for name in random)


def test_first_weights():
    for module in small("resnet").layers.modules():
        if isinstance(module, nn.Conv2d):
            assert module.weight.std().item() == pytest.approx((2 / module.weight[0].numel()) ** 0.5, rel=0.05)
    network = make("exemplar_small", classes=1000)
    assert not any(value.any() for name, value in network.state_dict().items() if name.endswith("bias"))
    assert network.head[-1].weight.std().item() == pytest.approx(0.1 * 128**-0.5, rel=0.01)


@pytest.mark.parametrize("network", [name for name in NETWORKS if name != "resnet18"])  # without pooling at 8 pixels
def test_pooling_before_the_rectifier_is_pooling_after_it(network):
    usual = small(network).eval()
    other, swapped = deepcopy(usual), 0
    for module in other.layers.modules():
        if isinstance(module, nn.Sequential):
            for index in range(len(module) - 1):
                if isinstance(module[index], nn.MaxPool2d):
                    assert isinstance(module[index + 1], nn.ReLU)
                    module[index], module[index + 1] = module[index + 1], module[index]
                    swapped += 1
                    break
    assert swapped >= 2
    images = pixels(3, usual.shape.size)
    with torch.inference_mode():
        assert torch.equal(usual(images), other(images))


@pytest.mark.parametrize("network", NETWORKS)
def test_activations_are_what_the_layers_give(network):
    """Also when they are all kept: no later layer writes into an earlier one's output."""
    made = small(network).eval()
    images = pixels(2, made.shape.size)
    set_normalization(made, noise(5, 8))
    with torch.inference_mode():
        kept = dict(made.activations(images))
        normalized = (images - made.mean) / made.std
        for count, value in enumerate(kept.values(), start=1):
            assert torch.equal(value, made.layers[:count](normalized))
        assert torch.equal(made(images), made.head(value))


@pytest.mark.parametrize("network", EXEMPLAR)
def test_fully_connected_layer_slides_as_a_convolution(network):
    made = make(network, 40, field=16)
    with torch.inference_mode():
        *_, (_, below), (name, full) = made.activations(pixels(2, 40))
        convolution = made.layers.full[0]
        weights = convolution.weight.contiguous().flatten(1)
        assert (name, below.shape[-1], full.shape[-1]) == ("full", 10, 7)
        for top, left in ((0, 0), (2, 5), (6, 6)):
            window = below[:, :, top : top + 4, left : left + 4].flatten(1)
            connected = nn.functional.linear(window, weights, convolution.bias).relu()
            torch.testing.assert_close(full[:, :, top, left], connected, rtol=1e-4, atol=1e-5)


def test_patch_within_an_image_gives_what_the_patch_alone_gives():
    """With a black rim, for which the borders' padding makes no difference."""
    alone, image = make("exemplar_small", 32), make("exemplar_small", 96)
    take_layers(image, alone)
    patch = torch.zeros(1, 3, 32, 32)
    patch[..., 4:28, 4:28] = pixels(1, 24)
    with torch.inference_mode():
        *_, (_, expected) = alone.activations(patch)
        assert (expected > 0).float().mean() > 0.1
        for top, left in ((0, 0), (36, 20), (64, 64)):
            whole = torch.zeros(1, 3, 96, 96)
            whole[..., top : top + 32, left : left + 32] = patch
            *_, (_, full) = image.activations(whole)
            torch.testing.assert_close(full[0, :, top // 4, left // 4], expected.flatten(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("size", "normalization"), [(8, nn.Identity), (24, nn.BatchNorm1d)])
def test_scores_are_of_the_quadrants_of_the_fully_connected_layer(size, normalization):
    """Of a patch, it has a single value, so that there is nothing to pool."""
    made = make("exemplar_small", size, field=8)
    images = pixels(3, size)
    made(images)  # sets the statistics of batch normalisation
    made.eval()
    with torch.inference_mode():
        *_, (_, full) = made.activations(images)
        features = full.flatten(1) if size == 8 else quadrant_max(full)
        assert features.shape[1] == made.head[-1].in_features
        (normalize,) = (module for module in made.head if isinstance(module, normalization))
        torch.testing.assert_close(made(images), made.head[-1](normalize(features)))


# Normalisation, copies and files


@pytest.mark.parametrize("channels", [1, 3])
def test_normalization_is_that_of_numpy(channels):
    images = noise(600, 6, channels)  # more than one block
    images[:, 0] //= 3
    network = make("resnet", 8, channels=channels)
    set_normalization(network, images)
    np.testing.assert_allclose(network.mean.flatten(), (images / 255).mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(network.std.flatten(), (images / 255).std(axis=(0, 2, 3)), rtol=1e-5)


def test_normalization_of_images_that_are_all_the_same():
    network = make("resnet", 8)
    set_normalization(network, np.full((3, 3, 8, 8), 255, np.uint8))
    assert network.std.flatten().tolist() == pytest.approx([1 / 255] * 3)
    assert network(torch.ones(2, 3, 8, 8)).isfinite().all()


def test_layers_are_taken_and_the_head_is_not():
    source = make("exemplar_small", 32, classes=7, seed=1)
    set_normalization(source, noise(9, 8))
    network = make("exemplar_small", 96, classes=10, seed=2)
    head = deepcopy(network.head.state_dict())
    take_layers(network, source)
    for name, value in source.layers.state_dict().items():
        assert torch.equal(network.layers.state_dict()[name], value)
    assert torch.equal(network.mean, source.mean)
    assert torch.equal(network.std, source.std)
    assert all(torch.equal(value, head[name]) for name, value in network.head.state_dict().items())
    with torch.no_grad():
        source.layers.full[0].bias.fill_(5)
    assert not network.layers.full[0].bias.any(), "nothing is shared"


@pytest.mark.parametrize("other", [{"network": "exemplar_large"}, {"channels": 1}, {"field": 16}])
def test_layers_of_another_network_are_not_taken(other):
    with pytest.raises(RuntimeError, match=r"size mismatch|Unexpected key"):
        take_layers(make("exemplar_small"), make(**{"network": "exemplar_small", **other}))


@pytest.mark.parametrize("network", NETWORKS)
def test_file_gives_the_network_back(network, tmp_path):
    written = small(network, classes=4)
    images = pixels(6, written.shape.size)
    set_normalization(written, noise(9, 8))
    written(images)  # sets the statistics of batch normalisation
    with h5py.File(tmp_path / "network.h5", "w") as file:
        write_network(file.create_group("network"), written)
    with h5py.File(tmp_path / "network.h5") as file:
        found = read_network(file["network"])
    assert found.shape == written.shape
    assert [type(value) for value in found.shape] == [type(value) for value in written.shape]
    assert list(found.state_dict()) == list(written.state_dict())
    with torch.inference_mode():
        assert torch.equal(found.eval()(images), written.eval()(images))


# Features of layers


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 2), (6, 4), (7, 5), (17, 17)])
def test_largest_of_each_quadrant(height, width):
    values = torch.randn(3, 4, height, width, generator=torch.Generator().manual_seed(0))
    rows = (slice(0, -(-height // 2)), slice(height // 2, height))
    columns = (slice(0, -(-width // 2)), slice(width // 2, width))
    expected = [
        [channel[row, column].max() for channel in image for row in rows for column in columns]
        for image in values.numpy()
    ]
    np.testing.assert_array_equal(quadrant_max(values), expected)


def test_features_of_every_layer():
    network = make("exemplar_small", 16, field=8)
    set_normalization(network, noise(9, 8))
    images = noise(7, 16)
    blocks = layer_features(iter([images[:4], images[4:]]), network, "float32")
    found = []
    for features in blocks:
        assert not torch.is_inference_mode_enabled(), "what the reader of the blocks does is its own affair"
        found.append(features)
    assert not network.training
    with torch.inference_mode():
        for name, value in network.activations(torch.from_numpy(images).float() / 255):
            features = np.concatenate([block[name] for block in found])
            assert features.dtype == np.float32
            np.testing.assert_allclose(features, quadrant_max(value), rtol=1e-4, atol=1e-5)


def test_scales_are_percentiles_of_layers():
    rng = np.random.default_rng(0)
    features = {"a": rng.random((50, 8), np.float32), "b": 100 * rng.random((50, 4), np.float32)}
    features["dead"] = np.zeros((50, 4), np.float32)
    scale = layer_scales(features)
    assert scale.dtype == np.float32
    np.testing.assert_allclose(scale[:8], np.percentile(features["a"], 99.99), rtol=1e-6)
    np.testing.assert_allclose(scale[8:12], np.percentile(features["b"], 99.99), rtol=1e-6)
    scaled = side_by_side(features, scale)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled[:, 8:12], features["b"] / scale[8])
    assert not scaled[:, 12:].any(), "a layer that is silent stays so"


def test_layers_are_read_in_the_order_of_the_network(tmp_path):
    names = ["stem", "block", "a last one"]
    with h5py.File(tmp_path / "layers.h5", "w") as file:
        file.attrs["layers"] = names
        for number, name in enumerate(names):
            file[f"{name}/test"] = np.full((2, 4), number, np.float32)
    layers = read_layers(tmp_path / "layers.h5", "test")
    assert [(name, values[0, 0]) for name, values in layers.items()] == [(name, i) for i, name in enumerate(names)]


@pytest.mark.parametrize(("name", "size", "smallest"), [("resnet", 6, 8), ("vgg", 32, 48), ("exemplar_small", 28, 32)])
def test_images_too_small_for_the_layers(name, size, smallest):
    with pytest.raises(UserError, match=rf"images of {size} pixels are too small for the network {name}.*{smallest}"):
        new_network(Shape(name, 3, size, 10, 0.0), seed=0)
