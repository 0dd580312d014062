"""The programs that draw: what is in the figures, and in the tables that the maps are drawn from."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

import embed_tsne
import extract_layers
import make_surrogates
import plot_augmentations
import plot_confusion
import plot_filters
import plot_label_curve
import plot_layers
import plot_mistakes
import plot_rounds
import plot_rulegraph
import plot_surrogates
import plot_training
import plot_tsne
import plot_unlabeled
from fixtures_kmeans import CLASS_NAMES, COUNTS, command_line, write_striped_dataset
from fixtures_training import ABOUT, exemplar_network, write_exemplar_network
from semisup.cli import UserError
from semisup.dataset import read_images
from semisup.models import network as network_model
from semisup.network import Shape, new_network, write_network
from semisup.plots import COLORS, save_figure

NO_CHANGE = {"shift": 0, "flip": "false", "alternate_flips": "false", "color": 0, "hue": 0, "cutout": 0}
NO_AUGMENTATION = {"image_size": "native", **NO_CHANGE}
CLASSES = 4


@pytest.fixture
def draw(monkeypatch, tmp_path):
    """Return a function that runs a program, checks that it writes both files and returns the figure."""

    def run(program, **options):
        figures = []

        def save_and_keep(figure, pdf, png):
            figures.append(figure)
            save_figure(figure, pdf, png)

        monkeypatch.setattr(program, "save_figure", save_and_keep)
        pdf, png = tmp_path / "figure.pdf", tmp_path / "figure.png"
        program.main(command_line(**options, pdf=pdf, png=png))
        assert pdf.read_bytes().startswith(b"%PDF")
        assert png.read_bytes().startswith(b"\x89PNG")
        return figures[0]

    return run


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_striped_dataset(tmp_path_factory.mktemp("stripes"))[0]


def picture(figure):
    """Return the only picture of a figure, float (H, W, 3)."""
    (axes,) = figure.axes
    (image,) = axes.images
    return np.asarray(image.get_array())


def as_colors(tile):
    """Return a tile (C, h, w) in 0..1 as (h, w, 3)."""
    return np.broadcast_to(tile, (3, *tile.shape[1:])).transpose(1, 2, 0)


def cut(image, size, rows, columns):
    """Cut a grid of examples into its first column (rows, size, size, 3) and the others, (rows, columns, ...).

    Checks that all between them is white, and that there is nothing else.
    """
    image = image.copy()
    gap = size // 4
    assert image.shape == (rows * (size + 1) - 1, size + gap + columns * (size + 1) - 1, 3)
    tops = [row * (size + 1) for row in range(rows)]
    lefts = [0, *(size + gap + column * (size + 1) for column in range(columns))]
    tiles = np.array([[image[y : y + size, x : x + size] for x in lefts] for y in tops])
    for y in tops:
        for x in lefts:
            image[y : y + size, x : x + size] = 1
    assert (image == 1).all()
    return tiles[:, 0], tiles[:, 1:]


# Surrogate classes


def write_surrogates(folder, channels):
    """Write 5 surrogate classes of 4 patches of 8 pixels; return their path."""
    path = folder / "surrogates.h5"
    options = {
        "seed_patches": 5,
        "samples_per_class": 4,
        "surrogate_size": 8,
        "seed_sampling": "uniform",
        "transformations": ["rotation", "translation", "scale"],
        "rotation": 20,
        "translation": 0.1,
        "color_offset": 0.1,
        "hue": 0.1,
        **{name: [0.7, 1.4] for name in ("scale", "pca_contrast", "color_power", "color_factor")},
    }
    images, *_ = write_striped_dataset(folder, channels=channels)
    make_surrogates.main(command_line(images=images, surrogates=path, seed=0, **options))
    return path


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("classes", "samples", "shown"), [(3, 2, [0, 2, 4]), (10, 12, [0, 1, 2, 3, 4])])
def test_surrogates(draw, tmp_path, channels, classes, samples, shown):
    path = write_surrogates(tmp_path, channels)
    figure = draw(plot_surrogates, surrogates=path, classes=classes, samples=samples)
    columns = min(samples, 4)
    first, others = cut(picture(figure), 8, len(shown), columns)
    with h5py.File(path) as file:
        for row, number in enumerate(shown):
            np.testing.assert_array_equal(first[row], as_colors(file["seeds/patches"][number] / 255))
            for column in range(columns):
                patch = file["patches"][4 * number + column] / 255
                assert file["classes"][4 * number + column] == number
                np.testing.assert_array_equal(others[row, column], as_colors(patch))


def test_file_without_surrogates(tmp_path, images):
    with pytest.raises(UserError, match=r"images\.h5 lacks what is needed"):
        plot_surrogates.main(command_line(surrogates=images, pdf=tmp_path / "a.pdf", png=tmp_path / "a.png"))
    assert list(tmp_path.iterdir()) == []


# Augmentation


def augmented(draw, images, seed=0, rows=3, samples=4, **changes):
    """Return the images as they are drawn, and their augmentations."""
    options = {"rows": rows, "samples": samples, "seed": seed, **NO_AUGMENTATION, **changes}
    return cut(picture(draw(plot_augmentations, images=images, **options)), 16, rows, samples)


def test_augmentation_that_changes_nothing(draw, images):
    first, others = augmented(draw, images)
    expected = np.array([as_colors(image / np.float32(255)) for image in read_images(images, "train")[:3]])
    np.testing.assert_allclose(first, expected, atol=1e-6)
    np.testing.assert_allclose(others, np.repeat(expected[:, None], 4, axis=1), atol=1e-6)


def test_flips(draw, images):
    first, others = augmented(draw, images, samples=8, flip="true")
    flipped = [
        [np.allclose(tile, image[:, ::-1], atol=1e-6) for tile in row] for image, row in zip(first, others, strict=True)
    ]
    same = [[np.allclose(tile, image, atol=1e-6) for tile in row] for image, row in zip(first, others, strict=True)]
    assert (np.array(flipped) != np.array(same)).all()
    assert 0 < np.mean(flipped) < 1


def test_draws_differ_and_the_seed_decides_them(draw, images):
    strengths = {"shift": 4, "flip": "true", "color": 0.5, "cutout": 4}
    first, others = augmented(draw, images, **strengths)
    assert len(np.unique(others.reshape(12, -1), axis=0)) == 12
    assert others.min() >= 0
    assert others.max() <= 1
    _, again = augmented(draw, images, **strengths)
    np.testing.assert_array_equal(again, others)
    other_first, other = augmented(draw, images, seed=1, **strengths)
    np.testing.assert_array_equal(other_first, first)
    assert (other != others).any()


def test_each_figure_has_its_own_augmentation(tmp_path, images):
    """Of three figures the second and the third have equal options, and another size than the first."""
    paths = {ending: [tmp_path / f"{name}.{ending}" for name in "abc"] for ending in ("pdf", "png")}
    options = {name: [value] * 3 for name, value in NO_CHANGE.items()} | {"shift": [0, 4, 4]}
    sizes = {"image_size": ["native", 8, 8]}
    plot_augmentations.main(command_line(images=images, rows=2, samples=3, seed=0, **options, **sizes, **paths))
    first, second, third = [path.read_bytes() for path in paths["png"]]
    assert second == third != first


def test_figures_and_inputs_that_differ_in_number(tmp_path, images):
    options = {name: [value, value] for name, value in NO_AUGMENTATION.items()}
    match = "--image-size has 2, .*, --pdf has 1, --png has 1 values: give one of each for every figure"
    with pytest.raises(UserError, match=match):
        plot_augmentations.main(
            command_line(images=images, seed=0, **options, pdf=tmp_path / "a.pdf", png=tmp_path / "a.png")
        )
    assert list(tmp_path.iterdir()) == []


def test_augmentation_of_grey_images(draw, tmp_path):
    grey, *_ = write_striped_dataset(tmp_path, channels=1)
    first, others = augmented(draw, grey, shift=4, color=0.5)
    assert (first == first[..., :1]).all()
    assert (others == others[..., :1]).all()


# Filters


@pytest.mark.parametrize(
    ("name", "size", "channels", "place", "side"),
    [("resnet", 96, 3, "stem.0", 5), ("resnet", 28, 1, "stem.0", 3), ("exemplar_small", 8, 3, "conv1.0", 5)],
)
def test_filters(draw, tmp_path, name, size, channels, place, side):
    network = new_network(Shape(name, channels, size, CLASSES, 0.0, field=8), seed=0)
    weight = network.state_dict()[f"layers.{place}.weight"]
    weight[7] = 0
    with h5py.File(tmp_path / "model.h5", "w") as file:
        write_network(file.create_group("network"), network)
    image = picture(draw(plot_filters, network_file=tmp_path / "model.h5"))
    assert image.shape == (4 * (side + 1) - 1, 16 * (side + 1) - 1, 3)
    assert weight.shape == (64, channels, side, side)
    for number, values in enumerate(weight.numpy()):
        y, x = (side + 1) * np.array(divmod(number, 16))
        expected = 0.5 + values / (2 * max(np.abs(values).max(), 1e-12))
        np.testing.assert_allclose(image[y : y + side, x : x + side], as_colors(expected), atol=1e-6)
    np.testing.assert_array_equal(image[:side, 7 * (side + 1) : 8 * (side + 1) - 1], 0.5)


def test_file_without_a_network(tmp_path, images):
    with pytest.raises(UserError, match=r"images\.h5 lacks what is needed"):
        plot_filters.main(command_line(network_file=images, pdf=tmp_path / "a.pdf", png=tmp_path / "a.png"))
    assert list(tmp_path.iterdir()) == []


# Training


def write_histories(folder, epochs, images=1000):
    """Write a history of so many epochs for each number; return their paths and tables."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    columns = ["learning_rate", "train_loss", "train_accuracy", "validation_accuracy", "seconds"]
    paths, tables = [], []
    for number, count in enumerate(epochs):
        table = pd.DataFrame(rng.random((count, len(columns))), columns=columns)
        table.insert(0, "epoch", np.arange(1, count + 1))
        table["images"] = images
        paths.append(folder / f"history{number}.csv")
        table.to_csv(paths[-1], index=False)
        tables.append(table)
    return paths, tables


def check_curves(tables, accuracy, loss):
    """Check that both panels show these tables, over thousands of images."""
    assert len(accuracy.lines) == 2 * len(tables)
    assert len(loss.lines) == len(tables)
    assert len({line.get_color() for line in loss.lines}) == len(tables)
    for number, (table, line) in enumerate(zip(tables, loss.lines, strict=True)):
        np.testing.assert_allclose(line.get_xdata(), table["images"].cumsum() / 1000)
        np.testing.assert_allclose(line.get_ydata(), table["train_loss"])
        training, validation = accuracy.lines[2 * number : 2 * number + 2]
        np.testing.assert_allclose(training.get_ydata(), 100 * table["train_accuracy"])
        np.testing.assert_allclose(validation.get_ydata(), 100 * table["validation_accuracy"])
        assert (training.get_linestyle(), validation.get_linestyle()) == ("--", "-")
        assert training.get_color() == validation.get_color() == line.get_color()
        assert (line.get_marker() == ".") == (len(table) == 1), "a line of one point does not show"


def legend_texts(part):
    return [text.get_text() for text in part.legends[0].get_texts()]


@pytest.mark.parametrize(
    ("epochs", "scale"), [([3], "linear"), ([10, 1], "linear"), ([11, 1], "log"), ([5, 40, 7, 3, 2, 20, 9, 8], "log")]
)
def test_training_curves(draw, tmp_path, epochs, scale):
    paths, tables = write_histories(tmp_path, epochs)
    names = [f"run{number}" for number in range(len(paths))]
    figure = draw(plot_training, histories=paths, names=names)
    check_curves(tables, *figure.axes)
    assert legend_texts(figure) == names
    assert [axes.get_xscale() for axes in figure.axes] == [scale, scale]


def test_trainings_of_different_epochs_are_compared_by_images(draw, tmp_path):
    """30 epochs of 1,000 images and one of 30,000 end at the same place."""
    (long_path,), _ = write_histories(tmp_path / "long", [30])
    (short_path,), _ = write_histories(tmp_path / "short", [1], images=30000)
    _, loss = draw(plot_training, histories=[long_path, short_path], names=["long", "short"]).axes
    assert [line.get_xdata()[-1] for line in loss.lines] == [30, 30]


def test_many_trainings_stand_in_rows_of_the_same_scale(draw, tmp_path):
    paths, tables = write_histories(tmp_path, [2, 3, 4, 5, 6, 7, 8, 9, 90])
    names = [f"run{number}" for number in range(9)]
    figure = draw(plot_training, histories=paths, names=names)
    first, second = figure.subfigs
    check_curves(tables[:4], *first.axes)
    check_curves(tables[4:], *second.axes)
    assert (legend_texts(first), legend_texts(second)) == (names[:4], names[4:])
    for above, below in zip(first.axes, second.axes, strict=True):
        assert (above.get_xlim(), above.get_ylim()) == (below.get_xlim(), below.get_ylim())
        assert above.get_xscale() == below.get_xscale() == "log"


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (8, [8]), (9, [4, 5]), (16, [8, 8]), (17, [6, 5, 6])])
def test_groups_of_curves(count, sizes):
    names = [f"run{number}" for number in range(count)]
    groups = plot_training.curve_groups(names)
    assert [len(group) for group in groups] == sizes
    assert [name for group in groups for name in group] == names


@pytest.mark.parametrize(
    ("names", "match"),
    [
        ([], r"2 histories have 0 names"),
        (["one"], r"2 histories have 1 names \(one\): give one for each"),
        (["one", "two", "three"], r"2 histories have 3 names"),
        (["one", "one"], r"two histories have the same name"),
    ],
)
def test_names_that_do_not_fit_the_histories(tmp_path, names, match):
    paths, _ = write_histories(tmp_path / "in", [3, 3])
    with pytest.raises(UserError, match=match):
        plot_training.main(
            command_line(histories=paths, names=names, pdf=tmp_path / "a" / "a.pdf", png=tmp_path / "a" / "a.png")
        )
    assert not (tmp_path / "a").exists()


def test_history_of_another_method(tmp_path):
    pd.DataFrame({"iteration": [1], "objective": [2.0]}).to_csv(tmp_path / "history.csv", index=False)
    options = {"histories": tmp_path / "history.csv", "names": "one", "pdf": tmp_path / "a.pdf"}
    with pytest.raises(UserError, match=r"history\.csv lacks the columns epoch, images, train_accuracy, train_l"):
        plot_training.main(command_line(**options, png=tmp_path / "a.png"))


# Accuracy against labels


def write_label_curve(folder, labels):
    """Write a table of label curves: for each experiment its numbers of labels; return its path and content."""
    rng = np.random.default_rng(0)
    rows = []
    for name, counts in labels.items():
        for count in counts:
            mean = rng.uniform(0.3, 0.6)
            interval = {"test_accuracy_low": mean - 0.02, "test_accuracy_high": mean + 0.03}
            rows.append({"experiment": name, "labels": count, "test_accuracy_mean": mean, **interval})
    path = folder / "label_curve.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path, pd.DataFrame(rows)


PUBLISHED = """
literature:
  - {data_set: stl10, title: a network, cite: someone, labels: 1000, accuracy: 72.75, cross: true}
  - {data_set: stl10, title: another network, cite: someone, labels: 1000, accuracy: 71}
  - {data_set: stl10, title: raw pixels, cite: another, labels: 1000, accuracy: 31.8, cross: true}
  - {data_set: mnist, title: a tree, cite: another, labels: 3000, accuracy: 90, cross: true}
"""


def label_curve_options(folder, labels, data_set="photos"):
    (folder / "published.yaml").write_text(PUBLISHED)
    path, table = write_label_curve(folder, labels)
    names = json.dumps({name: name.upper() for name in labels})
    return {"label_curve": path, "published": folder / "published.yaml", "data_set": data_set, "names": names}, table


@pytest.mark.parametrize("labels", [{"one": [600, 50]}, {"one": [50, 600, 150], "two": [150], "three": [50, 4000]}])
def test_label_curves(draw, tmp_path, labels):
    options, table = label_curve_options(tmp_path, labels)
    figure = draw(plot_label_curve, **options)
    (axes,) = figure.axes
    assert legend_texts(figure) == [name.upper() for name in labels]
    assert len({to_hex(curve.lines[0].get_color()) for curve in axes.containers}) == len(labels)
    for curve, name in zip(axes.containers, labels, strict=True):
        line, _, (bars,) = curve.lines
        rows = table[table["experiment"] == name].sort_values("labels")
        shifts = line.get_xdata().astype(float) / rows["labels"]  # so that bars do not cover each other
        np.testing.assert_allclose(shifts, shifts.iloc[0])
        assert abs(shifts.iloc[0] - 1) < 0.05
        np.testing.assert_allclose(line.get_ydata().astype(float), 100 * rows["test_accuracy_mean"])
        ends = np.array([bar[:, 1] for bar in bars.get_segments()])
        np.testing.assert_allclose(ends, 100 * rows[["test_accuracy_low", "test_accuracy_high"]])
    assert axes.get_xscale() == "log"
    counts = sorted(set(table["labels"]))
    assert [text.get_text() for text in axes.get_xticklabels()] == [f"{count:,}" for count in counts]
    assert axes.get_xticks().tolist() == counts
    assert axes.get_xticks(minor=True).tolist() == []


def test_published_accuracies_are_crosses(draw, tmp_path):
    """Those of the study's data set alone that are marked, and a tick at their labels."""
    options, _ = label_curve_options(tmp_path, {"one": [100, 4000]}, "stl10")
    figure = draw(plot_label_curve, **options)
    (axes,) = figure.axes
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    assert {tuple(cross.get_xydata()[0]) for cross in crosses} == {(1000, 31.8), (1000, 72.75)}
    assert {text.get_text() for text in axes.texts} == {"raw pixels", "a network"}
    assert legend_texts(figure) == ["ONE", "published"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["100", "1,000", "4,000"]


@pytest.mark.parametrize(("counts", "rotation"), [([50, 150, 600], 0), ([100], 0), ([50, 500, 600, 4000], 90)])
def test_close_numbers_of_labels_stand_upright(draw, tmp_path, counts, rotation):
    options, _ = label_curve_options(tmp_path, {"one": counts})
    (axes,) = draw(plot_label_curve, **options).axes
    assert {text.get_rotation() for text in axes.get_xticklabels()} == {rotation}


def test_experiments_beyond_the_colours_have_other_lines(draw, tmp_path):
    names = {f"run{number}": [50, 600] for number in range(12)}
    options, _ = label_curve_options(tmp_path, names)
    (axes,) = draw(plot_label_curve, **options).axes
    looks = {(to_hex(line.get_color()), line.get_linestyle()) for line in (curve.lines[0] for curve in axes.containers)}
    assert len(looks) == len(names)
    assert "#f0e442" not in {color for color, _ in looks}


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        (["experiment", "labels"], r"lacks the columns test_accuracy_high, .*: give the label curves of evaluate"),
        (plot_label_curve.CURVE, r"label_curve\.csv has no rows: give an experiment of the study label_counts"),
    ],
)
def test_no_label_curve(tmp_path, columns, match):
    options, _ = label_curve_options(tmp_path, {"one": [50]})
    pd.DataFrame(columns=list(columns)).to_csv(options["label_curve"], index=False)
    with pytest.raises(UserError, match=match):
        plot_label_curve.main(command_line(**options, pdf=tmp_path / "a.pdf", png=tmp_path / "a.png"))
    assert not list(tmp_path.glob("a.*"))


# Pseudo-label rounds


def write_rounds(folder, accepted):
    """Write tables of rounds that accept so many images each, and of the last round; return paths, history, images.

    Image k of a round has the label k modulo 3, so that the fourth class gets none.
    """
    rng = np.random.default_rng(0)
    counts = np.array([*accepted, 0])
    some = counts > 0
    history = pd.DataFrame(
        {
            "round": np.arange(len(counts)),
            "training_images": 40 + np.append(0, counts.cumsum()[:-1]),
            "accepted": counts,
            "mean_confidence": np.where(some, rng.uniform(0.9, 1, len(counts)), np.nan),
            "held_out_precision": np.where(some, rng.uniform(0.5, 0.9, len(counts)), np.nan),
            "validation_accuracy": rng.uniform(0.5, 0.6, len(counts)),
        }
    )
    rows = [(number, 0, k % 3, 0.9) for number, count in enumerate(counts) for k in range(count)]
    images = pd.DataFrame(rows, columns=["round", "image", "label", "confidence"])
    paths = {"history": folder / "history.csv", "accepted": folder / "accepted.csv"}
    history.to_csv(paths["history"], index=False)
    images.to_csv(paths["accepted"], index=False)
    return paths, history, images


@pytest.mark.parametrize("accepted", [[5, 0, 3, 7], [0, 0], [9], [7] * 48])
def test_rounds(draw, tmp_path, images, accepted):
    paths, history, accepted_images = write_rounds(tmp_path, accepted)
    figure = draw(plot_rounds, images=images, **paths)
    growth, quality, classes, accuracy, bars, *_ = figure.axes
    np.testing.assert_array_equal(growth.lines[0].get_xydata(), history[["round", "training_images"]])
    np.testing.assert_allclose(accuracy.lines[0].get_ydata(), 100 * history["validation_accuracy"])
    by_label = {line.get_label(): line.get_ydata() for line in quality.lines}
    for label, column in (("mean confidence", "mean_confidence"), ("held-out precision", "held_out_precision")):
        np.testing.assert_allclose(by_label[label], 100 * history[column])
    assert [bar.get_height() for bar in bars.patches] == history["accepted"].tolist()

    (mesh,) = classes.collections
    expected = np.zeros((CLASSES, len(accepted)))
    for row in accepted_images.itertuples():
        expected[row.label, row.round] += 1
    np.testing.assert_array_equal(np.asarray(mesh.get_array()), expected)
    assert [text.get_text() for text in classes.get_yticklabels()] == CLASS_NAMES
    numbers = [int(text.get_text()) for text in classes.texts]
    assert numbers == (expected.astype(int).ravel().tolist() if len(accepted) <= 12 else [])
    assert (classes.get_title() == "no image was accepted") == (sum(accepted) == 0)
    labels = [text.get_text() for axes in (growth, quality, classes) for text in axes.get_xticklabels()]
    assert labels
    assert all("." not in label for label in labels), "there are no half rounds"


def test_rounds_of_another_history(tmp_path, images):
    paths, history, _ = write_rounds(tmp_path, [3])
    history.rename(columns={"round": "epoch"}).to_csv(paths["history"], index=False)
    with pytest.raises(
        UserError, match=r"history\.csv lacks the columns round: give the history of pseudo-label rounds"
    ):
        plot_rounds.main(command_line(images=images, **paths, pdf=tmp_path / "a.pdf", png=tmp_path / "a.png"))
    assert not list(tmp_path.glob("a.*"))


def write_held_out(folder, rows):
    """Write rows (round, row, label, predicted, confidence); return the path."""
    path = folder / "held_out.csv"
    columns = ["round", "row", "label", "predicted", "confidence"]
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return path


def test_mistakes_are_shown_once_and_the_surest_first(draw, tmp_path, images):
    """Row 45 is the sixth validation image: 40 train rows come first."""
    rows = [
        (0, 45, 1, 2, 0.91),
        (0, 50, 0, 0, 0.999),  # right
        (1, 3, 2, 0, 0.97),
        (1, 45, 1, 3, 0.9999),
        (2, 45, 1, 1, 0.9999),  # right at last
        (2, 60, 3, 0, 0.95),
    ]
    figure = draw(plot_mistakes, held_out=write_held_out(tmp_path, rows), images=images)
    assert [axes.get_title() for axes in figure.axes] == [
        "as falling\nis standing\n99.9 %",
        "as lying\nis rising\n97.0 %",
        "as lying\nis falling\n95.0 %",
    ]
    train, validation = read_images(images, "train"), read_images(images, "validation")
    for axes, image in zip(figure.axes, [validation[5], train[3], validation[20]], strict=True):
        (shown,) = axes.images
        np.testing.assert_allclose(shown.get_array(), image.transpose(1, 2, 0) / 255)
    words = figure.get_suptitle()
    assert words == "Of 4 held-out images that would have been accepted, 3 had a wrong class in some round."


def test_only_the_surest_mistakes_are_shown(draw, tmp_path, images):
    rows = [(0, row, 0, 1, 0.9 + 0.001 * row) for row in range(40, 64)]
    figure = draw(plot_mistakes, held_out=write_held_out(tmp_path, rows), images=images)
    assert len(figure.axes) == 20
    assert figure.axes[0].get_title().endswith("96.3 %")
    assert figure.axes[-1].get_title().endswith("94.4 %")
    assert figure.get_suptitle().endswith("24 had a wrong class in some round\n(shown: the 20 most confident).")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "No held-out image would have been accepted."),
        (
            [(0, 45, 1, 1, 0.9), (1, 45, 1, 1, 0.9)],
            "Of 1 held-out image that would have been accepted, none had a wrong",
        ),
        ([(0, 45, 1, 1, 0.9), (1, 46, 1, 1, 0.9)], "Of 2 held-out images that would have been accepted, none had a wr"),
    ],
)
def test_no_mistake_is_said_in_words(draw, tmp_path, images, rows, words):
    figure = draw(plot_mistakes, held_out=write_held_out(tmp_path, rows), images=images)
    assert not figure.axes
    (text,) = figure.texts
    assert text.get_text().startswith(words)


# A loss on unlabeled images


def write_unlabeled_history(folder, epochs, weight, **columns):
    """Write the history of a training whose unlabeled loss has this weight in each epoch; return path and table."""
    (path,), (table,) = write_histories(folder, [epochs])
    rng = np.random.default_rng(1)
    table = table.assign(unlabeled_loss=rng.random(epochs), unlabeled_weight=weight, accepted=rng.random(epochs))
    table = table.assign(**columns)
    table.to_csv(path, index=False)
    return path, table


def curves(axes):
    return {line.get_label(): line.get_xydata() for line in axes.lines}


@pytest.mark.parametrize("epochs", [1, 5])
def test_weight_of_unlabeled_images(draw, tmp_path, epochs):
    weights = np.maximum(0, np.arange(epochs) - 1.0)
    path, table = write_unlabeled_history(tmp_path, epochs, weights, threshold=np.nan)
    weight, loss, accuracy = draw(plot_unlabeled, history=path).axes
    ((drawn),) = curves(weight).values()
    np.testing.assert_allclose(drawn, table[["epoch", "unlabeled_weight"]])
    np.testing.assert_allclose(curves(loss)["labelled images"], table[["epoch", "train_loss"]])
    shown = curves(loss)["unlabelled images"][:, 1]
    assert np.isnan(shown[:2]).all(), "without a weight the loss is not computed"
    np.testing.assert_allclose(shown[2:], table["unlabeled_loss"][2:])
    np.testing.assert_allclose(curves(accuracy)["validation"][:, 1], 100 * table["validation_accuracy"])
    np.testing.assert_allclose(curves(accuracy)["training"][:, 1], 100 * table["train_accuracy"])
    assert {line.get_marker() for line in weight.lines} == ({"."} if epochs == 1 else {"None"})


def test_a_single_epoch_with_a_weight_shows(draw, tmp_path):
    path, _ = write_unlabeled_history(tmp_path, 3, [0.0, 0.0, 1.0])
    _, loss, _ = draw(plot_unlabeled, history=path).axes
    assert {line.get_label(): line.get_marker() for line in loss.lines} == {
        "labelled images": "None",
        "unlabelled images": ".",
    }


def test_threshold_and_accepted_images(draw, tmp_path):
    path, table = write_unlabeled_history(tmp_path, 4, 1.0, threshold=[0.1, 0.5, 0.7, 0.8])
    weight, loss, _ = draw(plot_unlabeled, history=path).axes
    np.testing.assert_allclose(curves(weight)["accepted images"][:, 1], 100 * table["accepted"])
    np.testing.assert_allclose(curves(weight)["threshold"][:, 1], [10, 50, 70, 80])
    np.testing.assert_allclose(curves(loss)["unlabelled images"][:, 1], table["unlabeled_loss"])
    assert len({line.get_linestyle() for line in weight.lines}) == 2, "they are told apart without colours"


def test_training_without_unlabeled_images(tmp_path):
    (path,), _ = write_histories(tmp_path, [3])
    with pytest.raises(UserError, match=r"lacks the columns accepted, unlabeled_loss, unlabeled_weight: give the hist"):
        plot_unlabeled.main(command_line(history=path, pdf=tmp_path / "a.pdf", png=tmp_path / "a.png"))


# Maps


def write_layers(path, labels):
    """Write noise and, twice, the labels one-hot with little noise, as features of the layers of a network."""
    rng = np.random.default_rng(0)
    one_hot = np.eye(CLASSES)[labels] + 0.02 * rng.normal(size=(len(labels), CLASSES))
    features = {"noise": rng.normal(size=(len(labels), 6)), "labels": one_hot, "again": one_hot}
    with h5py.File(path, "w") as file:
        file.attrs["layers"] = list(features)
        for name, values in features.items():
            file[f"{name}/test"] = values.astype(np.float32)


def write_sample(path, labels, count, seed=1):
    """Write a table as evaluate's: rows of `count` images and their labels."""
    rows = np.sort(np.random.default_rng(seed).choice(len(labels), count, replace=False))
    table = pd.DataFrame({"row": rows, "label": labels[rows]})
    table.to_csv(path, index=False)
    return table


def embed(folder, sample, images, perplexity=10, neighbors=5, **representation):
    """Run the program; return its two tables."""
    paths = {"embedding": folder / "embedding.csv", "clustering": folder / "clustering.csv"}
    options = {"test_sample": sample, "images": images, "perplexity": perplexity, "neighbors": neighbors}
    embed_tsne.main(command_line(**options, **representation, **paths))
    return [pd.read_csv(path) for path in paths.values()]


def naive_agreement(points, labels, neighbors):
    """Return the mean fraction of the nearest other points that share the label."""
    total = 0
    for number, point in enumerate(points):
        order = [other for other in np.argsort(np.square(points - point).sum(axis=1)) if other != number]
        total += np.mean(labels[order[:neighbors]] == labels[number])
    return total / len(points)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """Return the sample of 80 of 120 test images and both tables of its layers."""
    folder = tmp_path_factory.mktemp("maps")
    labels = np.random.default_rng(3).permutation(np.arange(120) % CLASSES)
    write_layers(folder / "layers.h5", labels)
    with h5py.File(folder / "images.h5", "w") as file:
        file["test/images"] = np.random.default_rng(4).integers(0, 256, (120, 3, 4, 4), np.uint8)
    sample = write_sample(folder / "sample.csv", labels, 80)
    tables = embed(folder, folder / "sample.csv", folder / "images.h5", layers=f"net={folder / 'layers.h5'}")
    assert all(table["representation"].tolist()[0] == "pixels" for table in tables)
    return sample, *(table[table["representation"] == "net"].drop(columns="representation") for table in tables)


def test_embedding_of_layers(mapped):
    sample, embedding, clustering = mapped
    assert list(embedding) == ["layer", "row", "label", "x", "y"]
    assert list(clustering) == ["layer", *embed_tsne.Clustering._fields, "best"]
    assert list(dict.fromkeys(embedding["layer"])) == clustering["layer"].tolist() == ["noise", "labels", "again"]
    assert (clustering["images"] == 80).all()
    for row in clustering.itertuples():
        points = embedding[embedding["layer"] == row.layer]
        assert points["row"].tolist() == sample["row"].tolist()
        assert points["label"].tolist() == sample["label"].tolist()
        agreement = naive_agreement(points[["x", "y"]].to_numpy(), points["label"].to_numpy(), 5)
        assert row.knn_agreement == pytest.approx(agreement, abs=0.01)


def test_labels_cluster_better_than_noise(mapped):
    """That is so only if the features are those of the sample's images."""
    *_, clustering = mapped
    noise, labels, again = clustering.to_dict("records")
    assert noise["knn_agreement"] < 0.5 < 0.95 < labels["knn_agreement"]
    assert noise["silhouette"] < labels["silhouette"]
    assert noise["knn_agreement_before"] < 0.5 < 0.95 < labels["knn_agreement_before"]
    assert again["knn_agreement"] == labels["knn_agreement"]
    assert clustering["best"].tolist() == [False, True, False], "the largest, of equals the first"


def test_layers_of_a_network(tmp_path, images):
    """What extract_layers writes is what embed_tsne reads."""
    write_exemplar_network(tmp_path / "network.h5")
    options = {"network_file": tmp_path / "network.h5", "layers": tmp_path / "layers.h5", "precision": "float32"}
    extract_layers.main(command_line(images=images, **options))
    write_sample(tmp_path / "sample.csv", np.arange(COUNTS["test"]) % CLASSES, 30)
    _, clustering = embed(tmp_path, tmp_path / "sample.csv", images, 5, 3, layers=f"net={tmp_path / 'layers.h5'}")
    clustering = clustering[clustering["representation"] == "net"]
    assert clustering["layer"].tolist() == ["conv1", "conv2", "full"]
    best = clustering.loc[clustering["best"], "knn_agreement"]
    assert best.tolist() == [clustering["knn_agreement"].max()]


@pytest.mark.parametrize("size", [None, 12])
def test_layers_are_those_that_extract_layers_writes(tmp_path, images, size):
    """Computed from the network for the sampled images alone, scaled to the size that it takes."""
    network = exemplar_network(size=size or 16, classes=CLASSES)
    network_model.write_model(
        tmp_path / "model.h5", network_model.NetworkModel(network, False, "float32", CLASS_NAMES), ABOUT, "{}"
    )
    options = {"network_file": tmp_path / "model.h5", "layers": tmp_path / "layers.h5", "precision": "float32"}
    extract_layers.main(command_line(images=images, image_size=size or "native", **options))
    rows = np.array([0, 3, 4, 35])
    computed = dict(embed_tsne.network_points(tmp_path / "model.h5", images, rows))
    read = dict(embed_tsne.layer_points(tmp_path / "layers.h5", rows))
    assert list(computed) == list(read) == ["conv1", "conv2", "full"]
    for name, points in computed.items():
        np.testing.assert_allclose(points, read[name], atol=1e-4)


def test_network_of_images_with_another_number_of_channels(tmp_path, images):
    network = exemplar_network(channels=1, classes=CLASSES)
    model = network_model.NetworkModel(network, False, "float32", CLASS_NAMES)
    network_model.write_model(tmp_path / "model.h5", model, ABOUT, "{}")
    message = r"model\.h5 takes images of 1 channels, and .*images\.h5 holds 3: give a network that was trained on"
    with pytest.raises(UserError, match=message):
        dict(embed_tsne.network_points(tmp_path / "model.h5", images, np.array([0, 3])))


def test_points_of_pixels_are_those_of_the_sampled_images(images):
    rows = np.array([0, 3, 4, 35])
    points = dict(embed_tsne.pixel_points(images, rows))
    assert list(points) == ["pixels"]
    expected = read_images(images, "test")[rows, 0].reshape(4, -1) / 255
    np.testing.assert_allclose(points["pixels"], expected, rtol=1e-6)


def test_points_of_features_are_standardized(tmp_path, images):
    features = np.random.default_rng(0).normal(3, 2, (50, 7)).astype(np.float32)
    with h5py.File(tmp_path / "features.h5", "w") as file:
        file["test"] = features
    rows = np.arange(1, 50, 4)
    points = dict(embed_tsne.feature_points(tmp_path / "features.h5", rows))
    assert list(points) == ["features"]
    chosen = features[rows].astype(np.float64)
    expected = (chosen - chosen.mean(axis=0)) / np.sqrt(chosen.var(axis=0, ddof=1) + 0.01)
    np.testing.assert_allclose(points["features"], expected, atol=1e-5)


def test_embedding_of_pixels(tmp_path, images):
    sample = write_sample(tmp_path / "sample.csv", np.arange(COUNTS["test"]) % CLASSES, 30)
    embedding, clustering = embed(tmp_path, tmp_path / "sample.csv", images, 5, 3)
    assert embedding["row"].tolist() == sample["row"].tolist()
    assert set(embedding["layer"]) == {"pixels"}
    assert clustering[["layer", "best"]].to_numpy().tolist() == [["pixels", True]]


@pytest.mark.parametrize(("perplexity", "neighbors"), [(30, 3), (40, 3), (5, 15)])
def test_too_few_images_for_a_map(tmp_path, images, perplexity, neighbors):
    write_sample(tmp_path / "sample.csv", np.arange(COUNTS["test"]) % CLASSES, 30)
    match = rf"perplexity {perplexity} and {neighbors} neighbors are too many for the 30 images of .*: lower them"
    with pytest.raises(UserError, match=match):
        embed(tmp_path, tmp_path / "sample.csv", images, perplexity, neighbors)
    assert [path.name for path in tmp_path.iterdir()] == ["sample.csv"]


def test_sample_of_another_data_set(tmp_path, images):
    table = write_sample(tmp_path / "sample.csv", np.arange(1000) % CLASSES, 50)
    match = rf"images\.h5 has {COUNTS['test']} test images, and the sample holds row {table['row'].max()}: give"
    with pytest.raises(UserError, match=match):
        embed(tmp_path, tmp_path / "sample.csv", images)
    assert [path.name for path in tmp_path.iterdir()] == ["sample.csv"]


def test_file_without_layers(tmp_path, images):
    write_sample(tmp_path / "sample.csv", np.arange(COUNTS["test"]) % CLASSES, 30)
    with pytest.raises(UserError, match=r"images\.h5 lacks what is needed"):
        embed(tmp_path, tmp_path / "sample.csv", images, 5, 3, layers=f"net={images}")


def test_file_without_a_name(tmp_path, images, capsys):
    with pytest.raises(SystemExit):
        embed(tmp_path, tmp_path / "sample.csv", images, features="a.h5")
    assert "a.h5 is not of the form NAME=VALUE" in capsys.readouterr().err


# Drawing the maps


def write_map(folder, agreements):
    """Write both tables of embed_tsne with a random map for each layer; return the options, and the embedding.

    The map that is asked for has a neighbour with the same names of layers.
    """
    rng = np.random.default_rng(0)
    rows = np.array([1, 4, 5, 9, 20, 35])
    embedding = pd.concat(
        [
            pd.DataFrame(
                {"layer": name, "row": rows, "label": rows % CLASSES, "x": rng.random(6), "y": 2 * rng.random(6)}
            )
            for name in agreements
        ]
    )
    best = max(agreements, key=agreements.get)
    clustering = pd.DataFrame(
        [{"layer": name, "knn_agreement": value, "best": name == best} for name, value in agreements.items()]
    )
    options = {"embedding": folder / "embedding.csv", "clustering": folder / "clustering.csv", "representation": "net"}
    other = embedding.assign(representation="other", x=-embedding["x"])
    pd.concat([other, embedding.assign(representation="net")]).to_csv(options["embedding"], index=False)
    other = clustering.assign(representation="other", best=np.arange(len(clustering)) == 0)
    pd.concat([other, clustering.assign(representation="net")]).to_csv(options["clustering"], index=False)
    return options, embedding


def test_map_of_the_best_layer(draw, monkeypatch, tmp_path, images):
    paths, embedding = write_map(tmp_path, {"conv1": 0.2, "conv2": 0.6, "full": 0.5})
    calls, draw_map = [], plot_tsne.draw_map

    def keep(*arguments):
        calls.append(arguments)
        return draw_map(*arguments)

    monkeypatch.setattr(plot_tsne, "draw_map", keep)
    figure = draw(plot_tsne, images=images, **paths)
    ((drawn, places, colors),) = calls
    expected = embedding[embedding["layer"] == "conv2"]
    np.testing.assert_array_equal(drawn, read_images(images, "test")[expected["row"]])
    np.testing.assert_allclose(places, expected[["x", "y"]])
    assert [to_hex(color / 255).upper() for color in colors] == [COLORS[label] for label in expected["label"]]
    assert figure.axes[0].get_title() == "conv2"
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == CLASS_NAMES


def test_map_of_a_single_layer_names_none(draw, tmp_path, images):
    paths, _ = write_map(tmp_path, {"pixels": 0.2})
    assert draw(plot_tsne, images=images, **paths).axes[0].get_title() == ""


@pytest.mark.parametrize(
    "agreements",
    [
        {"pixels": 0.25},
        {"conv1": 0.2, "conv2": 0.6042, "full": 0.5},
        {"stem": 0.1, "stage1": 0.2, "stage2": 0.3, "stage3": 0.432},
    ],
)
def test_maps_of_all_layers(draw, tmp_path, images, agreements):
    paths, embedding = write_map(tmp_path, agreements)
    figure = draw(plot_layers, images=images, **paths)
    best = max(agreements, key=agreements.get)
    assert [axes.get_title() for axes in figure.axes] == [
        f"{name}: {100 * value:.1f} %" + (" (best)" if name == best else "") for name, value in agreements.items()
    ]
    for axes, name in zip(figure.axes, agreements, strict=True):
        expected = embedding[embedding["layer"] == name]
        (points,) = axes.collections
        np.testing.assert_allclose(points.get_offsets(), expected[["x", "y"]])
        assert [to_hex(color).upper() for color in points.get_facecolors()] == [
            COLORS[label] for label in expected["label"]
        ]
        assert axes.yaxis_inverted(), "as in the map of pictures"
    assert len(figure.legends) == 1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == CLASS_NAMES


def test_rule_graph_is_the_same_in_every_order():
    """Snakemake numbers and orders rules anew at each start."""
    first = 'digraph {\n0[label = "all"];\n1[label = "train"];\n2[label = "data"];\n1 -> 0\n2 -> 1\n2 -> 0\n}'
    second = 'digraph {\n0[label = "data"];\n2[label = "train"];\n1[label = "all"];\n0 -> 1\n0 -> 2\n2 -> 1\n}'
    expected = [("data", "all"), ("data", "train"), ("train", "all")]
    assert plot_rulegraph.parse_dot(first) == plot_rulegraph.parse_dot(second) == expected


@pytest.mark.parametrize("sources", [1, 5, 6, 10])
def test_rules_lead_downwards_and_their_names_have_room(sources):
    first = [(f"source{number}", "report") for number in range(sources)]
    edges = [("data", "train"), ("train", "evaluate"), ("evaluate", "report"), ("data", "report"), *first]
    places = plot_rulegraph.places(edges)
    assert all(places[start][1] > places[end][1] for start, end in edges)
    for number in range(sources):
        assert abs(places[f"source{number}"][1] - places["evaluate"][1]) < 0.5, "just above what needs it"
    side_by_side = [
        abs(x - other_x)
        for name, (x, y) in places.items()
        for other, (other_x, other_y) in places.items()
        if name < other and y == other_y
    ]
    assert min(side_by_side, default=1.0) > 0.16


# Names of folders


@pytest.mark.parametrize("name", ["$x$", r"$\foo$", r"a\$b", "_misc", "5 $ or 6 $", "50 % #1 {a} ~^&"])
def test_names_of_classes_are_shown_letter_by_letter(tmp_path, name):
    rows = [("kmeans", "seed0", true, predicted, 3) for true in (name, "$other") for predicted in (name, "$other")]
    table = pd.DataFrame(rows, columns=["experiment", "run", "true", "predicted", "images"])
    confusion = plot_confusion.confusion_figure(table, "kmeans")
    canvas = np.zeros((50, 100, 3), np.uint8)
    figures = [confusion, plot_tsne.map_figure(canvas, "pixels", [name, "$other"])]
    for number, figure in enumerate(figures):
        save_figure(figure, tmp_path / f"{number}.pdf", tmp_path / f"{number}.png")
        drawn = shown_words(figure)
        assert {name, "$other"} <= drawn, drawn


def shown_words(figure):
    """Return the words that matplotlib draws, without their outer spaces."""
    found = set()
    for text in figure.findobj(Text):
        words, formula = text._preprocess_math(text.get_text())
        assert formula is False, words
        found.add(words.strip())
    return found
