import colorsys
import json

import h5py
import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

import make_surrogates
from fixtures_kmeans import command_line, write_striped_dataset
from semisup.cli import UserError
from semisup.constants import TRANSFORMATIONS
from semisup.surrogates import (
    Parameters,
    Ranges,
    change_colors,
    cut_patches,
    draw_corners,
    draw_parameters,
    gradient_energy,
    principal_colors,
    remake_patches,
    scale_components,
    select_parameters,
    transform_patches,
)

GEOMETRY = ("rotation", "translation", "scale")
RANGES = Ranges(
    rotation=20.0,
    translation=0.2,
    scale=(0.7, 1.4),
    pca_contrast=(0.5, 2.0),
    color_power=(0.25, 4.0),
    color_factor=(0.7, 1.4),
    color_offset=0.1,
    hue=0.1,
)


def noise(count, channels, height, width, seed=0):
    """Return uint8 (count, channels, height, width)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, channels, height, width), dtype=torch.uint8, generator=generator)


def drawn(count, transformations=TRANSFORMATIONS, ranges=RANGES, seed=0):
    return draw_parameters(count, transformations, ranges, np.random.default_rng(seed))


def parameters_with(count, **changes):
    """Return parameters that change nothing, but for those that are given as a number or a list."""
    neutral = drawn(count, ())
    columns = {name: torch.tensor(value, dtype=torch.float32).expand(count) for name, value in changes.items()}
    return neutral._replace(**columns)


def corners(count, height, width, size, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, height - size + 1, count), rng.integers(0, width - size + 1, count)


# Drawing


@pytest.mark.parametrize(("channels", "height", "width", "size"), [(1, 9, 12, 4), (3, 10, 7, 5), (3, 8, 8, 8)])
def test_energy_is_the_mean_squared_gradient_of_each_window(channels, height, width, size):
    images = noise(2, channels, height, width)
    found = gradient_energy(images, size).numpy()
    assert found.shape == (2, height - size + 1, width - size + 1)
    for image, energy in zip(images.double().numpy(), found, strict=True):
        grey = image.mean(axis=0)
        for top, left in np.ndindex(energy.shape):
            total = 0.0
            for y in range(top, top + size):
                for x in range(left, left + size):
                    down = grey[y + 1, x] - grey[y, x] if y + 1 < height else 0
                    right = grey[y, x + 1] - grey[y, x] if x + 1 < width else 0
                    total += down**2 + right**2
            assert energy[top, left] == pytest.approx(total / size**2, rel=1e-5)


def test_energy_sampling_draws_in_proportion_to_the_energy():
    """Evenly spaced instead of random numbers make frequencies equal to probabilities."""
    count, size = 20_000, 5
    image = noise(1, 3, 9, 8) // 4
    image[:, :, 5:, 4:] *= 4
    uniforms = (np.arange(count) + 0.5) / count
    top, left = draw_corners(image.expand(count, -1, -1, -1), size, "energy", uniforms)
    energy = gradient_energy(image, size)[0].double().numpy()
    frequencies = np.zeros_like(energy)
    np.add.at(frequencies, (top, left), 1 / count)
    np.testing.assert_allclose(frequencies, energy / energy.sum(), atol=1.01 / count)


def test_energy_sampling_prefers_the_textured_half():
    images = torch.full((400, 3, 24, 24), 90, dtype=torch.uint8)
    images[:, :, :, 12:] = noise(400, 3, 24, 12)
    uniforms = np.random.default_rng(0).random(400)
    means = {name: draw_corners(images, 6, name, uniforms)[1].mean() for name in ("uniform", "energy")}
    assert means["uniform"] == pytest.approx(9, abs=1)
    assert means["energy"] > 12.5
    # The border between the halves has a gradient too, so a patch needs to touch it.
    assert draw_corners(images, 6, "energy", uniforms)[1].min() >= 12 - 6


@pytest.mark.parametrize("sampling", ["uniform", "energy"])
def test_blank_images_are_sampled_uniformly(sampling):
    images = torch.full((30, 3, 9, 10), 7, dtype=torch.uint8)
    top, left = draw_corners(images, 5, sampling, np.arange(30) / 30)
    assert sorted(zip(top.tolist(), left.tolist(), strict=True)) == [(y, x) for y in range(5) for x in range(6)]


def test_cut_patches_are_slices():
    images = noise(6, 3, 11, 9)
    top, left = corners(6, 11, 9, 4)
    for image, y, x, patch in zip(images, top, left, cut_patches(images, top, left, 4), strict=True):
        assert torch.equal(patch, image[:, y : y + 4, x : x + 4])


def test_ranges():
    count = 40_000
    values = {name: column.double().numpy() for name, column in drawn(count)._asdict().items()}
    assert values["pca_contrast"].shape == (count, 3)
    limits = {"rotation": 20, "translation_x": 0.2, "translation_y": 0.2, "hue": 0.1}
    limits |= {"saturation_offset": 0.1, "value_offset": 0.1}
    for name, limit in limits.items():
        quantiles = np.quantile(values[name], [0, 0.25, 0.5, 0.75, 1]) / limit
        np.testing.assert_allclose(quantiles, [-1, -0.5, 0, 0.5, 1], atol=0.03)
        assert np.abs(values[name]).max() <= limit * (1 + 1e-6)
    factors = {"scale": (0.7, 1.4), "pca_contrast": (0.5, 2)}
    factors |= {f"{name}_power": (0.25, 4) for name in ("saturation", "value")}
    factors |= {f"{name}_factor": (0.7, 1.4) for name in ("saturation", "value")}
    for name, (low, high) in factors.items():
        quantiles = np.quantile(np.log(values[name]), [0, 0.25, 0.5, 0.75, 1])
        np.testing.assert_allclose(quantiles, np.linspace(np.log(low), np.log(high), 5), atol=0.03)
        assert values[name].min() >= low * (1 - 1e-6)
        assert values[name].max() <= high * (1 + 1e-6)
    assert limits.keys() | factors.keys() == set(Parameters._fields)


def test_every_parameter_is_drawn_independently():
    columns = np.concatenate([column.reshape(5000, -1).numpy() for column in drawn(5000)], axis=1)
    correlations = np.corrcoef(columns.T) - np.eye(columns.shape[1])
    assert np.abs(correlations).max() < 0.06
    following = [np.corrcoef(column[:-1], column[1:])[0, 1] for column in columns.T]
    assert np.abs(following).max() < 0.06
    assert all(len(np.unique(column)) > 4900 for column in columns.T)


@pytest.mark.parametrize("left_out", TRANSFORMATIONS)
def test_leaving_one_out_changes_no_other(left_out):
    full = drawn(50)
    part = drawn(50, [name for name in TRANSFORMATIONS if name != left_out])
    own = {
        "translation": ("translation_x", "translation_y"),
        "color_contrast": tuple(name for name in Parameters._fields if name.startswith(("saturation", "value"))),
    }.get(left_out, (left_out,))
    for name in Parameters._fields:
        if name in own:
            neutral = 1 if name == "scale" or name.endswith(("contrast", "power", "factor")) else 0
            assert getattr(part, name).unique().tolist() == [neutral]
        else:
            assert torch.equal(getattr(part, name), getattr(full, name))


# Geometry


@pytest.mark.parametrize("channels", [1, 3])
def test_geometry_like_scipy(channels):
    """The window often leaves the image. scipy calls the reflection about the outer edge of the border `reflect`."""
    size, count, per_image = 8, 4, 25
    images = noise(count, channels, 20, 27)
    top, left = corners(count, 20, 27, size)
    ranges = RANGES._replace(rotation=180.0, translation=0.6, scale=(0.4, 2.5))
    parameters = drawn(count * per_image, GEOMETRY, ranges)
    found = transform_patches(images, top, left, size, parameters, GEOMETRY, None).numpy()
    assert found.shape == (count * per_image, channels, size, size)
    # Positions as complex numbers, so that a rotation is a product.
    steps = np.arange(size) - (size - 1) / 2
    offsets = steps[None, :] + 1j * steps[:, None]
    wrong = 0
    for index, patch in enumerate(found):
        angle, right, down, scale = (float(column[index]) for column in parameters[:4])
        y, x = top[index // per_image], left[index // per_image]
        middle = x + (size - 1) / 2 + size * right + 1j * (y + (size - 1) / 2 + size * down)
        places = middle + offsets / scale * np.exp(1j * np.radians(angle))
        for plane, result in zip(images[index // per_image].numpy(), patch, strict=True):
            exact = map_coordinates(plane.astype(float), [places.imag, places.real], order=1, mode="reflect")
            assert np.abs(exact - result).max() < 0.51
            wrong += (np.round(exact) != result).sum()
    assert wrong < found.size / 1000


def test_whole_pixels_are_slices():
    image = noise(1, 3, 30, 30)
    for down, right in [(0, 0), (3, -2), (-10, 12), (-5, -5)]:
        moved = parameters_with(1, translation_x=right / 8, translation_y=down / 8)
        found = transform_patches(image, np.array([10]), np.array([9]), 8, moved, GEOMETRY, None)
        assert torch.equal(found, image[:, :, 10 + down : 18 + down, 9 + right : 17 + right])


@pytest.mark.parametrize("quarters", [1, 2, 3, -1])
@pytest.mark.parametrize("size", [7, 8])
def test_quarter_turns(size, quarters):
    images = noise(3, 3, 20, 16)
    top, left = corners(3, 20, 16, size)
    turned = parameters_with(3, rotation=90.0 * quarters)
    found = transform_patches(images, top, left, size, turned, GEOMETRY, None)
    expected = np.rot90(cut_patches(images, top, left, size).numpy(), quarters, axes=(2, 3))
    assert np.array_equal(found.numpy(), expected)


def test_half_scale_shows_twice_as_much():
    """Each pixel then lies where four of the image meet."""
    image = noise(1, 1, 30, 30)
    found = transform_patches(image, np.array([10]), np.array([7]), 8, parameters_with(1, scale=0.5), GEOMETRY, None)
    blocks = image[0, 0, 6:22, 3:19].double().view(8, 2, 8, 2).mean(dim=(1, 3))
    assert (found[0, 0] - blocks).abs().max() <= 0.501


# Colours


def color_samples():
    """Return float64 (n, 3) colours in 0..1: random ones, greys, and all with parts 0, 1/2 and 1."""
    rng = np.random.default_rng(0)
    levels = np.array([0, 0.5, 1])
    regular = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    return np.concatenate([rng.random((200, 3)), np.repeat(rng.random((20, 1)), 3, axis=1), regular])


@pytest.mark.parametrize("contrast", [True, False])
def test_saturation_value_and_hue_like_colorsys(contrast):
    colors = color_samples().astype(np.float32)
    ranges = RANGES._replace(hue=1.5, color_offset=0.4)
    parameters = drawn(12, ranges=ranges)
    pixels = torch.from_numpy(colors.T.copy())[None, :, None].repeat(2, 1, 6, 1)
    change_colors(pixels, parameters, contrast)
    for index in range(12):
        own = {name: float(column[index]) for name, column in parameters._asdict().items() if column.dim() == 1}
        expected = []
        for color in colors.astype(float):
            parts = list(colorsys.rgb_to_hsv(*color))
            for place, name in ((1, "saturation"), (2, "value")) if contrast else ():
                changed = parts[place] ** own[f"{name}_power"] * own[f"{name}_factor"] + own[f"{name}_offset"]
                parts[place] = min(max(changed, 0), 1)
            parts[0] = (parts[0] + own["hue"]) % 1
            expected.append(colorsys.hsv_to_rgb(*parts))
        np.testing.assert_allclose(pixels[index // 6, :, index % 6].numpy().T, expected, atol=2e-5)


def test_principal_colors_like_numpy():
    patches = noise(600, 3, 5, 5).numpy()
    patches[:, 1] = patches[:, 0] // 2 + patches[:, 1] // 4  # correlated
    found = principal_colors(patches)
    pixels = patches.transpose(0, 2, 3, 1).reshape(-1, 3) / 255
    np.testing.assert_allclose(found.mean, pixels.mean(axis=0), rtol=1e-5)
    values, vectors = np.linalg.eig(np.cov(pixels.T))
    vectors = vectors[:, np.argsort(-values)]
    np.testing.assert_allclose(np.abs((found.components.numpy() * vectors).sum(axis=0)), 1, atol=1e-5)


def test_components_are_scaled_about_the_mean():
    patches = noise(40, 3, 6, 6).numpy()
    patches[:, 2] = patches[:, 0] // 2 + patches[:, 2] // 4
    colors = principal_colors(patches)
    factors = drawn(10).pca_contrast
    pixels = torch.rand(2, 3, 5, 36, generator=torch.Generator().manual_seed(0))
    found = scale_components(pixels, factors, colors).double().numpy()
    mean, components = colors.mean.double().numpy(), colors.components.double().numpy()
    for index in range(10):
        centered = pixels[index // 5, :, index % 5].double().numpy().T - mean
        parts = centered @ components * factors[index].numpy()
        np.testing.assert_allclose(found[index // 5, :, index % 5].T, mean + parts @ components.T, atol=1e-5)


# All together


@pytest.mark.parametrize("channels", [1, 3])
def test_neutral_parameters_give_the_seed_patch(channels):
    images = noise(30, channels, 40, 33)
    images[0], images[1], images[2] = 0, 255, 128
    size, per_image = 9, 3
    top, left = corners(30, 40, 33, size)
    names = TRANSFORMATIONS if channels == 3 else GEOMETRY
    patches = cut_patches(images, top, left, size)
    colors = principal_colors(patches.numpy()) if channels == 3 else None
    found = transform_patches(images, top, left, size, drawn(90, ()), names, colors)
    assert torch.equal(found, patches.repeat_interleave(per_image, dim=0))


def test_no_transformations():
    images = noise(2, 3, 12, 12)
    found = transform_patches(images, np.array([1, 2]), np.array([3, 4]), 8, drawn(4), (), None)
    assert found.dtype == torch.uint8
    assert found.shape == (4, 3, 8, 8)


def test_a_patch_depends_on_its_own_parameters_only():
    images, size, per_image = noise(4, 3, 30, 30), 8, 6
    top, left = corners(4, 30, 30, size)
    parameters = drawn(4 * per_image)
    colors = principal_colors(images.numpy())
    together = transform_patches(images, top, left, size, parameters, TRANSFORMATIONS, colors)
    assert len(torch.unique(together, dim=0)) == 4 * per_image
    for row, patch in enumerate(together):
        own = slice(row // per_image, row // per_image + 1)
        alone = transform_patches(
            images[own],
            top[own],
            left[own],
            size,
            select_parameters(parameters, slice(row, row + 1)),
            TRANSFORMATIONS,
            colors,
        )
        assert torch.equal(alone[0], patch)


def test_transforming_leaves_its_input_as_it_was():
    images, parameters = noise(2, 3, 20, 20), drawn(4)
    colors = principal_colors(images.numpy())
    before = images.clone(), [column.clone() for column in (*parameters, *colors)]
    transform_patches(images, np.array([0, 1]), np.array([2, 3]), 8, parameters, TRANSFORMATIONS, colors)
    assert torch.equal(images, before[0])
    assert all(map(torch.equal, (*parameters, *colors), before[1]))


# The program


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Return the path of a data set with 60 unlabeled images of 3 x 16 x 16."""
    return write_striped_dataset(tmp_path_factory.mktemp("color"))[0]


@pytest.fixture(scope="module")
def grey_images(tmp_path_factory):
    return write_striped_dataset(tmp_path_factory.mktemp("grey"), channels=1)[0]


def make(images, path, **changes):
    """Run the program with all transformations but for the options that are given; return the path it writes."""
    options = {
        "seed_patches": 20,
        "samples_per_class": 7,
        "surrogate_size": 8,
        "seed_sampling": "uniform",
        "transformations": TRANSFORMATIONS,
        "seed": 0,
    }
    options = {**RANGES._asdict(), **options, **changes}
    options = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
    make_surrogates.main(command_line(images=images, surrogates=path, **options))
    return path


@pytest.mark.parametrize("sampling", ["uniform", "energy"])
def test_program_writes_the_file_as_agreed(images, tmp_path, sampling):
    path = make(images, tmp_path / "surrogates.h5", seed_sampling=sampling)
    with h5py.File(path) as file, h5py.File(images) as source:
        assert file["patches"].shape == (140, 3, 8, 8)
        assert file["patches"].dtype == file["seeds/patches"].dtype == np.uint8
        assert file["classes"][:].tolist() == [number for number in range(20) for _ in range(7)]
        assert file["classes"].dtype == file["seeds/image"].dtype == file["seeds/top"].dtype == np.int64
        assert (np.diff(file["seeds/image"]) > 0).all(), "one patch of each image"
        for row, patch in enumerate(file["seeds/patches"]):
            image, top, left = (file[f"seeds/{name}"][row] for name in ("image", "top", "left"))
            assert np.array_equal(patch, source["unlabeled/images"][image, :, top : top + 8, left : left + 8])
        assert set(file["parameters"]) == set(Parameters._fields)
        for name, column in file["parameters"].items():
            assert column.dtype == np.float32
            assert column.shape == ((140, 3) if name == "pca_contrast" else (140,))
        options = json.loads(file.attrs["options"])
        assert options["transformations"] == list(TRANSFORMATIONS)
        assert options["seed_sampling"] == sampling
        assert {name: options[name] for name in Ranges._fields} == json.loads(json.dumps(RANGES._asdict()))
        assert not {"images", "surrogates", "gpu"} & options.keys()
        assert file.attrs["seed"] == 0


@pytest.mark.parametrize("changes", [{}, {"transformations": ["rotation", "color_contrast"], "samples_per_class": 600}])
def test_patches_can_be_made_again_from_the_file(images, tmp_path, changes):
    path = make(images, tmp_path / "surrogates.h5", **changes)
    with h5py.File(path) as file, h5py.File(images) as source:
        rows = np.random.default_rng(0).choice(len(file["patches"]), 100, replace=False)
        found = remake_patches(file, source["unlabeled/images"], rows)
        assert np.array_equal(found, file["patches"][:][rows])


def test_same_seed_same_bytes(images, tmp_path):
    first, same = (make(images, tmp_path / name, seed_sampling="energy").read_bytes() for name in ("a.h5", "b.h5"))
    other = make(images, tmp_path / "c.h5", seed_sampling="energy", seed=1).read_bytes()
    assert first == same
    assert first != other


def test_blocks_do_not_show(images, tmp_path, monkeypatch):
    whole = make(images, tmp_path / "a.h5", seed_sampling="energy").read_bytes()
    monkeypatch.setattr(make_surrogates, "SEED_BLOCK", 6)
    monkeypatch.setattr(make_surrogates, "PATCH_BLOCK", 21)
    assert make(images, tmp_path / "b.h5", seed_sampling="energy").read_bytes() == whole


def test_sampling_does_not_change_the_transformations(images, tmp_path):
    paths = [make(images, tmp_path / f"{name}.h5", seed_sampling=name) for name in ("uniform", "energy")]
    with h5py.File(paths[0]) as uniform, h5py.File(paths[1]) as energy:
        assert not np.array_equal(uniform["seeds/top"], energy["seeds/top"])
        assert np.array_equal(uniform["seeds/image"], energy["seeds/image"])
        for name in Parameters._fields:
            assert np.array_equal(uniform[f"parameters/{name}"], energy[f"parameters/{name}"])


def test_a_patch_of_every_image(images, tmp_path):
    with h5py.File(make(images, tmp_path / "surrogates.h5", seed_patches=60, surrogate_size=16)) as file:
        assert file["seeds/image"][:].tolist() == list(range(60))
        assert not file["seeds/top"][:].any()


def test_grey_images_have_their_geometry_changed(grey_images, tmp_path):
    path = make(grey_images, tmp_path / "surrogates.h5", transformations=GEOMETRY)
    with h5py.File(path) as file, h5py.File(grey_images) as source:
        assert file["patches"].shape == (140, 1, 8, 8)
        assert len(np.unique(file["patches"], axis=0)) == 140
        found = remake_patches(file, source["unlabeled/images"], np.arange(140))
        assert np.array_equal(found, file["patches"])


@pytest.mark.parametrize("name", ["pca_contrast", "color_contrast", "hue"])
def test_grey_images_have_no_colors_to_change(grey_images, tmp_path, name):
    with pytest.raises(UserError, match=rf"^transformation {name} needs images of 3 .*have 1: leave {name} out.*$"):
        make(grey_images, tmp_path / "surrogates.h5", transformations=["rotation", name])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed_patches": 61}, r"^61 seed patches .*images\.h5 holds 60: lower seed_patches$"),
        ({"surrogate_size": 17}, r"^patches of 17 pixels .*images of 16: lower surrogate_size$"),
        ({"scale": [1.4, 0.7]}, r"^scale from 1\.4 to 0\.7 is empty: give the lower limit first$"),
        ({"pca_contrast": [3, 2]}, r"^pca_contrast from 3 to 2 "),
        ({"color_power": [3, 2]}, r"^color_power from 3 to 2 "),
        ({"color_factor": [3, 2]}, r"^color_factor from 3 to 2 "),
    ],
)
def test_mistakes_are_told_in_one_line(images, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        make(images, tmp_path / "surrogates.h5", **changes)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "changes",
    [{"seed_patches": 0}, {"rotation": -1}, {"hue": "nan"}, {"scale": [0, 1]}, {"transformations": ["shear"]}],
)
def test_values_out_of_range(images, tmp_path, changes, capsys):
    with pytest.raises(SystemExit):
        make(images, tmp_path / "surrogates.h5", **changes)
    assert f"error: argument --{next(iter(changes)).replace('_', '-')}: " in capsys.readouterr().err


def test_missing_images(tmp_path):
    with pytest.raises(UserError, match=r"absent\.h5: No such file"):
        make(tmp_path / "absent.h5", tmp_path / "surrogates.h5")
