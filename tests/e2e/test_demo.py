"""The whole chain on embedded data: from an empty folder to the text of the report, and every promise about it."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from fixtures_demo import TINY, WHOLE, run_demo
from workflow.clones import clone

RUN = Path("results/photos/coates/seed3")
OF_STUDY = ("forest", "training", "label_curve", "near_copies")  # figures of a study as a whole
TEST_IMAGES, CLASSES = TINY["data"]["photos"]["test_images"], 10


def test_second_run_has_nothing_to_do(demo):
    finished = run_demo(demo, *WHOLE)
    assert "Nothing to be done" in finished.stdout + finished.stderr


def test_comparison_keeps_seeds_and_folds_apart(demo):
    table = pd.read_csv(demo / "results/photos/comparison.csv").set_index("experiment")
    metrics = pd.read_csv(demo / "results/photos/metrics.csv")
    of_seeds = metrics[(metrics["experiment"] == "coates") & (metrics["protocol"] == "seeds")]["test_accuracy"]
    of_folds = metrics[(metrics["experiment"] == "coates") & (metrics["protocol"] == "folds")]["test_accuracy"]
    assert len(of_seeds) == 2
    assert len(of_folds) == 2
    assert table.loc["coates", "seeds_test_accuracy_mean"] == pytest.approx(of_seeds.mean())
    assert table.loc["coates", "folds_test_accuracy_std"] == pytest.approx(of_folds.std(ddof=1))
    assert table.loc["coates", "folds_labels"] == 50
    assert np.isnan(table.loc["coates_denser", "folds_runs"])
    assert np.isnan(table.loc["coates", "seeds_difference"])
    own = metrics[(metrics["experiment"] == "coates_denser")]["test_accuracy"]
    assert table.loc["coates_denser", "seeds_difference"] == pytest.approx(own.mean() - of_seeds.mean())


def test_numbers_of_labels_are_kept_apart(demo):
    """The curves' means are those of the runs of each number: 50 are the folds, and 200 the seeds."""
    table = pd.read_csv(demo / "results/photos/label_curve.csv").set_index(["experiment", "labels"])
    metrics = pd.read_csv(demo / "results/photos/metrics.csv")
    curves = {"coates": (20, 50, 200), "raw_pixels": (20, 200), "kmeans_pseudo_label": (20, 50, 200)}
    assert set(table.index) == {(name, labels) for name, counts in curves.items() for labels in counts}
    assert (table["runs"] == 2).all()
    means = metrics.groupby(["experiment", "labels"])["test_accuracy"].mean()
    for point, row in table.iterrows():
        assert row["test_accuracy_mean"] == pytest.approx(means[point])
        assert row["difference_runs"] == 2 or point[0] == "coates"
    assert table.loc[("raw_pixels", 20), "difference"] == pytest.approx(means["raw_pixels", 20] - means["coates", 20])
    assert not (demo / "results/photos/coates/labels20_seed5/patches.h5").exists(), "learned without labels, so once"


def test_it_learns(demo):
    """Over its seeds, every experiment is better than all but one in ten thousand guessers."""
    metrics = pd.read_csv(demo / "results/photos/metrics.csv")
    learned = metrics[
        (metrics["protocol"] == "seeds") & ~metrics["experiment"].str.endswith("finetuned")
    ]  # one epoch: too short
    guessed = binom.isf(1e-4, TEST_IMAGES, 1 / CLASSES) / TEST_IMAGES
    means = learned.groupby("experiment")["test_accuracy"].mean()
    assert (means > guessed).all(), means


def test_paired_difference_is_to_the_experiments_own_baseline(demo):
    table = pd.read_csv(demo / "results/photos/comparison.csv").set_index("experiment")
    own = {name: row["baseline"] for name, row in TINY["studies"]["photos"]["experiments"].items() if "baseline" in row}
    assert table["baseline"].to_dict() == dict.fromkeys(table.index, "coates") | own
    means = table["seeds_test_accuracy_mean"]
    assert table.loc["finetuned", "seeds_difference"] == pytest.approx(means["finetuned"] - means["supervised"])


def test_networks_leave_their_history(demo):
    history = pd.read_csv(demo / "results/photos/supervised/seed3/history.csv")
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert {"train_loss", "validation_accuracy", "learning_rate", "images_per_second"} <= set(history.columns)
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    exemplar = pd.read_csv(demo / "results/photos/exemplar/seed3/pretraining_history.csv")
    assert exemplar["epoch"].tolist() == [1, 2]


def test_rounds_accept_unlabeled_images(demo):
    for run, labels in (
        ("pseudo_label/seed3", 200),
        ("kmeans_pseudo_label/seed3", 200),
        ("kmeans_pseudo_label/fold1", 50),
        ("kmeans_pseudo_label/labels20_seed3", 20),
    ):
        folder = demo / "results/photos" / run
        history, accepted = pd.read_csv(folder / "history.csv"), pd.read_csv(folder / "accepted.csv")
        assert history["training_images"].tolist() == [labels, labels + 20, labels + 40]
        assert accepted["round"].value_counts().to_dict() == {0: 20, 1: 20}
        assert accepted["image"].is_unique
        assert accepted["image"].between(0, 199).all()


def test_predictions_are_those_of_the_scores(demo):
    table = pd.read_csv(demo / "results/photos/predictions/coates.csv")
    with np.load(demo / RUN / "scores.npz") as file:
        expected = file["test"].argmax(axis=1) + 1
    assert list(table.columns) == ["Id", "Prediction"]
    assert table["Id"].tolist() == list(range(1, 101))
    assert table["Prediction"].tolist() == expected.tolist()


def test_run_folder_keeps_the_contract(demo):
    with np.load(demo / RUN / "scores.npz") as file:
        assert file["validation"].dtype == file["test"].dtype == np.float32
        assert file["validation"].shape == (100, 10)
        assert file["test"].shape == (100, 10)
    assert len(pd.read_csv(demo / RUN / "history.csv")) > 1
    with h5py.File(demo / RUN / "features.h5") as file:
        assert file["test"].shape == (100, 80)


def test_same_seed_gives_the_same_bytes(demo, tmp_path):
    folder = clone(tmp_path / "clone")
    names = [f"{RUN}/scores.npz", f"{RUN}/epsilon0.1/centroids.h5", "results/photos/exemplar/seed3/surrogates.h5"]
    run_demo(folder, "--", *names)
    for name in (*names, "results/photos/data/images.h5"):
        assert (folder / name).read_bytes() == (demo / name).read_bytes(), name


def test_every_figure_is_made_twice(demo):
    figures = demo / "results/photos/figures"
    pdfs, pngs = (
        {path.relative_to(figures).with_suffix("") for path in figures.rglob(f"*.{e}")} for e in ("pdf", "png")
    )
    assert pdfs == pngs
    assert {name.name for name in pdfs} == {*TINY["studies"]["photos"]["experiments"], "pixels", *OF_STUDY}
    kinds = {name.parts[0] for name in pdfs}
    of_kmeans = {"patches", "centroids", "solver_iterations"}
    of_networks = {"surrogates", "augmentations", "filters", "layers"}
    of_pseudo_labels = {"rounds", "mistakes", "unlabeled"}
    assert kinds == {"confusion", "tsne", *OF_STUDY} | of_kmeans | of_networks | of_pseudo_labels


def test_no_long_job_leaves_a_partial_file(demo):
    assert not list((demo / "results").rglob(".*.tmp"))
