"""The whole chain on embedded data: from an empty folder to the typeset report, and every promise about it."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RUN = Path("results/photos/coates/seed3")


def snakemake(folder: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess:
    """Run the workflow on the tiny configuration, its results under `folder`."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    settings = ["--cores", "2", "--workflow-profile", str(ROOT / "profiles" / "demo")]
    settings += ["--configfile", str(ROOT / "tests" / "e2e" / "config.tiny.yaml")]
    environment = os.environ | {"PATH": path or os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    return subprocess.run(
        [*command, *settings, *arguments], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A folder in which the tiny study has been run; the PDF too where LaTeX is installed."""
    folder = tmp_path_factory.mktemp("demo with space")
    finished = snakemake(folder, *([] if shutil.which("latexmk") else ["--", "results/report/report.tex"]))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return folder


def test_second_run_has_nothing_to_do(demo):
    target = "results/report/report.pdf" if shutil.which("latexmk") else "results/report/report.tex"
    finished = snakemake(demo, "--", target)
    assert finished.returncode == 0
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


def test_it_learns(demo):
    metrics = pd.read_csv(demo / "results/photos/metrics.csv").set_index("experiment")
    learned = metrics.drop("finetuned")  # one epoch is too short
    assert (learned["test_accuracy"] > 0.2).all()  # chance is 0.1


def test_paired_difference_is_to_the_experiments_own_baseline(demo):
    table = pd.read_csv(demo / "results/photos/comparison.csv").set_index("experiment")
    trained_on_labels = ("finetuned", "pseudo_label", "pseudo_label_loss", "fixmatch")
    own = dict.fromkeys(trained_on_labels, "supervised")
    assert table["baseline"].to_dict() == dict.fromkeys(table.index, "coates") | own
    means = table["seeds_test_accuracy_mean"]
    assert table.loc["finetuned", "seeds_difference"] == pytest.approx(means["finetuned"] - means["supervised"])


def test_networks_leave_their_history(demo):
    history = pd.read_csv(demo / "results/photos/supervised/seed3/history.csv")
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert {"train_loss", "validation_accuracy", "learning_rate", "images_per_second"} <= set(history.columns)
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    surrogate = pd.read_csv(demo / "results/photos/surrogate/seed3/surrogate_history.csv")
    assert surrogate["epoch"].tolist() == [1, 2]


def test_rounds_accept_unlabeled_images(demo):
    for experiment in ("pseudo_label", "kmeans_pseudo_label"):
        for run, labels in (("seed3", 200), ("fold1", 50)):
            folder = demo / "results/photos" / experiment / run
            history, accepted = pd.read_csv(folder / "history.csv"), pd.read_csv(folder / "accepted.csv")
            assert history["training_images"].tolist() == [labels, labels + 20, labels + 40]
            assert accepted["round"].value_counts().to_dict() == {0: 20, 1: 20}
            assert accepted["image"].is_unique
            assert accepted["image"].between(0, 199).all()


def test_predictions_are_those_of_the_scores(demo):
    table = pd.read_csv(demo / RUN / "predictions.csv")
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
    target = f"{RUN}/scores.npz"
    finished = snakemake(tmp_path, "--", target, f"{RUN}/epsilon0.1/centroids.h5")
    assert finished.returncode == 0, finished.stderr
    surrogates = "results/photos/surrogate/seed3/surrogates.h5"
    assert snakemake(tmp_path, "--", surrogates).returncode == 0
    for name in (target, f"{RUN}/epsilon0.1/centroids.h5", "results/photos/data/images.h5", surrogates):
        assert (tmp_path / name).read_bytes() == (demo / name).read_bytes(), name


def test_every_figure_is_made_twice(demo):
    pdfs = {path.stem for path in (demo / "results/photos/figures").glob("*.pdf")}
    pngs = {path.stem for path in (demo / "results/photos/figures").glob("*.png")}
    assert pdfs == pngs
    study = yaml.safe_load((ROOT / "tests/e2e/config.tiny.yaml").read_text())["studies"]["photos"]
    names = "|".join(sorted([*study["experiments"], "pixels"], key=len, reverse=True))
    kinds = {re.sub(f"_({names})$", "", name) for name in pdfs}
    of_kmeans = {"patches", "centroids", "solver_iterations"}
    of_networks = {"surrogates", "augmentations", "filters", "layers", "training"}
    of_pseudo_labels = {"rounds", "mistakes", "unlabeled"}
    assert kinds == {"confusion", "tsne"} | of_kmeans | of_networks | of_pseudo_labels


def test_no_long_job_leaves_a_partial_file(demo):
    assert not list((demo / "results").rglob(".*.tmp"))


@pytest.mark.skipif(not shutil.which("latexmk"), reason="LaTeX is not installed")
def test_report_is_typeset_without_complaints(demo):
    log = (demo / "results/logs/report/typeset_report.log").read_text()
    final = log.rsplit("This is pdfTeX", 1)[1]
    assert "undefined" not in final
    assert "multiply defined" not in final
    assert not [points for points in re.findall(r"Overfull \\hbox \(([0-9.]+)pt", final) if float(points) > 2]
    assert (demo / "results/report/report.pdf").read_bytes().startswith(b"%PDF")


def test_report_text_has_the_numbers_of_the_tables(demo):
    text = (demo / "results/report/report.tex").read_text()
    table = pd.read_csv(demo / "results/photos/comparison.csv").set_index("experiment")
    assert f"{100 * table.loc['coates', 'seeds_test_accuracy_mean']:.1f}" in text
    assert r"Photographs \& more" in text
    assert "This is the demonstration" in text
    assert r"\VAR" not in text
    assert r"\BLOCK" not in text


def test_html_report_holds_every_figure_and_table(demo):
    finished = snakemake(
        demo, "--report", "report.zip", "--", "results/report/report.tex", "results/photos/comparison.csv"
    )
    assert finished.returncode == 0, finished.stderr
    with zipfile.ZipFile(demo / "report.zip") as archive:
        names = archive.namelist()
    tables = [path for path in (demo / "results/photos").rglob("*.csv") if path.parent.name in ("photos", "figures")]
    # Coordinates of a map and the sample that it is made of are steps on the way to a figure.
    shown = [path.name for path in tables if not path.name.startswith(("tsne_", "test_sample"))]
    shown += [path.name for path in (demo / "results/photos/figures").glob("*.png")]
    assert len(shown) > 10
    for result in shown:
        assert any(name.endswith(result) for name in names), result


def test_without_latex_one_line_says_what_to_install(demo, tmp_path):
    shutil.copytree(demo / "results", tmp_path / "results")
    command = [sys.executable, str(ROOT / "workflow_scripts/typeset_report.py"), "--tex", "results/report/report.tex"]
    finished = subprocess.run(
        [*command, "--pdf", "out.pdf"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path)},  # no latexmk there
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    assert len(finished.stderr.splitlines()) == 1
    assert "latexmk is not installed: run apt-get install latexmk" in finished.stderr
    assert not (tmp_path / "out.pdf").exists()
