"""Model cards: every fact from the model, the data set, the tables or the plan, and nothing in a text is markup."""

import json
from typing import NamedTuple

import h5py
import pytest

import write_model_cards
from fixtures_kmeans import command_line
from semisup.cli import UserError
from semisup.files import file_checksum
from semisup.model_format import About, write_model_file

ABOUT = About("stripes", "seed3", 40, 24, 0.75, 1.5, 128.0)
PLAN = {
    "title": "Stripes | broad",
    "data_about": "Stripes of `two` kinds.",
    "licence": "CC0",
    "embedded": False,
    "confidence": 0.9,
    "experiments": {
        "net": {"title": "A <b>net</b>", "about": "A method\nof two lines.", "unlabeled": "pseudo-labels"},
        "lines": {"title": "Lines", "about": "Another.", "unlabeled": ""},
    },
}
METRICS = """\
experiment,run,test_images,test_groups,test_accuracy,test_accuracy_low,test_accuracy_high
net,seed3,1200,60,0.61,0.486,0.753
lines,seed3,1200,60,0.5,0.4,0.6
"""
COMPARISON = """\
experiment,seeds_runs,seeds_test_accuracy_mean,seeds_test_accuracy_std,seeds_test_accuracy_low,seeds_test_accuracy_high
net,2,0.57,0.0566,0.46,0.69
lines,1,0.5,,0.4,0.6
"""
PER_CLASS = """\
experiment,run,class,images,test_accuracy
net,seed3,up_right,600,0.7
net,seed5,up_right,600,0.1
net,seed3,down|left,600,0.52
"""


class Linear(NamedTuple):
    """A model without a network."""

    image_size: int
    class_names: list[str]


@pytest.fixture
def options(tmp_path):
    """The options of the program for a network and another model, all files in a folder."""
    models = [tmp_path / name / "seed3" / "model.h5" for name in PLAN["experiments"]]
    for path in models:
        path.parent.mkdir(parents=True)
        write_model_file(path, "pixels", Linear(16, ["up_right", "down|left"]), ABOUT)
    with h5py.File(models[0], "r+") as file:
        del file.attrs["image_size"]
        made = {"processor": "A processor", "products": "bfloat16", "threads": 1}
        file.attrs.update({"kind": "network", "precision": "auto", "computed_on": json.dumps(made)})
        shape = {"network": "resnet", "channels": 3, "size": 48, "facts": json.dumps({"weights": 3036234})}
        file.create_group("network").attrs.update(shape)
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file.attrs["source"] = "drawn by a program"
    tables = {"metrics": METRICS, "comparison": COMPARISON, "per_class": PER_CLASS}
    for name, content in tables.items():
        (tmp_path / f"{name}.csv").write_text(content)
    return {
        "models": models,
        "images": tmp_path / "images.h5",
        **{name: tmp_path / f"{name}.csv" for name in tables},
        "plan": json.dumps(PLAN),
        "cards": [tmp_path / "cards" / f"{name}.md" for name in PLAN["experiments"]],
    }


def rows_of(card):
    """What the table of a card says, by the names of its rows."""
    lines = [line.strip("| ").split(" | ") for line in card.read_text().splitlines() if line.startswith("| ")]
    return dict(lines[1:])


def test_card_of_a_network(options):
    write_model_cards.main(command_line(**options))
    card, model = options["cards"][0], options["models"][0]
    text = card.read_text()
    assert text.startswith("# Model card: A \\<b\\>net\\</b\\>\n\nOf `")
    assert f"Of `{model}`, run `seed3` of the experiment `net` of the study Stripes \\| broad." in text
    assert file_checksum(model, "sha256") in text
    assert f" --model {model} " in text
    assert "1,200 test images come in 60 groups" in text
    assert "temperature 1.5) on 24 validation images" in text
    assert rows_of(card) == {
        "method": "A method of two lines.",
        "model": "kind `network`; network `resnet`, 3,036,234 weights; sees images of 48 × 48 × 3",
        "data": "Stripes of `two` kinds. Source: drawn by a program.",
        "licence of the data": "CC0",
        "labels": "40 labelled training images",
        "unlabeled images": "used for: pseudo-labels",
        "protocol": "all training images of the study's split, seed 3",
        "test accuracy": "61.0 % (90 % interval 48.6 % to 75.3 %), of 1,200 sealed images",
        "test accuracy, mean of 2 seeds": "57.0 % ± 5.7 % (90 % interval 46.0 % to 69.0 %)",
        "validation accuracy": "75.0 % of 24 images",
        "classes, with test accuracy": "up\\_right 70.0 %, down\\|left 52.0 %",
        "precision": "option `auto`; trained with products in bfloat16 on A processor",
    }


def test_card_of_what_is_no_network(options):
    """It has no weights to count and no precision to choose; of one run there is no mean."""
    write_model_cards.main(command_line(**options))
    rows = rows_of(options["cards"][1])
    assert rows["model"] == "kind `pixels`; sees images of 16 × 16"
    assert rows["unlabeled images"] == "not used"
    assert rows["classes, with test accuracy"] == "up\\_right, down\\|left"  # none in the table
    assert not {"precision", "test accuracy, mean of 1 seeds"} & set(rows)


@pytest.mark.parametrize(("table", "content"), [("metrics", METRICS), ("comparison", COMPARISON)])
def test_missing_row_is_named_and_no_card_is_written(options, table, content):
    options[table].write_text(content.replace("lines", "other"))
    with pytest.raises(UserError, match=rf"{table}.csv has no row of lines"):
        write_model_cards.main(command_line(**options))
    assert not options["cards"][0].exists()


def test_model_of_no_run_is_refused(options, tmp_path):
    moved = tmp_path / "net" / "elsewhere" / "model.h5"
    moved.parent.mkdir()
    options["models"][0].rename(moved)
    with pytest.raises(UserError, match=r"elsewhere/model.h5 lies in no run's folder"):
        write_model_cards.main(command_line(**options | {"models": [moved, options["models"][1]]}))
