# Checked configuration, wildcard constraints and the helpers that every rule file uses. No rules.
import json
import sys
from pathlib import Path

SCRIPTS = Path(workflow.basedir) / "workflow_scripts"
sys.path.insert(0, str(SCRIPTS))

from planning import config as planning
from planning.digest import code_digest as file_digest

try:
    CONFIG = planning.checked_config(config, planning.read_yaml(Path(workflow.basedir) / "config.schema.yaml"))
except planning.ConfigError as error:
    sys.exit(f"config error: {error}")

SEED_RUN = r"seed\d+"


wildcard_constraints:
    study="|".join(CONFIG["studies"]),
    experiment=r"\w+",
    run=r"(seed|fold)\d+",
    epsilon=r"[0-9.e+-]+",
    representation=r"\w+",


def code_digest(program):
    """Digest of the program and of the local modules it imports: a param, so that real changes rerun its jobs."""
    return file_digest(SCRIPTS / f"{program}.py")


def program(name):
    """A params function: the path of a program. Snakemake does not record what depends on output, so the clone may move."""
    return lambda wildcards, output: str(SCRIPTS / f"{name}.py")


def experiment_pattern(method):
    """Constraint for {experiment} in the rules of a method; the second part keeps the pattern from being empty."""
    names = {experiment for _, experiment in planning.experiments_of_method(CONFIG, method)}
    return "|".join(sorted(names)) or "no_experiment_of_this_method"


def options_of(*names):
    """A params function: the named options of the job's experiment as command-line arguments."""

    def arguments(wildcards):
        options = planning.experiment_options(CONFIG, wildcards.study, wildcards.experiment)
        return planning.command_line(options, names)

    return arguments


def seed_of(wildcards):
    return int(wildcards.run.removeprefix("seed"))


def dataset_of(study):
    return CONFIG["studies"][study]["dataset"]


def studies_of(dataset):
    """Constraint for {study} in the rules of a data set."""
    studies = [study for study in CONFIG["studies"] if dataset_of(study) == dataset]
    return "|".join(studies) or "no_study_of_this_data_set"


def experiments(study):
    return list(CONFIG["studies"][study]["experiments"])


def runs(study, experiment):
    return planning.experiment_runs(CONFIG, study, experiment)


def first_seed_run(study):
    return f"seed{CONFIG['studies'][study]['seeds'][0]}"


def unsupervised_run(wildcards):
    """The run whose label-free part this run uses: folds share that of the first seed."""
    return wildcards.run if wildcards.run.startswith("seed") else first_seed_run(wildcards.study)


# Data sets


DATA = CONFIG["data"]


def source_urls(wildcards, output):
    """Where the file is looked for. As it depends on output it is not recorded: another mirror downloads nothing again."""
    source = DATA[wildcards.dataset]
    return [f"{folder.rstrip('/')}/{wildcards.file}" for folder in [source["url"], *source["mirrors"]]]


def member_checksums(dataset):
    return [f"{name}={md5}" for name, md5 in DATA[dataset]["members"].items()]


def size_options(dataset):
    """Everything the configuration says of a data set but where it comes from, as command-line arguments."""
    sizes = {key: value for key, value in DATA[dataset].items() if key not in ("url", "mirrors", "files", "members")}
    return planning.command_line(sizes, tuple(sizes))


# Method kmeans


def centroids_file(wildcards):
    """The centroids of this experiment, or of its base."""
    experiment = planning.centroid_experiment(CONFIG, wildcards.study, wildcards.experiment)
    return f"results/{wildcards.study}/{experiment}/{wildcards.run}/epsilon{wildcards.epsilon}/centroids.h5"


def for_each_epsilon(name):
    """An input function: the file of that name for each candidate epsilon, of the run that learned it."""

    def files(wildcards):
        options = planning.experiment_options(CONFIG, wildcards.study, wildcards.experiment)
        experiment = wildcards.experiment
        if name == "centroids.h5":
            experiment = planning.centroid_experiment(CONFIG, wildcards.study, experiment)
        folder = f"results/{wildcards.study}/{experiment}/{unsupervised_run(wildcards)}"
        return [f"{folder}/epsilon{epsilon}/{name}" for epsilon in options["whitening_epsilon"]]

    return files


# Evaluation


def study_scores(wildcards):
    return [
        f"results/{wildcards.study}/{experiment}/{run}/scores.npz"
        for experiment in experiments(wildcards.study)
        for run in runs(wildcards.study, experiment)
    ]


def study_solver_scores(wildcards):
    """The seeds' solver_iterations.npz of the experiments that ask for that table."""
    return [
        f"results/{wildcards.study}/{experiment}/{run}/solver_iterations.npz"
        for experiment in experiments(wildcards.study)
        if experiment in solver_experiments(wildcards.study)
        for run in runs(wildcards.study, experiment)
        if run.startswith("seed")
    ]


def predictions():
    """One Kaggle file for each experiment: that of its first seed."""
    return [
        f"results/{study}/{experiment}/{first_seed_run(study)}/predictions.csv"
        for study in CONFIG["studies"]
        for experiment in experiments(study)
    ]


# Figures


FIGURES = CONFIG["figures"]


def kmeans_experiments(study):
    """Experiments of the study that learn centroids of their own."""
    return [
        experiment
        for name, experiment in planning.experiments_of_method(CONFIG, "kmeans")
        if name == study and planning.centroid_experiment(CONFIG, study, experiment) == experiment
    ]


def solver_experiments(study):
    return [
        experiment
        for experiment in experiments(study)
        if planning.experiment_options(CONFIG, study, experiment).get("svm_iterations")
    ]


def feature_experiments(study):
    """Experiments whose runs hold features.h5."""
    return [experiment for name, experiment in planning.experiments_of_method(CONFIG, "kmeans") if name == study]


def study_figures(study):
    """Names of the study's figures, without folder and ending."""
    return (
        [f"patches_{experiment}" for experiment in kmeans_experiments(study)]
        + [f"centroids_{experiment}" for experiment in kmeans_experiments(study)]
        + [f"confusion_{experiment}" for experiment in experiments(study)]
        + [f"solver_iterations_{experiment}" for experiment in solver_experiments(study)]
        + [f"tsne_{name}" for name in ["pixels", *feature_experiments(study)]]
    )


def of_first_seed(path):
    """An input function: a file of the experiment's first run."""
    return (
        lambda wildcards: f"results/{wildcards.study}/{wildcards.experiment}/{first_seed_run(wildcards.study)}/{path}"
    )


def first_seed_centroids(wildcards):
    """The centroids of every candidate epsilon of the experiment's first run."""
    options = planning.experiment_options(CONFIG, wildcards.study, wildcards.experiment)
    return [of_first_seed(f"epsilon{epsilon}/centroids.h5")(wildcards) for epsilon in options["whitening_epsilon"]]


def embedded_features(wildcards):
    """Features to embed; none for raw pixels."""
    if wildcards.representation == "pixels":
        return []
    return f"results/{wildcards.study}/{wildcards.representation}/{first_seed_run(wildcards.study)}/features.h5"


def reported_table(path, kind, result):
    """Flag a table of a study for the HTML report: report/captions/<kind>.rst is its caption."""
    return report(
        f"results/{{study}}/{path}",
        caption=f"../report/captions/{kind}.rst",
        category="{study}",
        subcategory="Tables",
        labels={"result": result},
    )


def reported(name, result):
    """Flag a PNG for the HTML report: report/captions/<kind>.rst is its caption."""
    return report(
        f"results/{{study}}/figures/{name}.png",
        caption=f"../report/captions/{name.split('{')[0].rstrip('_')}.rst",
        category="{study}",
        subcategory="Figures",
        labels={"result": result},
    )


# Report


REPORT_SOURCES = Path(workflow.basedir) / "report"


def study_results(wildcards=None):
    """Everything that the text of the report reads from the studies."""
    files = []
    for study in CONFIG["studies"]:
        files += [
            f"results/{study}/{table}.csv" for table in ("metrics", "comparison", "per_class", "solver_iterations")
        ]
        files += [f"results/{study}/figures/{name}.pdf" for name in study_figures(study)]
        files += [f"results/{study}/figures/clustering_{name}.csv" for name in ["pixels", *feature_experiments(study)]]
        files += [
            f"results/{study}/{experiment}/{run}/selection.csv"
            for experiment in experiments(study)
            for run in runs(study, experiment)
        ]
    return files


def report_plan():
    """What the text has to say of: for each study its titles, options and figures, as JSON."""
    plan = {}
    for study, content in CONFIG["studies"].items():
        plan[study] = {
            "title": content.get("title", study),
            "dataset": content["dataset"],
            "seeds": content["seeds"],
            "baseline": content["baseline"],
            "experiments": {
                name: {
                    "title": options.get("title", name),
                    "method": options["method"],
                    "base": options.get("base"),
                    "runs": runs(study, name),
                    "options": planning.experiment_options(CONFIG, study, name),
                }
                for name, options in content["experiments"].items()
            },
            "figures": study_figures(study),
        }
    return json.dumps(
        {
            "studies": plan,
            "evaluation": CONFIG["evaluation"],
            "figures": CONFIG["figures"],
        }
    )
