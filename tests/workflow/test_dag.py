"""The graph of jobs: the test set stays sealed, rules and programs belong together, an entry is an experiment."""

import copy
import importlib
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from clones import ROOT, snakemake
from snakemake.utils import update_config

from planning.digest import code_digest
from semisup.cli import run_program

SCRIPTS = ROOT / "workflow_scripts"
PROGRAMS = {path.stem for path in SCRIPTS.glob("*.py")} - {"export_model", "predict", "write_crate"}  # by hand
BY_COPYING = ("publish_report",)  # rules without a program
DEMO = yaml.safe_load((ROOT / "config.demo.yaml").read_text())
SEALED = "test_labels.h5"
ROUNDS = ("train_pseudo_label_rounds", "train_kmeans_rounds")
RUNS = {"folds": True, "label_counts": [60]}
NETWORKS = (
    "train_fixmatch",
    "train_pseudo_label_loss",
    "train_pseudo_label_rounds",
    "train_supervised",
)
# Every rule that ends a run with its scores.
TRAINERS = ("train_svm", "train_pixels", "train_probe", "train_kmeans_rounds", *NETWORKS)


@pytest.fixture(scope="module")
def demo(build_dag):
    return build_dag(DEMO)


@pytest.fixture(scope="module")
def tiny(build_dag):
    """A study with every method."""
    return build_dag(yaml.safe_load((ROOT / "tests/e2e/config.tiny.yaml").read_text()))


@pytest.fixture(scope="module")
def published(build_dag):
    return build_dag({})


@pytest.fixture(scope="module", params=["demo", "published"])
def dag(request):
    return request.getfixturevalue(request.param)


def demo_with(**studies):
    """The demo's configuration with changes of its studies."""
    config = copy.deepcopy(DEMO)
    update_config(config, {"studies": studies})
    return config


def jobs_of(dag, *rules, **wildcards):
    return [
        job
        for job in dag["jobs"]
        if (not rules or job["rule"] in rules) and wildcards.items() <= job["wildcards"].items()
    ]


def files_behind(dag, files):
    """The files themselves and everything that they are made from."""
    inputs_of = {output: job["inputs"] for job in dag["jobs"] for output in job["outputs"]}
    found, waiting = set(), list(files)
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += inputs_of.get(file, [])
    return found


def images_of(job):
    """The images that a job takes of its study, and their checksum, which tells whether they are the same as before."""
    folder = f"results/{job['wildcards']['study']}/data"
    return [f"{folder}/images.h5", f"{folder}/images.sha256"]


def paths(dag):
    return {path for job in dag["jobs"] for path in [*job["inputs"], *job["outputs"]]}


# The seal


def test_graph_is_complete(dag):
    used = {job["rule"] for job in dag["jobs"]}
    assert {
        "all",
        "evaluated",
        "evaluate",
        "write_predictions",
        "train_svm",
        "learn_centroids",
        "render_report",
    } <= used


def test_every_input_is_made_by_a_job(dag):
    """One that lies in the clone would count as another one where the clone has moved."""
    assert paths(dag) == {output for job in dag["jobs"] for output in job["outputs"]}


def test_only_evaluate_takes_test_labels(dag):
    takers = {job["rule"] for job in dag["jobs"] if any(SEALED in file for file in job["inputs"])}
    assert takers == {"evaluate"}
    makers = {job["rule"] for job in dag["jobs"] if any(SEALED in file for file in job["outputs"])}
    assert makers
    assert all(rule.startswith("prepare_") for rule in makers)


def test_no_job_takes_the_folder_of_the_test_labels(dag):
    sealed = [file for file in paths(dag) if file.endswith(SEALED)]
    for job in dag["jobs"]:
        for file in job["inputs"]:
            assert not any(label.startswith(f"{file.rstrip('/')}/") for label in sealed), job["rule"]


def test_nothing_that_evaluate_depends_on_has_seen_test_labels(dag):
    evaluations = jobs_of(dag, "evaluate")
    assert evaluations
    results = {output for job in evaluations for output in job["outputs"]}
    for job in evaluations:
        labels = {file for file in job["inputs"] if SEALED in file}
        assert len(labels) == 1
        behind = files_behind(dag, set(job["inputs"]) - labels)
        assert not [file for file in behind if SEALED in file]
        assert not behind & results  # nor the results of any evaluation


def test_no_result_of_a_run_has_seen_test_labels(dag):
    """Models, scores, selections, predictions, features, networks: every file in the folder of a run."""
    in_runs = {file for file in paths(dag) if re.search(r"/(labels\d+_)?(seed|fold)\d+/", file)}
    for name in ("model", "features", "centroids", "layers", "surrogates", "pretrained_network"):
        assert any(file.endswith(f"/{name}.h5") for file in in_runs), name
    for name in ("scores.npz", "selection.csv", "history.csv"):
        assert any(file.endswith(name) for file in in_runs), name
    evaluated = {output for job in jobs_of(dag, "evaluate") for output in job["outputs"]}
    behind = files_behind(dag, in_runs)
    assert not [file for file in behind if SEALED in file]
    assert not behind & evaluated


def test_cards_of_models_are_made_after_the_evaluation_and_outside_the_runs(dag):
    """They tell test accuracies: what takes them must not be a run."""
    evaluations = jobs_of(dag, "evaluate")
    cards = jobs_of(dag, "write_model_cards")
    assert len(cards) == len(evaluations) > 0
    for job in cards:
        (evaluation,) = jobs_of(dag, "evaluate", study=job["wildcards"]["study"])
        assert len(set(job["inputs"]) & set(evaluation["outputs"])) == 3
        folders = {re.sub(r"/seed\d+/.*", "", path) for path in job["inputs"] if path.endswith("/model.h5")}
        measured = {re.sub(r"/(labels\d+_)?(seed|fold)\d+/.*", "", path) for path in evaluation["inputs"]}
        assert folders == {path for path in measured if "/data/" not in path}  # an experiment, one card
        (output,) = job["outputs"]
        assert {taker["rule"] for taker in dag["jobs"] if output in taker["inputs"]} == {"all", "collect_provenance"}


def test_maps_know_test_labels_from_the_evaluation_alone(dag):
    """A map is a figure of finished models: it takes the sample that `evaluate` hands out after scoring them all."""
    embeddings = jobs_of(dag, "embed_tsne")
    assert embeddings
    for job in embeddings:
        (sample,) = [file for file in job["inputs"] if file.endswith("test_sample.csv")]
        (evaluation,) = jobs_of(dag, "evaluate", study=job["wildcards"]["study"])
        assert sample in evaluation["outputs"]
        assert not [file for file in files_behind(dag, set(job["inputs"]) - {sample}) if SEALED in file]


def test_near_copies_are_looked_for_in_the_images_alone_and_reach_the_report(dag):
    """Which labelled image a test image is like tells its label: of all rules only those of the report may know."""
    (report,) = jobs_of(dag, "render_report")
    studies = {job["wildcards"]["study"] for job in jobs_of(dag, "evaluate")}
    found = jobs_of(dag, "find_copies")
    assert {job["wildcards"]["study"] for job in found} == studies
    for job in found:
        folder = f"results/{job['wildcards']['study']}"
        assert job["inputs"] == images_of(job)
        assert {f"{folder}/near_copy_counts.csv", f"{folder}/figures/near_copies.pdf"} <= set(report["inputs"])
    tables = {output for job in found for output in job["outputs"]}
    takers = {job["rule"] for job in dag["jobs"] if tables & set(job["inputs"])}
    assert takers == {"plot_copies", "render_report", "render_page", "collect_provenance"}
    in_runs = {file for file in paths(dag) if re.search(r"/(seed|fold)\d+/", file)}
    assert not tables & files_behind(dag, in_runs)


def test_only_where_copies_are_left_out_does_their_correlation_prepare_the_images(build_dag):
    shells = {}
    for correlation, left_out in ((0.9, False), (0.8, False), (0.9, True), (0.8, True)):
        photos = {"copy_correlation": correlation, "leave_out_copies": left_out}
        dag = build_dag(DEMO | {"data": {"photos": DEMO["data"]["photos"] | photos}}, targets=("all",))
        (prepare,), (found,) = (jobs_of(dag, rule, study="photos") for rule in ("prepare_photos", "find_copies"))
        assert f"--copy-correlation {correlation} " in found["shell"]
        assert (f"--leave-out-copies {correlation} " in prepare["shell"]) == left_out
        shells[correlation, left_out] = prepare["shell"]
    assert shells[0.9, False] == shells[0.8, False]
    assert len(set(shells.values())) == 3


def test_only_preparation_reads_downloads(dag):
    """The archives hold the test labels too."""
    for job in dag["jobs"]:
        if any(file.startswith("resources/") for file in job["inputs"]):
            assert job["rule"].startswith("prepare_"), job["rule"]


def test_no_other_command_names_the_test_labels(dag):
    for job in dag["jobs"]:
        named = SEALED in (job["shell"] or "") or any(SEALED in value for value in job["params"].values())
        assert not named or job["rule"] == "evaluate" or job["rule"].startswith("prepare_"), job["rule"]


def test_no_other_rule_is_written_with_test_labels():
    for path in [ROOT / "Snakefile", *sorted((ROOT / "rules").rglob("*.smk"))]:
        rule = None
        for line in path.read_text().splitlines():
            if line and not line[0].isspace():  # outside any rule, or the start of one
                match = re.match(r"(?:rule|checkpoint) (\w+):", line)
                rule = match.group(1) if match else None
            if "test_labels" in line:
                assert rule == "evaluate" or str(rule).startswith("prepare_"), f"{path.name}: {line}"


# Rules and programs


def commands(dag):
    return {name: rule for name, rule in dag["rules"].items() if rule["shell"] and name not in BY_COPYING}


def test_rules_and_programs_have_the_same_names(demo, published):
    assert set(commands(demo)) == PROGRAMS
    assert set(demo["rules"]) - PROGRAMS == {"all", "evaluated", *BY_COPYING}
    jobs = [job for job in demo["jobs"] + published["jobs"] if job["shell"] and job["rule"] not in BY_COPYING]
    assert {job["rule"] for job in jobs} <= PROGRAMS  # of some data sets and methods neither study has an experiment
    for job in jobs:
        assert shlex.split(job["shell"])[:2] == ["python", str(SCRIPTS / f"{job['rule']}.py")]


def test_every_rule_says_what_it_needs(demo):
    for name, rule in commands(demo).items():
        assert len(rule["log"]) == 1, name
        assert rule["shell"].partition(" && ")[0].endswith("2> {log}"), name
        assert rule["conda"], name
        assert "runtime" in rule["resources"], name
        if name != "download":  # of which only the downloaded file counts, whatever code fetched it
            assert "mem_mb" in rule["resources"], name
            assert "code" in rule["params"], name
        assert ("gpu" in rule["resources"]) == ("--gpu {resources.gpu}" in rule["shell"]), name


def test_every_job_has_a_digest_of_its_code(demo):
    for job in demo["jobs"]:
        if job["shell"] and job["rule"] not in ("download", *BY_COPYING):
            assert re.fullmatch("[0-9a-f]{16}", job["params"]["code"]), job["rule"]


def test_code_of_the_report_counts_the_modules_of_methods(demo):
    expected = code_digest(SCRIPTS / "render_report.py", ["reporting/methods"])
    assert demo["rules"]["render_report"]["params"]["code"] == expected != code_digest(SCRIPTS / "render_report.py")


def test_the_demonstration_computes_with_one_thread_everywhere():
    """The last bits of a sum depend on the number of threads, and machines differ in theirs."""
    assert yaml.safe_load((ROOT / "profiles/demo/profile.yaml").read_text())["max-threads"] == 1


def test_every_wildcard_is_constrained(demo):
    for name, rule in demo["rules"].items():
        for output in rule["outputs"]:
            for wildcard in re.findall(r"\{([^{}]*)\}", output):
                assert "," in wildcard, f"{name}: {wildcard} in {output}"


# Entries of the configuration


def test_null_leaves_no_trace(build_dag):
    photos = {"experiments": {"kmeans_stride4": None, "kmeans_pseudo_label": None}}  # the one is the other's base
    dag = build_dag(demo_with(mnist5k=None, photos=photos))
    assert any(path.startswith("results/photos/kmeans/") for path in paths(dag))
    assert not [path for path in paths(dag) if "mnist" in path or "stl10" in path or "kmeans_stride4" in path]
    for job in dag["jobs"]:
        if job["rule"] != "plot_rulegraph":  # which hands the whole configuration to Snakemake
            assert "kmeans_stride4" not in (job["shell"] or ""), job["rule"]
            assert "results/mnist5k" not in (job["shell"] or ""), job["rule"]
    assert not jobs_of(dag, "download", "prepare_mnist5k", "prepare_stl10", "prepare_mnist")


@pytest.mark.parametrize("parts", [[], ["derivations"], ["momentum", "crowding"]])
def test_only_the_parts_asked_for_are_made(build_dag, parts):
    dag = build_dag(demo_with() | {"theory": {"parts": parts}})
    rules = {job["rule"] for job in dag["jobs"] if any("results/theory/" in path for path in job["outputs"])}
    assert rules == {"check_derivations" if part == "derivations" else f"compare_{part}" for part in parts}


def test_an_entry_is_an_experiment(build_dag, demo):
    entry = {"method": "kmeans", "builds_on": "kmeans", "stride": 16}
    dag = build_dag(demo_with(photos={"experiments": {"extra": entry}}))
    assert all("extra" in path for path in paths(dag) - paths(demo))
    assert paths(demo) <= paths(dag)
    (evaluation,) = jobs_of(dag, "evaluate", study="photos")
    seeds = DEMO["studies"]["photos"]["seeds"]
    assert {f"results/photos/extra/seed{seed}/scores.npz" for seed in seeds} <= set(evaluation["inputs"])
    assert not [path for path in evaluation["inputs"] if "extra" in path and "seed" not in path]
    assert len(jobs_of(dag, "learn_centroids")) == len(jobs_of(demo, "learn_centroids"))


def test_experiment_with_a_base_learns_no_centroids(dag):
    extractions = [job for job in jobs_of(dag, "extract_features") if "stride" in job["wildcards"]["experiment"]]
    assert extractions
    (experiment,) = {job["wildcards"]["experiment"] for job in extractions}
    assert not jobs_of(dag, "sample_patches", "fit_whitening", "learn_centroids", experiment=experiment)
    for job in extractions:
        study, run, epsilon = (job["wildcards"][name] for name in ("study", "run", "epsilon"))
        assert f"results/{study}/kmeans/{run}/epsilon{epsilon}/centroids.h5" in job["inputs"]


def test_folds_share_what_the_first_seed_learned(build_dag):
    """Folds of an experiment that learns, and of one with a base; the first seed is the first of the list."""
    photos = {"seeds": [3, 1], "experiments": {"kmeans_stride4": {"folds": True}}}
    dag = build_dag(demo_with(mnist5k=None, photos=photos))
    for experiment, learned in (("kmeans_coates", "kmeans_coates"), ("kmeans_stride4", "kmeans")):
        folds = [
            job
            for job in jobs_of(dag, "train_svm", study="photos", experiment=experiment)
            if job["wildcards"]["run"].startswith("fold")
        ]
        assert len(folds) == DEMO["data"]["photos"]["folds"]
        for job in folds:
            for file in job["inputs"]:
                if file.endswith("features.h5"):
                    assert file.startswith(f"results/photos/{experiment}/seed3/"), file
                elif file.endswith("centroids.h5"):
                    assert file.startswith(f"results/photos/{learned}/seed3/"), file
                else:
                    assert file in images_of(job)
    for job in dag["jobs"]:
        if str(job["wildcards"].get("run")).startswith("fold"):
            assert job["rule"] in TRAINERS


def test_folds_share_the_network_of_the_first_seed(build_dag):
    experiments = {"exemplar": {"folds": True}, "exemplar_finetuned": {"folds": True}}
    photos = {"seeds": [3, 1], "experiments": experiments}
    dag = build_dag(demo_with(mnist5k=None, photos=photos))
    network = "results/photos/exemplar/seed3/pretrained_network.h5"
    for rule, experiment in (("train_probe", "exemplar"), ("train_supervised", "exemplar_finetuned")):
        jobs = [job for job in jobs_of(dag, rule, experiment=experiment) if job["wildcards"]["run"].startswith("fold")]
        assert len(jobs) == DEMO["data"]["photos"]["folds"]
        assert all(network in job["inputs"] for job in jobs)
        if rule == "train_supervised":
            assert all("--seed 3 " in job["shell"] for job in jobs)
    assert {job["wildcards"]["run"] for job in jobs_of(dag, "train_exemplar")} == {"seed3", "seed1"}


def test_fewer_labels_share_what_their_seed_learned(build_dag):
    """Of methods that learn without labels, with a base and without one: only the training on labels runs again."""
    counts = {"label_counts": [50, 150]}
    names = ("kmeans_coates", "kmeans_stride4", "exemplar", "exemplar_finetuned")
    photos = {"seeds": [3, 1], "experiments": dict.fromkeys(names, counts)}
    dag = build_dag(demo_with(mnist5k=None, photos=photos))
    learned_by = {"kmeans_stride4": "kmeans", "exemplar_finetuned": "exemplar"}
    shared = ("centroids.h5", "pretrained_network.h5")  # the base's, where there is one
    for name in names:
        jobs = [job for job in jobs_of(dag, experiment=name) if job["wildcards"]["run"].startswith("labels")]
        runs = [job["wildcards"]["run"] for job in jobs]
        assert sorted(runs) == sorted(f"labels{count}_seed{seed}" for count in (50, 150) for seed in (3, 1))
        assert {job["rule"] for job in jobs} <= set(TRAINERS)
        for job in jobs:
            run, seed = job["wildcards"]["run"], job["wildcards"]["run"].partition("_")[2]
            assert f" --run {run} " in job["shell"]
            assert job["rule"] != "train_supervised" or f" --seed {seed.removeprefix('seed')} " in job["shell"]
            learned = [file for file in job["inputs"] if file not in images_of(job)]
            assert learned
            for file in learned:
                owner = learned_by.get(name, name) if file.endswith(shared) else name
                assert file.startswith(f"results/photos/{owner}/{seed}/"), file
    (evaluation,) = jobs_of(dag, "evaluate")
    assert f"results/photos/{names[0]}/labels50_seed1/scores.npz" in evaluation["inputs"]


def test_every_study_has_a_forest_plot_with_the_short_names(demo):
    jobs = jobs_of(demo, "plot_forest")
    drawn = [
        f"results/{study}/figures/forest.{end}" for study in ("mnist5k", "photos") for end in ("pdf", "png", "svg")
    ]
    assert sorted(output for job in jobs for output in job["outputs"]) == drawn
    for job in jobs:
        assert {Path(path).name for path in job["inputs"]} == {"comparison.csv", "metrics.csv"}
        assert '"short": "KM-6"' in job["shell"]


def test_paper_and_supplement_are_typeset_together(demo):
    (job,) = jobs_of(demo, "typeset_report")
    assert {f"results/report/{name}.tex" for name in ("report", "supplement")} <= set(job["inputs"])
    (job,) = jobs_of(demo, "publish_report")
    assert sorted(job["outputs"]) == ["results/report/report.pdf", "results/report/supplement.pdf"]


def test_page_has_the_figures_of_its_plan_and_the_command_that_was_given(demo):
    (job,) = jobs_of(demo, "render_page")
    words = shlex.split(job["shell"])
    plan = json.loads(words[words.index("<<<") + 1])
    for study, told in plan["studies"].items():
        folder = f"results/{study}/figures"
        assert {f"{folder}/{kind}" for kind in told["figures"]} < {path for path in job["inputs"] if folder in path}
        assert f"{folder}/forest.svg" in job["inputs"]
    command = words[words.index("--command") + 1]
    assert command == "snakemake --cores all --configfile config.json --"


def test_label_curve_is_drawn_where_there_are_fewer_labels(build_dag, demo):
    curves = [output for job in jobs_of(demo, "plot_label_curve") for output in job["outputs"]]
    assert sorted(curves) == [f"results/photos/figures/label_curve.{end}" for end in ("pdf", "png")]
    none = {name: {"label_counts": []} for name in ("kmeans_coates", "raw_pixels")}
    assert not jobs_of(build_dag(demo_with(mnist5k=None, photos={"experiments": none})), "plot_label_curve")


def test_training_starts_from_the_network_of_the_base(dag):
    for job in jobs_of(dag, "train_supervised"):
        networks = [file for file in job["inputs"] if file.endswith("pretrained_network.h5")]
        assert bool(networks) == (job["wildcards"]["experiment"] == "exemplar_finetuned")
        assert all(f"--pretrained {file}" in job["shell"] for file in networks)


def test_fixmatch_starts_from_the_same_run_of_its_base(build_dag):
    """Or, without one, from random weights."""
    cold = {"method": "fixmatch", "title": "Cold", "baseline": "supervised"}
    experiments = {"supervised": {"folds": True}, "fixmatch": {"folds": True}, "cold": cold}
    config = demo_with(mnist5k=None, photos={"experiments": experiments})
    jobs = jobs_of(build_dag(config, targets=("evaluated",)), "train_fixmatch")
    assert {job["wildcards"]["run"] for job in jobs if job["wildcards"]["experiment"] == "fixmatch"} > {"fold0"}
    assert {job["wildcards"]["experiment"] for job in jobs} == {"fixmatch", "cold"}
    for job in jobs:
        model = f"results/photos/supervised/{job['wildcards']['run']}/model.h5"
        started = job["wildcards"]["experiment"] == "fixmatch"
        assert (model in job["inputs"]) == started
        assert (f" --base-model {model} " in job["shell"]) == started


def of_the_experiment(job, configuration):
    """What the configuration says of a job's experiment."""
    return configuration["studies"][job["wildcards"]["study"]]["experiments"][job["wildcards"]["experiment"]]


def test_rounds_begin_with_the_same_run_of_their_base(build_dag):
    """Seed, fold, fewer labels: the model of the base, and for k-means its features with all that they may link to."""
    photos = {
        "seeds": [3, 1],
        "experiments": {
            "supervised": RUNS,
            "pseudo_label": RUNS,
            "kmeans_coates": RUNS,
            "kmeans_pseudo_label": {"builds_on": "kmeans_coates", "baseline": "kmeans_coates", **RUNS},
        },
    }
    config = demo_with(mnist5k=None, photos=photos)
    jobs = jobs_of(build_dag(config, targets=("evaluated",)), *ROUNDS)
    assert {job["rule"] for job in jobs} == set(ROUNDS)
    folds = {f"fold{number}" for number in range(DEMO["data"]["photos"]["folds"])}
    assert {job["wildcards"]["run"] for job in jobs} == {"seed3", "seed1", "labels60_seed3", "labels60_seed1"} | folds
    for job in jobs:
        run, base = job["wildcards"]["run"], of_the_experiment(job, config)["builds_on"]
        folder = f"results/photos/{base}/{run}"
        wanted = {*images_of(job), f"{folder}/model.h5"}
        assert f" --base-model {folder}/model.h5 " in job["shell"]
        learned = "seed3" if run.startswith("fold") else run.removeprefix("labels60_")
        assert f" --run {run} " in job["shell"]
        assert f" --seed {learned.removeprefix('seed')} " in job["shell"]
        if job["rule"] == "train_kmeans_rounds":
            assert f" --features {folder}/features.h5 " in job["shell"]
            assert f" --base-selection {folder}/selection.csv " in job["shell"]
            wanted |= {f"{folder}/features.h5", f"{folder}/selection.csv"}
            epsilons = config["studies"]["photos"]["experiments"][base]["whitening_epsilon"]
            wanted |= {f"results/photos/{base}/{learned}/epsilon{value}/features.h5" for value in epsilons}
        assert set(job["inputs"]) == wanted


def test_training_on_unlabeled_images_needs_no_other_model(dag):
    jobs = jobs_of(dag, "train_pseudo_label_loss")
    assert jobs
    for job in jobs:
        assert job["inputs"] == images_of(job)


def test_layers_of_every_network_are_mapped(dag):
    """Those of the first seed: of networks trained on labels from their models, of others from the probe's features."""
    for job in jobs_of(dag, "embed_tsne"):
        study = job["wildcards"]["study"]
        for rules, option, file in ((NETWORKS, "networks", "model.h5"), (["extract_layers"], "layers", "layers.h5")):
            experiments = {made["wildcards"]["experiment"] for made in jobs_of(dag, *rules, study=study)}
            mapped = re.search(rf"--{option}((?: \S+=\S+)*)", job["shell"])
            pairs = dict(pair.split("=") for pair in mapped[1].split()) if mapped else {}
            assert set(pairs) == experiments
            assert all(re.fullmatch(rf"results/{study}/{name}/seed\d+/{file}", path) for name, path in pairs.items())
            assert set(pairs.values()) <= set(job["inputs"])


def test_features_that_hold_links_are_taken_with_what_they_link_to(dag):
    """On object storage a job has nothing but its inputs."""
    linked = {path: job for job in jobs_of(dag, "train_svm") for path in job["outputs"]}
    takers = set()
    for job in dag["jobs"]:
        for path in (path for path in job["inputs"] if path.endswith("/features.h5") and path in linked):
            takers.add(job["rule"])
            assert {source for source in linked[path]["inputs"] if source.endswith("/features.h5")} <= set(
                job["inputs"]
            )
    assert takers == {"embed_tsne", "solver_iterations", "train_kmeans_rounds"}


@pytest.mark.parametrize("program", sorted({"train_exemplar", "train_simclr", *ROUNDS, *NETWORKS}))
def test_program_takes_the_command_of_its_rule(program, tiny, tmp_path, monkeypatch):
    """Every word after a dash is an option of the program, and no needed one is missing: it fails at its first file."""
    job = jobs_of(tiny, program)[0]
    command = shlex.split(job["shell"].split(" 2> ")[0])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=f"^error: .*{re.escape(job['inputs'][0])}"):
        run_program(lambda: importlib.import_module(program).main(command[2:]))


def test_checkpoints_lie_beside_every_output(dag):
    """Snakemake deletes the outputs of a job that failed, and a checkpoint must outlive it."""
    outputs = [output for job in dag["jobs"] for output in job["outputs"]]
    folders = []
    for job in jobs_of(dag, "learn_centroids", "train_exemplar", "train_kmeans_rounds", *NETWORKS):
        (folder,) = re.findall(r"--checkpoint (\S+)", job["shell"])
        assert folder.startswith("results/checkpoints/")
        assert not [output for output in outputs if output.startswith(folder)]
        folders.append(folder)
    assert folders
    assert len(folders) == len(set(folders))


def test_one_name_may_have_two_methods_in_two_studies(build_dag):
    mnist5k = {"experiments": {"kmeans_coates": {"method": "supervised", "color": 0.0, "shift": 2}}}
    dag = build_dag(demo_with(mnist5k=mnist5k))
    for study, rule in (("photos", "train_svm"), ("mnist5k", "train_supervised")):
        makers = {
            job["rule"] for job in dag["jobs"] if f"results/{study}/kmeans_coates/seed0/model.h5" in job["outputs"]
        }
        assert makers == {rule}


def test_every_run_is_evaluated_once(published):
    for study in ("stl10", "mnist"):
        (evaluation,) = jobs_of(published, "evaluate", study=study)
        scores = [file for file in evaluation["inputs"] if file.endswith("scores.npz")]
        trained = jobs_of(published, *TRAINERS, study=study)
        assert len(scores) == len(set(scores)) == len(trained)


@pytest.mark.parametrize("values", [[1.0e-5, 0.5, 3, 1.0e16]])
def test_any_epsilon_makes_a_path(build_dag, values):
    entry = {"whitening_epsilon": values}
    dag = build_dag(demo_with(mnist5k=None, photos={"experiments": {"kmeans_coates": entry}}), targets=("evaluated",))
    found = {job["wildcards"]["epsilon"] for job in jobs_of(dag, "learn_centroids", experiment="kmeans_coates")}
    assert sorted(map(float, found)) == sorted(values)


# The network

NO_NETWORK = """
import os, socket

def refuse(*arguments, **options):
    with open(os.environ["NETWORK_LOG"], "a") as file:
        file.write(f"{arguments}\\n")
    raise OSError("no network in this test")

socket.getaddrinfo = socket.gethostbyname = socket.socket.connect = socket.create_connection = refuse
"""


def test_dry_run_needs_no_network(tmp_path):
    """Neither the hosts of the data nor any other: each attempt to connect is written down and refused."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(NO_NETWORK)
    log = tmp_path / "network.log"
    closed = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    environment = closed | {"PYTHONPATH": str(tmp_path / "site"), "NETWORK_LOG": str(log)}
    config = {"data": {"stl10": {"url": "http://stl10.invalid/files"}}}
    process = snakemake(ROOT, tmp_path, config, "-n", environment=environment)
    assert process.returncode == 0, process.stderr
    assert re.search(r"^download +5$", process.stdout + process.stderr, re.MULTILINE)
    assert not log.exists()


def test_the_study_makes_every_file_that_answers_a_question(published):
    page = (ROOT / "docs/reproduce.md").read_text(encoding="utf-8")
    files = set(re.findall(r"\| `(results/[^`]+)` \|", page))
    assert len(files) > 15
    assert not files - {output for job in published["jobs"] for output in job["outputs"]}
