"""The table of what each rule cost, for the experiments apart."""

import json
from datetime import date

import pandas as pd

import collect_provenance


def write_benchmark(path, seconds, memory, earlier=()):
    """Write a benchmark as Snakemake does: a line for each time that the job ran, the last one last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    records = [{"s": s, "max_rss": 1.0} for s in earlier] + [{"s": seconds, "max_rss": memory}]
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))


def test_timings_are_those_of_each_experiment_and_rule(tmp_path):
    folder = tmp_path / "benchmarks"
    write_benchmark(folder / "photos" / "evaluate.jsonl", 1.5, 50)
    for run, seconds in {"seed0": 10, "seed1": 30}.items():
        write_benchmark(folder / "photos" / "supervised" / run / "train_supervised.jsonl", seconds, 100 + seconds, [99])
    write_benchmark(folder / "photos" / "kmeans" / "seed0" / "epsilon1.0" / "learn_centroids.jsonl", 4, "NA")
    write_benchmark(folder / "another" / "evaluate.jsonl", 7, 50)
    options = {"repository": tmp_path, "benchmarks": folder, "studies": "photos"}
    options |= {"provenance": tmp_path / "provenance.json", "timings": tmp_path / "timings.csv"}
    collect_provenance.main([text for name, value in options.items() for text in (f"--{name}", str(value))])
    table = pd.read_csv(tmp_path / "timings.csv", keep_default_na=False)
    assert table.drop(columns="study").to_numpy().tolist() == [
        ["", "evaluate", 1, 1.5, 1.5, "50.0"],
        ["kmeans", "learn_centroids", 1, 4.0, 4.0, ""],
        ["supervised", "train_supervised", 2, 40.0, 30.0, "130.0"],
    ]
    assert set(table["study"]) == {"photos"}
    made_by = json.loads((tmp_path / "provenance.json").read_text())
    assert made_by["commit"] is None
    assert abs((date.fromisoformat(made_by["date"]) - date.today()).days) <= 1, "today in UTC"
