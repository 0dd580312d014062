"""What the report computes from tables, and how it writes it: rounds, networks, figures, settings, the source."""

import pkgutil

import h5py
import numpy as np
import pandas as pd
import pytest

from declarations.options import option_names
from fixtures_report import (
    DEFAULTS,
    METHODS,
    PUBLISHED,
    made_up_held_out,
    made_up_history,
    made_up_rounds,
    of_method,
    study_with_pseudo_labels,
    write_csv,
)
from reporting import figures, methods, plain, source
from reporting.augmentation import AUGMENTATIONS, augmentation
from reporting.methods.exemplar import RANGES, named_transformations, range_text, ranges_text
from reporting.methods.fixmatch import strong_changes
from reporting.networks import network_values, training_values
from reporting.rounds import rounds_values, rule_text
from reporting.text import FILTERS, listed, short, tex
from semisup.comparability import accepts_nothing
from semisup.constants import TRANSFORMATIONS
from semisup.network import Shape, new_network, write_network


@pytest.mark.parametrize(
    ("changes", "text", "control"),
    [
        ({}, "most confident 100", False),
        ({"class_balanced": True}, "most confident 10 of each class", False),
        ({"accept": "threshold"}, "confidence of at least 0.9", False),
        (
            {"accept": "threshold", "class_balanced": True},
            "confidence of at least 0.9, at most 10 of each class",
            False,
        ),
        ({"accepted": 0}, "none (control)", True),
        ({"accepted": 0, "accept": "threshold"}, "none (control)", True),
        ({"accepted": 0, "accept": "threshold", "class_balanced": True}, "none (control)", True),
    ],
)
def test_rules_of_rounds_in_words(changes, text, control):
    options = {"accept": "top", "accepted": 100, "threshold": 0.9, "class_balanced": False} | changes
    assert rule_text(options, 10) == text
    assert accepts_nothing(options) == control


def rounds_plan(**changes):
    options = {"accept": "top", "accepted": 100, "class_balanced": False, "rounds": 2, "epochs": 5, "restart": False}
    options |= {"steps_per_epoch": 0, "batch_size": 30}
    return of_method("pseudo_label_rounds") | {"runs": ["seed0", "seed1", "fold0"], "options": options | changes}


def write_round_tables(folder):
    """Write the rounds of two seeds and, to be left out, of a fold."""
    columns = ["training_images", "accepted", "mean_confidence", "lowest_confidence", "held_out_images"]
    columns += ["held_out_precision", "validation_accuracy", "images_per_second"]
    rows = {
        "seed0": [
            (400, 100, 0.9, 0.7, 30, 0.5, 0.6, None),
            (500, 0, None, None, 0, None, 0.7, 50),
            (500, 0, None, None, 10, 1.0, 0.8, 50),
        ],
        "seed1": [
            (400, 300, 0.98, 0.8, 60, 1.0, 0.5, None),
            (700, 100, 0.96, 0.75, 0, None, 0.5, 50),
            (800, 0, None, None, 0, None, 0.4, 50),
        ],
    }
    for run, table in (rows | {"fold0": rows["seed0"]}).items():
        table = pd.DataFrame(table, columns=columns).assign(seconds=30.0, peak_memory_gib=1.0)
        write_csv(folder / run / "history.csv", table.assign(round=range(3)))
    columns = ["round", "row", "label", "predicted", "confidence"]
    held_out = {
        "seed0": [(0, 7, 3, 3, 0.9), (0, 8, 3, 2, 0.8), (2, 7, 3, 3, 1.0)],
        "seed1": [],
        "fold0": [(0, 7, 0, 1, 0)],
    }
    for run, table in held_out.items():
        write_csv(folder / run / "held_out.csv", pd.DataFrame(table, columns=columns))


def test_values_of_rounds(tmp_path):
    write_round_tables(tmp_path)
    values = rounds_values(rounds_plan(), tmp_path, 10)["rounds"]
    assert values["training"] == pytest.approx([400, 650])
    assert values["validation"] == pytest.approx([0.55, 0.6])
    assert values["precision"] == pytest.approx(2 / 3)
    assert values["confidence"] == pytest.approx(0.9)
    assert values["lowest"] == pytest.approx(0.7)
    assert (values["images"], values["mistakes"]) == (2, 1), "image 7 would be accepted in two rounds"


def test_rounds_that_accept_nothing_have_no_confidence(tmp_path):
    history = made_up_rounds(rounds_plan(accepted=0)["options"], np.random)
    write_csv(tmp_path / "seed0" / "history.csv", history)
    write_csv(tmp_path / "seed0" / "held_out.csv", made_up_held_out(history, np.random))
    values = rounds_values(rounds_plan(accepted=0) | {"runs": ["seed0"]}, tmp_path, 10)
    assert values["control"]
    keys = ("precision", "confidence", "lowest")
    assert [FILTERS["percent_if_any"](values["rounds"][key]) for key in keys] == ["--"] * 3


def test_training_values_of_rounds(tmp_path):
    write_round_tables(tmp_path)
    values = training_values(rounds_plan(), tmp_path)
    assert (values["runs"], values["epochs"], values["images_per_second"]) == (3, r"$2\times5$", 50)
    # 16 batches of 30 of the 500 images; the rest of an epoch makes no batch.
    assert values["images"] == 5 * (480 + 480), "the base's are not the rounds'"
    restarted = training_values(rounds_plan(restart=True), tmp_path)
    assert restarted["images"] == 5 * 480, "only the last training counts"
    stepped = training_values(rounds_plan(steps_per_epoch=3), tmp_path)
    assert stepped["images"] == 2 * 5 * 3 * 30


def test_training_values_sum_over_runs(tmp_path):
    for number, run in enumerate(("seed0", "seed1", "fold0")):
        table = made_up_history(2 + number, np.random.default_rng(0)) | {"peak_memory_gib": float(number)}
        write_csv(tmp_path / run / "history.csv", table)
        write_csv(tmp_path / run / "pretraining_history.csv", table)
    runs = ["seed0", "seed1", "fold0"]
    values = training_values(of_method("supervised") | {"runs": runs}, tmp_path)
    assert values["runs"] == 3
    assert values["epochs"] == "2--4"
    assert values["minutes"] == pytest.approx(9 * 30 / 60)
    assert values["peak_memory_gib"] == 2
    values = training_values(of_method("exemplar") | {"runs": runs}, tmp_path)
    assert (values["runs"], values["epochs"]) == (2, "2--3")


def test_network_values_are_those_of_the_network(tmp_path):
    network = new_network(Shape("exemplar_small", 3, 32, 10, 0.0), seed=0)
    with h5py.File(tmp_path / "model.h5", "w") as file:
        write_network(file.create_group("network"), network)
    values = network_values(tmp_path / "model.h5")
    assert values["layers"] == r"\texttt{conv1} 64 (16), \texttt{conv2} 64 (8), \texttt{full} 128 (1)"
    assert values["weights"] == sum(value.numel() for value in network.parameters())
    assert (values["network"], values["channels"], values["size"], values["classes"]) == ("exemplar_small", 3, 32, 10)


def test_only_rounds_that_accept_are_shown():
    rows = study_with_pseudo_labels()
    files = {kind: [row["name"] for row in rows] for kind in ("rounds", "mistakes", "unlabeled")}
    assert [row["name"] for row in figures.shown_rounds(rows)] == ["rounds", "svm"]
    control_first = [row for row in rows if row["control"]] + rows
    assert [row["name"] for row in figures.shown_rounds(control_first)] == ["rounds", "svm"]
    for row in rows:
        row |= {"options": {"transformations": []}, "rounds": {"mistakes": int(row["name"] == "svm")}}
        row["seeds"] |= {"validation_accuracy_mean": 0.5}
    shown = figures.shown_figures(rows, files)
    assert [row["name"] for row in shown["mistakes"]] == ["svm"], "the first that has any"
    assert [row["name"] for row in shown["unlabeled"]] == ["fixmatch", "loss"]


# Sections and settings of methods


def test_strong_changes_are_those_of_the_strong_version():
    weak = {"shift": 8, "flip": True, "color": 0.0, "hue": 0.0, "cutout": 0, "copies": 0}
    strong = {"strong_color": 0.5, "strong_hue": 0.1, "strong_rotation": 30.0, "strong_cutout": 48}
    assert augmentation(weak | strong) == ["shift 8", "flip"]
    expected = ["shift 8", "flip", "colour 0.5", "hue 0.1", "cut-out 48", "rotation 30"]
    assert strong_changes(weak | strong) == expected
    assert augmentation(weak | {"copies": 30, "flip": False}) == ["30 copies", "shift 8"]
    assert augmentation(weak | {"alternate_flips": True}) == ["shift 8", "flip", "alternate flips"]


def test_ranges_name_the_exceptions_first():
    rows = [
        {"title": name, "options": {"transformations": ["translation"], "translation": value}}
        for name, value in (("first", 0.1), ("second", 0.2), ("third", 0.2))
    ]
    text = r"$\pm$0.1 (\emph{first}), else $\pm$0.2"
    assert ranges_text(rows, "translation") == text
    assert ranges_text(rows[1:], "translation") == r"$\pm$0.2"
    assert range_text({"scale": [0.7, 1.4]}, "scale") == "0.7 to 1.4"
    assert range_text({}, "hue") == "--"


def test_every_transformation_has_ranges_in_the_options_and_in_the_paper():
    assert tuple(RANGES) == TRANSFORMATIONS
    for options in (DEFAULTS["exemplar"], PUBLISHED["exemplar_paper"]["ranges"]):
        assert all(name in options for signs in RANGES.values() for name in signs)
    assert set(PUBLISHED["surrogate_classes"]["ranges"]) == {"rotation", "translation", "scale"}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], "none"),
        (TRANSFORMATIONS, "all"),
        (TRANSFORMATIONS[:-1], r"all but \texttt{hue}"),
        (["rotation", "scale"], r"\texttt{rotation} and \texttt{scale}"),
    ],
)
def test_named_transformations(names, expected):
    assert named_transformations(list(names)) == expected


def test_further_settings_are_options_of_their_method():
    found = [module.name for module in pkgutil.iter_modules(methods.__path__)]
    assert found
    for name in found:
        base = METHODS[name].base
        known = option_names(METHODS[name], *(METHODS[other] for other in (base.of if base else ())))
        assert set(methods.module_of(name).FURTHER) <= set(known), name
    assert set(AUGMENTATIONS) <= set(DEFAULTS["supervised"])


def test_a_method_has_the_module_of_its_name_or_the_plain_one():
    assert methods.module_of("kmeans").__name__ == "reporting.methods.kmeans"
    for name in ("pixels", "one_of_tomorrow", "..plain", ""):
        assert methods.module_of(name) is plain


# The source


def test_rounds_of_the_source():
    found = source.source_rounds(PUBLISHED["pseudo_label_rounds"])
    assert (found["rounds"], found["all_epochs"], found["all_candidates"]) == (48, 240, 48000)
    assert (DEFAULTS["pseudo_label_rounds"]["rounds"], DEFAULTS["pseudo_label_rounds"]["epochs"]) == (48, 5)


def test_published_training_accuracies_cannot_be_stl10():
    facts = source.source_table_facts(PUBLISHED["solver_table"], studies=[])
    impossible = {row["count"]: row["percents"] for row in facts["impossible"]}
    for count in (1000, 4000, 5000):
        attainable = {f"{100 * right / count:.2f}" for right in range(count + 1)}
        assert impossible[count] == [value for value in ("96.71", "99.04", "99.34", "99.53") if value not in attainable]
    assert all("96.71" in values for values in impossible.values())
    assert facts["equal_last_rows"] == 3
    assert facts["study"] is None
    assert facts["inverted_rows"] == 3
    assert facts["fitting_counts"] == ["10,000", "60,000"]


@pytest.mark.parametrize(
    ("value", "count", "possible"), [(50.0, 2, True), (33.33, 3, True), (33.3, 3, False), (99.53, 5000, False)]
)
def test_attainable(value, count, possible):
    assert source.attainable(value, count) is possible
    brute = any(round(100 * right / count, 2) == value for right in range(count + 1))
    assert brute is possible


def test_seed_setting_gives_sixteen_patches():
    setting = source.seed_setting({"patch_size": 22, "gap": 2, "image_size": 96})
    assert (setting["stride"], setting["patches"], setting["misread_patches"]) == (24, 16, 1444)


# How values are written


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0003, "0.0003"), (3e-5, r"$3\cdot10^{-5}$"), (1600.0, "1600"), (2.5e7, r"$2.5\cdot10^{7}$")],
)
def test_small_numbers_are_powers_of_ten(value, expected):
    assert short(value) == expected


def test_lists_read_as_sentences():
    assert [listed("abc"[:size]) for size in (1, 2, 3)] == ["a", "a and b", "a, b and c"]


def test_special_characters_are_escaped():
    assert tex("50 % & _x{}") == r"50 \% \& \_x\{\}"
