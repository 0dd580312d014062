"""The tables of `evaluate`, each number computed again from the scores by other means."""

import argparse
import ast
import hashlib
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

import evaluate
import write_predictions
from fixtures_kmeans import CLASS_NAMES, COUNTS, command_line, write_striped_dataset
from semisup.cli import UserError
from semisup.dataset import read_labelled, run_rows

PROGRAMS = Path(evaluate.__file__).parent
RUNS = ("seed0", "seed1", "fold0", "fold1")
EXPERIMENTS = {"plain": 0.8, "better": 2.0}  # name -> how much the true class stands out of the noise
TABLES = ("metrics", "per_class", "confusion", "comparison", "label_curve", "solver_iterations", "test_sample")
STEPS = [10, 100, 0]
TOP_K = 3
SAMPLE = 20


class Study:
    """A data set, the scores of two experiments x four runs, and the labels that they are measured with."""

    def __init__(self, folder):
        self.folder = folder
        self.images, self.test_labels_path, self.test_labels = write_striped_dataset(folder)
        self.labelled = read_labelled(self.images)
        self.scores, self.solver = {}, {}
        for seed, (experiment, signal) in enumerate(EXPERIMENTS.items()):
            for number, run in enumerate(RUNS):
                self.write_run(experiment, run, signal, np.random.default_rng([seed, number]))

    def write_run(self, experiment, run, signal, rng):
        path = self.folder / experiment / run
        path.mkdir(parents=True)
        train_rows, rows = run_rows(self.images, run)
        scores = {
            "validation": noisy_scores(self.labelled[rows], signal, rng),
            "validation_rows": rows,
            "test": noisy_scores(self.test_labels, signal, rng),
        }
        np.savez(path / "scores.npz", **scores)
        self.scores[experiment, run] = scores
        if run.startswith("seed"):  # only these are followed
            labels = {"train": self.labelled[train_rows], "validation": self.labelled[rows], "test": self.test_labels}
            solver = {
                name: np.stack([noisy_scores(values, signal, rng) for _ in STEPS]) for name, values in labels.items()
            }
            rows = {"train_rows": train_rows, "validation_rows": rows}
            np.savez(path / "solver_iterations.npz", steps=np.array(STEPS), **solver, **rows)
            self.solver[experiment, run] = solver, labels

    def evaluate(self, output, scores=None, **changes):
        """Run the program; return its tables by name."""
        output.mkdir(exist_ok=True)
        tables = {table: output / f"{table}.csv" for table in TABLES}
        options = {
            "scores": scores or [self.folder / name / run / "scores.npz" for name, run in self.scores],
            "solver_scores": [self.folder / name / run / "solver_iterations.npz" for name, run in self.solver],
            "images": self.images,
            "test_labels": self.test_labels_path,
            "baselines": [f"{name}=plain" for name in EXPERIMENTS],
            "top_k": TOP_K,
            "bootstrap_samples": 300,
            "confidence": 0.9,
            "sample_images": SAMPLE,
        }
        evaluate.main(command_line(**options | changes, **tables))
        return {table: pd.read_csv(path) for table, path in tables.items()}

    def correct(self, experiment, run):
        """Return for each test image whether the run has it right."""
        return np.argmax(self.scores[experiment, run]["test"], axis=1) == self.test_labels


def noisy_scores(labels, signal, rng):
    """Return float32 (N, classes) in steps of a half, so that some scores are equal."""
    scores = rng.normal(size=(len(labels), len(CLASS_NAMES)))
    scores[np.arange(len(labels)), labels] += signal
    return (np.round(2 * scores) / 2).astype(np.float32)


def naive_top_k_error(scores, labels, k):
    wrong = 0
    for row, label in zip(scores, labels, strict=True):
        first = sorted(range(len(row)), key=lambda number: (-row[number], number))[:k]
        wrong += label not in first
    return wrong / len(labels)


def naive_interval(values, groups, samples=3000, confidence=0.9):
    """Draw runs and groups of images one by one; values: (runs, N)."""
    rng = np.random.default_rng(5)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    means = []
    for _ in range(samples):
        images = np.concatenate([members[number] for number in rng.integers(len(members), size=len(members))])
        runs = rng.integers(len(values), size=len(values))
        means.append(values[runs][:, images].mean())
    return np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])


def assert_interval(row, prefix, values, groups=None):
    """The program's interval comes from other random samples, so it may differ by a part of its width."""
    values = np.atleast_2d(values).astype(float)
    low, high = naive_interval(values, np.arange(values.shape[1]) if groups is None else groups)
    assert row[f"{prefix}_low"] == pytest.approx(low, abs=0.2 * (high - low) + 1e-9)
    assert row[f"{prefix}_high"] == pytest.approx(high, abs=0.2 * (high - low) + 1e-9)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return Study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def tables(study):
    return study.evaluate(study.folder / "tables")


def test_metrics_of_each_run(study, tables):
    table = tables["metrics"].set_index(["experiment", "run"])
    assert list(table.index) == [(experiment, run) for experiment in EXPERIMENTS for run in RUNS]
    for (experiment, run), row in table.iterrows():
        scores = study.scores[experiment, run]
        train, validation = run_rows(study.images, run)
        assert row["protocol"] == ("seeds" if run.startswith("seed") else "folds")
        assert row["labels"] == len(train) == (40 if run.startswith("seed") else 20)
        assert row["validation_images"] == len(validation)
        assert row["test_images"] == row["test_groups"] == COUNTS["test"]
        right = scores["validation"].argmax(axis=1) == study.labelled[validation]
        assert row["validation_accuracy"] == pytest.approx(right.sum() / len(validation))
        correct = study.correct(experiment, run)
        assert row["test_accuracy"] == pytest.approx(correct.sum() / COUNTS["test"])
        assert_interval(row, "test_accuracy", correct)
        for k in range(1, TOP_K + 1):
            naive = naive_top_k_error(scores["test"], study.test_labels, k)
            assert row[f"top{k}_error"] == pytest.approx(naive)
        path = study.folder / experiment / run / "scores.npz"
        assert row["scores_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_validation_images_are_those_that_have_scores(study, tmp_path):
    scores = study.scores["plain", "seed0"]
    part = {name: scores[name][::2] for name in ("validation", "validation_rows")}
    path = changed_run(study, tmp_path, **part)
    row = study.evaluate(tmp_path / "tables", [path], baselines=["plain=plain"], solver_scores=[])["metrics"].iloc[0]
    assert row["validation_images"] == len(part["validation"]) < len(scores["validation"])


def test_accuracy_of_each_class(study, tables):
    table = tables["per_class"].set_index(["experiment", "run", "class"])
    assert len(table) == len(EXPERIMENTS) * len(RUNS) * len(CLASS_NAMES)
    for (experiment, run, name), row in table.iterrows():
        correct = [
            right
            for right, label in zip(study.correct(experiment, run), study.test_labels, strict=True)
            if CLASS_NAMES[label] == name
        ]
        assert row["images"] == len(correct)
        assert row["test_accuracy"] == pytest.approx(sum(correct) / len(correct))


def test_confusion(study, tables):
    table = tables["confusion"]
    assert len(table) == len(EXPERIMENTS) * len(RUNS) * len(CLASS_NAMES) ** 2
    for (experiment, run), rows in table.groupby(["experiment", "run"]):
        counts = {}
        for row, label in zip(study.scores[experiment, run]["test"], study.test_labels, strict=True):
            pair = CLASS_NAMES[label], CLASS_NAMES[int(np.argmax(row))]
            counts[pair] = counts.get(pair, 0) + 1
        for _, row in rows.iterrows():
            assert row["images"] == counts.get((row["true"], row["predicted"]), 0)


@pytest.mark.parametrize("protocol", ["seeds", "folds"])
def test_comparison_of_the_experiments(study, tables, protocol):
    table = tables["comparison"].set_index("experiment")
    assert list(table.index) == list(EXPERIMENTS)
    runs = [run for run in RUNS if run.startswith(protocol.removesuffix("s"))]
    for experiment, row in table.iterrows():
        correct = np.array([study.correct(experiment, run) for run in runs], float)
        first, second = correct.mean(axis=1)
        validation = [
            np.mean(scores["validation"].argmax(axis=1) == study.labelled[scores["validation_rows"]])
            for scores in (study.scores[experiment, run] for run in runs)
        ]
        errors = [
            [naive_top_k_error(study.scores[experiment, run]["test"], study.test_labels, k) for run in runs]
            for k in range(1, TOP_K + 1)
        ]
        assert row["baseline"] == "plain"
        assert row[f"{protocol}_runs"] == 2
        assert row[f"{protocol}_labels"] == {"seeds": 40, "folds": 20}[protocol]
        assert row[f"{protocol}_validation_accuracy_mean"] == pytest.approx(sum(validation) / 2)
        assert row[f"{protocol}_test_accuracy_mean"] == pytest.approx((first + second) / 2)
        # With two values and n - 1 in the denominator.
        assert row[f"{protocol}_test_accuracy_std"] == pytest.approx(abs(first - second) / 2**0.5)
        assert_interval(row, f"{protocol}_test_accuracy", correct)
        for k, pair in enumerate(errors, start=1):
            assert row[f"{protocol}_top{k}_error_mean"] == pytest.approx(sum(pair) / 2)


@pytest.mark.parametrize("protocol", ["seeds", "folds"])
def test_paired_difference_to_the_baseline(study, tables, protocol):
    table = tables["comparison"].set_index("experiment")
    differences = table.filter(regex=rf"^{protocol}_difference")
    assert differences.loc["plain"].isna().all(), "the baseline is not compared with itself"
    runs = [run for run in RUNS if run.startswith(protocol.removesuffix("s"))]
    pairs = [study.correct("better", run).astype(float) - study.correct("plain", run) for run in runs]
    row = differences.loc["better"]
    assert row[f"{protocol}_difference_runs"] == 2
    assert row[f"{protocol}_difference"] == pytest.approx(np.mean(pairs))
    assert_interval(row, f"{protocol}_difference", pairs)


def test_images_of_a_group_are_drawn_together(study, tables, tmp_path):
    """Every number but the intervals stays as it is."""
    groups = np.random.default_rng(0).permutation(np.arange(COUNTS["test"]) // 6)
    path = tmp_path / "test_labels.h5"
    path.write_bytes(study.test_labels_path.read_bytes())
    with h5py.File(path, "a") as file:
        file["group"] = groups
    grouped = study.evaluate(tmp_path / "tables", test_labels=path)
    metrics = grouped["metrics"].set_index(["experiment", "run"])
    assert (metrics["test_groups"] == COUNTS["test"] / 6).all()
    assert_interval(metrics.loc["plain", "seed0"], "test_accuracy", study.correct("plain", "seed0"), groups)
    row = grouped["comparison"].set_index("experiment").loc["better"]
    ours, theirs = (np.array([study.correct(name, run) for run in RUNS[:2]], float) for name in ("better", "plain"))
    assert_interval(row, "seeds_test_accuracy", ours, groups)
    assert_interval(row, "seeds_difference", ours - theirs, groups)
    for name in ("metrics", "comparison"):
        intervals = [column for column in tables[name] if column.endswith(("_low", "_high"))]
        changed = [*intervals, *(["test_groups"] if name == "metrics" else [])]
        pd.testing.assert_frame_equal(grouped[name].drop(columns=changed), tables[name].drop(columns=changed))
        assert not grouped[name][intervals].equals(tables[name][intervals])


def test_runs_that_differ_as_a_whole_widen_the_interval(study, tmp_path):
    """One seed is all right and the other all wrong: no choice of images would tell."""
    for run, wrong in (("seed0", 0), ("seed1", 1)):
        scores = np.eye(len(CLASS_NAMES), dtype=np.float32)[(study.test_labels + wrong) % len(CLASS_NAMES)]
        changed_run(study, tmp_path, run, test=scores)
    paths = [tmp_path / "plain" / run / "scores.npz" for run in ("seed0", "seed1")]
    tables = study.evaluate(tmp_path / "tables", paths, baselines=["plain=plain"], solver_scores=[])
    row = tables["comparison"].iloc[0]
    assert (row["seeds_test_accuracy_low"], row["seeds_test_accuracy_high"]) == (0, 1)
    assert tables["metrics"]["test_accuracy_low"].tolist() == [1, 0], "a run alone knows of its own images"


def test_seeds_and_folds_share_no_column(study, tables, tmp_path):
    seeds = study.evaluate(tmp_path, [study.folder / name / run / "scores.npz" for name, run in study.solver])
    comparison = seeds["comparison"]
    assert not [column for column in comparison if column.startswith("folds_")]
    both = tables["comparison"][list(comparison)]
    pd.testing.assert_frame_equal(comparison, both)


def test_one_run_has_no_standard_deviation(study, tmp_path):
    paths = [study.folder / name / "seed0" / "scores.npz" for name in EXPERIMENTS]
    comparison = study.evaluate(tmp_path, paths)["comparison"]
    assert comparison["seeds_runs"].tolist() == [1, 1]
    assert comparison["seeds_test_accuracy_std"].isna().all()


def test_only_runs_of_both_are_compared(study, tmp_path):
    paths = [study.folder / name / "scores.npz" for name in ("plain/seed0", "better/seed0", "better/seed1")]
    row = study.evaluate(tmp_path, paths)["comparison"].set_index("experiment").loc["better"]
    assert (row["seeds_runs"], row["seeds_difference_runs"]) == (2, 1)
    pair = study.correct("better", "seed0").astype(float) - study.correct("plain", "seed0")
    assert row["seeds_difference"] == pytest.approx(pair.mean())


# Fewer labels

FEWER = {"plain": ("labels8_seed0", "labels8_seed1"), "better": ("labels20_seed0", "labels8_seed1", "labels8_seed0")}


@pytest.fixture(scope="module")
def with_fewer(tmp_path_factory):
    """A study whose experiments have runs with fewer labels too, not all of them the same; and its tables."""
    study = Study(tmp_path_factory.mktemp("fewer labels"))
    for experiment, runs in FEWER.items():
        for number, run in enumerate(runs):
            study.write_run(experiment, run, EXPERIMENTS[experiment], np.random.default_rng([7, number]))
    return study, study.evaluate(study.folder / "tables")


def test_runs_with_fewer_labels_are_in_the_tables_of_runs(with_fewer):
    _, tables = with_fewer
    metrics = tables["metrics"].set_index(["experiment", "run"])
    fewer = metrics[metrics["protocol"] == "labels"]
    assert fewer["labels"].to_dict() == {
        (experiment, run): int(run[6:].partition("_")[0]) for experiment, runs in FEWER.items() for run in runs
    }
    assert (fewer["validation_images"] == COUNTS["validation"]).all()
    for name in ("per_class", "confusion"):
        assert set(map(tuple, tables[name][["experiment", "run"]].to_numpy())) == set(metrics.index)


def test_runs_with_fewer_labels_are_averaged_with_no_others(with_fewer, tables):
    """The comparison is that of an equal study without them."""
    _, changed = with_fewer
    for name in ("comparison", "solver_iterations"):
        pd.testing.assert_frame_equal(changed[name], tables[name])
    assert len(tables["label_curve"]) == 0, "no curve without such runs"
    assert list(tables["label_curve"]) == list(changed["label_curve"])


def test_label_curve(with_fewer):
    """A row for each number of labels, the seeds last; each number is that of its own runs alone.

    Folds are in it where no other runs have as many labels.
    """
    study, tables = with_fewer
    table = tables["label_curve"]
    assert table[["experiment", "labels", "protocol", "runs"]].to_numpy().tolist() == [
        ["plain", 8, "labels", 2],
        ["plain", 20, "folds", 2],
        ["plain", 40, "seeds", 2],
        ["better", 8, "labels", 2],
        ["better", 20, "labels", 1],
        ["better", 40, "seeds", 2],
    ]
    assert set(table["baseline"]) == {"plain"}
    names = {"labels": "labels{}_seed{}", "folds": "fold{1}", "seeds": "seed{1}"}
    for row in table.to_dict("records"):
        runs = [names[row["protocol"]].format(row["labels"], number) for number in range(int(row["runs"]))]
        correct = np.array([study.correct(row["experiment"], run) for run in runs], float)
        accuracies = correct.mean(axis=1)
        validation = [
            np.mean(scores["validation"].argmax(axis=1) == study.labelled[scores["validation_rows"]])
            for scores in (study.scores[row["experiment"], run] for run in runs)
        ]
        assert row["validation_accuracy_mean"] == pytest.approx(np.mean(validation))
        assert row["test_accuracy_mean"] == pytest.approx(accuracies.mean())
        assert_interval(row, "test_accuracy", correct)
        if len(runs) == 1:
            assert np.isnan(row["test_accuracy_std"])
        else:
            assert row["test_accuracy_std"] == pytest.approx(abs(accuracies[0] - accuracies[1]) / 2**0.5)
        if row["experiment"] == "plain" or row["labels"] == 20:  # the baseline itself, and a number that it has not
            assert np.isnan(row["difference"])
            assert np.isnan(row["difference_runs"])
        else:
            pairs = correct - np.array([study.correct("plain", run) for run in runs])
            assert (row["difference_runs"], row["difference"]) == (2, pytest.approx(pairs.mean()))
            assert_interval(row, "difference", pairs)


def test_last_point_of_a_curve_is_that_of_the_comparison(with_fewer):
    _, tables = with_fewer
    comparison = tables["comparison"].set_index("experiment")
    for row in tables["label_curve"].query("labels == 40").to_dict("records"):
        for name in (
            "runs",
            "validation_accuracy_mean",
            "test_accuracy_mean",
            "test_accuracy_std",
            "test_accuracy_low",
        ):
            assert row[name] == comparison.loc[row["experiment"], f"seeds_{name}"]


def test_only_pairs_of_the_same_run_are_compared(with_fewer, tmp_path):
    """Of two runs with eight labels, one; and with the seeds none, which the baseline has not."""
    study, _ = with_fewer
    names = ["plain/labels8_seed1", "better/labels8_seed0", "better/labels8_seed1", "better/seed0"]
    table = study.evaluate(tmp_path, [study.folder / name / "scores.npz" for name in names])["label_curve"]
    row, last = table[table["experiment"] == "better"].to_dict("records")
    pair = study.correct("better", "labels8_seed1").astype(float) - study.correct("plain", "labels8_seed1")
    assert (row["runs"], row["difference_runs"], row["difference"]) == (2, 1, pytest.approx(pair.mean()))
    assert (last["labels"], last["runs"]) == (40, 1)
    assert np.isnan(last["difference"])


def test_experiment_with_fewer_labels_alone(with_fewer, tmp_path):
    study, _ = with_fewer
    path = study.folder / "better" / "labels20_seed0" / "scores.npz"
    tables = study.evaluate(tmp_path, [path], baselines=["better=better"], solver_scores=[])
    assert tables["label_curve"][["labels", "runs"]].to_numpy().tolist() == [[20, 1]]
    assert list(tables["comparison"]) == ["experiment", "baseline"]


def test_all_labels_asked_for_by_number_are_not_averaged_with_the_seeds(with_fewer, tmp_path):
    """They are the same training images; runs of both would count twice."""
    study, _ = with_fewer
    for run in ("labels40_seed0", "labels8_seed0", "seed0"):
        folder = tmp_path / "plain" / run
        folder.mkdir(parents=True)
        np.savez(folder / "scores.npz", **study.scores["plain", run.replace("labels40_", "")])
    paths = sorted((tmp_path / "plain").rglob("scores.npz"))
    table = study.evaluate(tmp_path / "out", paths, baselines=["plain=plain"], solver_scores=[])["label_curve"]
    assert table[["labels", "runs"]].to_numpy().tolist() == [[8, 1], [40, 1]]


# The solver


def test_solver_iterations(study, tables):
    table = tables["solver_iterations"].set_index(["experiment", "run", "steps"])
    assert len(table) == len(study.solver) * len(STEPS)
    for (experiment, run), (solver, labels) in study.solver.items():
        for index, steps in enumerate(STEPS):
            for split, truth in labels.items():
                accuracy = np.mean(solver[split][index].argmax(axis=1) == truth)
                assert table.loc[experiment, run, steps][f"{split}_accuracy"] == pytest.approx(accuracy)


def test_no_solver_iterations(study, tmp_path):
    table = study.evaluate(tmp_path, solver_scores=[])["solver_iterations"]
    assert list(table)[:3] == ["experiment", "run", "steps"]
    assert len(table) == 0


def changed_run(study, folder, run="seed0", **changes):
    """Write the scores of a run with some arrays replaced; return their path."""
    path = folder / "plain" / run / "scores.npz"
    path.parent.mkdir(parents=True)
    np.savez(path, **study.scores["plain", run] | changes)
    return path


def with_one(scores, value):
    scores = scores.copy()
    scores[3, 1] = value
    return scores


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda scores: {"test": scores["test"][:-1]}, r"test scores of shape \(35, 4\).* 36 images and 4 classes"),
        (lambda scores: {"test": scores["test"][:, :-1]}, r"test scores of shape \(36, 3\)"),
        (lambda scores: {"validation": scores["validation"][:-1]}, r"validation scores of shape \(23, 4\).* 24 images"),
        (lambda scores: {"test": with_one(scores["test"], np.nan)}, "test scores that are not finite: delete"),
        (lambda scores: {"test": with_one(scores["test"], np.inf)}, "test scores that are not finite: delete"),
        (
            lambda scores: {"validation": with_one(scores["validation"], np.nan)},
            "validation scores that are not",
        ),
    ],
)
def test_scores_that_do_not_fit(study, tmp_path, change, match):
    path = changed_run(study, tmp_path, **change(study.scores["plain", "seed0"]))
    with pytest.raises(UserError, match=match) as caught:
        study.evaluate(tmp_path / "out", [path])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_damaged_scores(study, tmp_path, share):
    path = changed_run(study, tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match=r"scores\.npz is damaged or not a file of scores: delete it"):
        study.evaluate(tmp_path / "out", [path])


def test_flipped_byte_in_the_scores(study, tmp_path):
    path = changed_run(study, tmp_path)
    data = bytearray(path.read_bytes())
    data[400] ^= 255
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"scores\.npz is damaged"):
        study.evaluate(tmp_path / "out", [path])


def test_other_file_in_place_of_scores(study, tmp_path):
    path = tmp_path / "plain" / "seed0" / "scores.npz"
    path.parent.mkdir(parents=True)
    np.savez(path, something=1)
    with pytest.raises(UserError, match="not a file of scores"):
        study.evaluate(tmp_path / "out", [path])


def test_folder_that_is_no_run(study, tmp_path):
    path = changed_run(study, tmp_path)
    path.parent.rename(tmp_path / "plain" / "best")
    with pytest.raises(UserError, match="lies in no run's folder: give"):
        study.evaluate(tmp_path / "out", [tmp_path / "plain" / "best" / "scores.npz"])


def test_every_experiment_may_have_its_own_baseline(study, tmp_path):
    """Turned round, the difference has the other sign."""
    study.evaluate(tmp_path, baselines=["plain=better", "better=better"])
    table = pd.read_csv(tmp_path / "comparison.csv").set_index("experiment")
    assert table["baseline"].tolist() == ["better", "better"]
    for protocol in ("seeds", "folds"):
        means = table[f"{protocol}_test_accuracy_mean"]
        assert table.loc["plain", f"{protocol}_difference"] == pytest.approx(means["plain"] - means["better"])
        assert np.isnan(table.loc["better", f"{protocol}_difference"])


@pytest.mark.parametrize("text", ["plain", "=plain", "plain=", ""])
def test_baseline_that_is_no_pair(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not of the form NAME=VALUE"):
        evaluate.name_pair(text)


@pytest.mark.parametrize(
    ("baselines", "match"),
    [
        (["plain=plain", "better=other"], "baseline other of better is not among the experiments"),
        (["plain=plain"], "experiment better has no baseline: give --baselines better="),
    ],
)
def test_unknown_baseline(study, tmp_path, baselines, match):
    with pytest.raises(UserError, match=match):
        study.evaluate(tmp_path, baselines=baselines)
    assert list(tmp_path.iterdir()) == []


def test_sample_of_the_test_images(study, tables, tmp_path):
    sample = tables["test_sample"]
    assert list(sample) == ["row", "label"]
    rows = sample["row"].tolist()
    assert len(rows) == SAMPLE
    assert rows == sorted(set(rows)), "each image once, in increasing order"
    assert rows != list(range(SAMPLE)), "a random sample, not the first images"
    assert set(rows) <= set(range(COUNTS["test"]))
    assert sample["label"].tolist() == [study.test_labels[row] for row in rows]
    again = study.evaluate(tmp_path, [study.folder / name / "seed1" / "scores.npz" for name in EXPERIMENTS])
    assert again["test_sample"].equals(sample), "whatever is evaluated"


@pytest.mark.parametrize("count", [COUNTS["test"], 1000])
def test_sample_of_all_test_images(study, tmp_path, count):
    sample = study.evaluate(tmp_path, sample_images=count)["test_sample"]
    assert sample["row"].tolist() == list(range(COUNTS["test"]))
    assert sample["label"].tolist() == study.test_labels.tolist()


def mentions(source, name):
    """Tell whether the program uses the name in any way: imports it, calls it, or takes it from a module."""
    return any(
        name in (getattr(node, "id", None), getattr(node, "attr", None), getattr(node, "name", None))
        for node in ast.walk(ast.parse(source))
    )


def test_test_labels_are_read_by_this_program_alone():
    readers = {
        str(path.relative_to(PROGRAMS))
        for path in PROGRAMS.rglob("*.py")
        if mentions(path.read_text(encoding="utf-8"), "read_test_labels")
    }
    assert readers == {"evaluate.py", "semisup/dataset.py"}


# What a study hands in


def test_predictions_of_every_experiment(tmp_path):
    """In Kaggle's form: images and classes count from 1."""
    scores = {"one": [[0, 2, 1], [3, 0, 0]], "two": [[0, 0, 1], [0, 5, 4]]}
    for name, values in scores.items():
        np.savez(tmp_path / f"{name}.npz", test=np.array(values, np.float32))
    options = {
        kind: [tmp_path / f"{name}.{end}" for name in scores]
        for kind, end in (("scores", "npz"), ("predictions", "csv"))
    }
    write_predictions.main(command_line(**options))
    assert (tmp_path / "one.csv").read_text().split() == ["Id,Prediction", "1,2", "2,1"]
    assert (tmp_path / "two.csv").read_text().split() == ["Id,Prediction", "1,3", "2,2"]
