# Checked configuration, wildcard constraints and the helpers that every rule file uses. No rules.
import json
import re
import sys
from pathlib import Path

SCRIPTS = Path(workflow.basedir) / "workflow_scripts"
sys.path.insert(0, str(SCRIPTS))

from declarations.options import option_names
from planning import config as planning
from planning import report as planning_report
from semisup.listing import listing_digest
from semisup.networks import network_file
from planning.digest import code_digest as file_digest

try:
    CONFIG = planning.checked_config(config, planning.config_schema())
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


def code_with_network(program):
    """A params function: digest of the program and of the network that the job's experiment trains."""

    def digest(wildcards):
        options = planning.experiment_options(CONFIG, wildcards.study, wildcards.experiment)
        return file_digest(SCRIPTS / f"{program}.py", [network_file(options["network"])])

    return digest


def program(name):
    """A params function: the path of a program. Snakemake does not record what depends on output, so the clone may move."""
    return lambda wildcards, output: str(SCRIPTS / f"{name}.py")


def memory(megabytes):
    """A resources function: so much memory, twice as much for a second attempt, and so on; a profile allows retries."""
    return lambda wildcards, attempt: megabytes * attempt


def run_time(hours=0, minutes=0):
    """A resources function: so many minutes, twice as many for a second attempt, and so on.

    For rules that begin anew; one with a checkpoint goes on from it, with the same time for each attempt.
    """
    return lambda wildcards, attempt: (60 * hours + minutes) * attempt


def experiment_pattern(method):
    """Constraint for {experiment} in the rules of a method."""
    return planning.method_pattern(CONFIG, method)


def options_of(*groups):
    """A params function: the options of these declared groups, of the job's experiment, as command-line arguments."""

    def arguments(wildcards):
        options = planning.experiment_options(CONFIG, wildcards.study, wildcards.experiment)
        return planning.command_line(options, option_names(*groups))

    return arguments


def seed_of(wildcards):
    return int(wildcards.run.removeprefix("seed"))


def dataset_of(study):
    return CONFIG["studies"][study]["dataset"]


def studies_of(kind):
    """Constraint for {study} in the rules of a kind of data set."""
    studies = [study for study in CONFIG["studies"] if planning.data_kind(CONFIG, dataset_of(study)).kind == kind]
    return "|".join(studies) or "no_study_of_this_kind"


def experiments(study):
    return list(CONFIG["studies"][study]["experiments"])


def method_of(study, experiment):
    """The declaration of the experiment's method."""
    return planning.method_of(CONFIG, study, experiment)


def options_asked(study, experiment):
    """The options of an experiment, with `base` if it has one, as its method is asked about them."""
    return planning.asked_options(CONFIG, study, experiment)


def runs(study, experiment):
    return planning.experiment_runs(CONFIG, study, experiment)


def first_seed_run(study):
    return f"seed{CONFIG['studies'][study]['seeds'][0]}"


def unsupervised_run(wildcards):
    """The run whose label-free part this run uses: folds share that of the first seed."""
    return wildcards.run if wildcards.run.startswith("seed") else first_seed_run(wildcards.study)


def unsupervised_file(name):
    """An input function: the file of that name of the run whose label-free part this run uses."""
    return lambda wildcards: f"results/{wildcards.study}/{wildcards.experiment}/{unsupervised_run(wildcards)}/{name}"


# Data sets


# The data sets of the studies that are made from downloaded files, by name.
DOWNLOADED = {
    name: planning.data_options(CONFIG, name)
    for name in dict.fromkeys(content["dataset"] for content in CONFIG["studies"].values())
    if "files" in planning.data_options(CONFIG, name)
}


def source_urls(wildcards, output):
    """Where the file is looked for. As it depends on output it is not recorded: another mirror downloads nothing again."""
    source = DOWNLOADED[wildcards.dataset]
    return [f"{folder.rstrip('/')}/{wildcards.file}" for folder in [source["url"], *source["mirrors"]]]


def downloaded(file):
    """An input function: that file of the study's data set."""
    return lambda wildcards: f"resources/{dataset_of(wildcards.study)}/{file}"


def member_checksums(wildcards):
    return [f"{name}={md5}" for name, md5 in DOWNLOADED[dataset_of(wildcards.study)]["members"].items()]


def listing_of(*names):
    """A params function: a digest of the files in the folders that these options of the study's data set name."""

    def listing(wildcards):
        options = planning.data_options(CONFIG, dataset_of(wildcards.study))
        return listing_digest(options[name] for name in names if options[name])

    return listing


def data_options_of(*groups):
    """A params function: the options of these declared groups, of the study's data set, as command-line arguments."""

    def arguments(wildcards):
        options = planning.data_options(CONFIG, dataset_of(wildcards.study))
        return planning.command_line(options, option_names(*groups))

    return arguments


# What a run uses of other runs and of the base


def training_seed(wildcards):
    """A seed run trains with its seed, a fold with the first seed of the study."""
    return int(unsupervised_run(wildcards).removeprefix("seed"))


def checkpoint_folder(program):
    """A params function: a folder beside every output, for Snakemake deletes the outputs of a job that failed."""
    return lambda wildcards, output: str(Path("results/checkpoints", *wildcards, program))


def base_of(wildcards):
    """The experiment whose centroids, network or model this one uses: its base, or itself."""
    return planning.base_experiment(CONFIG, wildcards.study, wildcards.experiment)


def of_base(name):
    """An input function: the file of that name, which may hold wildcards, of the same run of the base."""
    path = f"results/{{study}}/{{base}}/{{run}}/{name}"
    return lambda wildcards: path.format(base=base_of(wildcards), **wildcards)


def path_in_option(name):
    """An input function: the path that this option of the experiment names, with the run where it says {run}."""

    def path(wildcards):
        options = planning.experiment_options(CONFIG, wildcards.study, wildcards.experiment)
        return options[name].replace("{run}", wildcards.run)

    return path


def for_each_epsilon(name, experiment=lambda wildcards: wildcards.experiment):
    """An input function: the file of that name for each candidate epsilon, of the run that learned the centroids.

    experiment: a function that tells whose they are, for example `base_of`.
    """

    def files(wildcards):
        options = planning.experiment_options(CONFIG, wildcards.study, wildcards.experiment)
        folder = f"results/{wildcards.study}/{experiment(wildcards)}/{unsupervised_run(wildcards)}"
        return [f"{folder}/epsilon{epsilon}/{name}" for epsilon in options["whitening_epsilon"]]

    return files


def network_of_base(wildcards):
    """The network that training starts from, of the run that learned it; none without a base."""
    base = base_of(wildcards)
    if base == wildcards.experiment:
        return []
    return f"results/{wildcards.study}/{base}/{unsupervised_run(wildcards)}/{method_of(wildcards.study, base).network_file}"


# Evaluation


def baselines(wildcards):
    """What each experiment is compared with, as experiment=baseline."""
    content = CONFIG["studies"][wildcards.study]
    return [
        f"{experiment}={options.get('baseline', content['baseline'])}"
        for experiment, options in content["experiments"].items()
    ]


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
        if experiment in figures_of(wildcards.study).get("solver_iterations", [])
        for run in runs(wildcards.study, experiment)
        if run.startswith("seed")
    ]


def first_seed_scores(wildcards):
    return [first_seed_path(wildcards.study, name, "scores.npz") for name in experiments(wildcards.study)]


def prediction_tables(wildcards, output):
    return [f"{output.predictions}/{name}.csv" for name in experiments(wildcards.study)]


def predictions():
    """The folder of each study with one Kaggle file for each experiment: that of its first seed."""
    return [f"results/{study}/predictions" for study in CONFIG["studies"]]


# Figures


FIGURES = CONFIG["figures"]


def trained_together(study):
    return planning_report.trained_together(CONFIG, study)


def first_seed_path(study, experiment, path):
    """A file of the experiment's first run."""
    return f"results/{study}/{experiment}/{first_seed_run(study)}/{path}"


def representations(study):
    """What t-SNE maps are made from beside pixels: for each experiment that has one, the file of its first run."""
    mapped = {name: method_of(study, name).mapped for name in experiments(study)}
    return {name: first_seed_path(study, name, file) for name, file in mapped.items() if file}


def representation_options(wildcards):
    """A params function: --features, --layers and --networks with the experiments and their files."""
    files = {"features": [], "layers": [], "networks": []}
    for name, path in representations(wildcards.study).items():
        option = {"features.h5": "features", "layers.h5": "layers"}.get(Path(path).name, "networks")
        files[option].append(f"{name}={path}")
    return " ".join(" ".join([f"--{option}", *pairs]) for option, pairs in files.items() if pairs)


def figures_of(study):
    return planning_report.figures_of(CONFIG, study)


def figure_files(kind):
    """A params function: --pdf and --png with the files of every figure of that kind."""

    def files(wildcards, output):
        names = figures_of(wildcards.study)[kind]
        return " ".join(
            f"--{end} " + " ".join(f"{output.figures}/{name}.{end}" for name in names) for end in ("pdf", "png")
        )

    return files


def names_of_each(kind):
    """A params function: the names of the figures of that kind."""
    return lambda wildcards: figures_of(wildcards.study)[kind]


def of_each(kind, path):
    """An input function: that file of the first run of every experiment with a figure of that kind."""
    return lambda wildcards: [
        first_seed_path(wildcards.study, name, path) for name in figures_of(wildcards.study)[kind]
    ]


def options_of_each(kind, *groups):
    """A params function: the options of these groups, each with its value for every experiment with a figure of that kind."""
    names = option_names(*groups)

    def arguments(wildcards):
        options = [
            planning.experiment_options(CONFIG, wildcards.study, name) for name in figures_of(wildcards.study)[kind]
        ]
        return planning.command_line({name: [values[name] for values in options] for name in names}, names)

    return arguments


def networks_of_each(study, kind):
    """The file that holds the network of the first run of every experiment with a figure of that kind."""
    names = figures_of(study).get(kind, [])
    return [first_seed_path(study, name, method_of(study, name).network_file) for name in names]


def learned_by(study, experiment):
    """The files of a run that hold what it learned from images."""
    return method_of(study, experiment).learned(options_asked(study, experiment))


def centroids_of_each(study):
    """For every experiment that learns centroids, those of each candidate epsilon of its first run."""
    names = figures_of(study)["centroids"]
    return [[first_seed_path(study, name, file) for file in learned_by(study, name)] for name in names]


def reported_table(path, kind, result):
    """Flag a table of a study for the HTML report: report/captions/<kind>.rst is its caption."""
    return report(
        f"results/{{study}}/{path}",
        caption=f"../report/captions/{kind}.rst",
        category="{study}",
        subcategory="Tables",
        labels={"result": result},
    )


def reported_figure(name, result):
    """Flag a PNG for the HTML report: report/captions/<name>.rst is its caption."""
    return report(
        f"results/{{study}}/figures/{name}.png",
        caption=f"../report/captions/{name}.rst",
        category="{study}",
        subcategory="Figures",
        labels={"result": result},
    )


def reported_figures(kind, result):
    """Flag a folder of figures for the HTML report, one for each {experiment}: report/captions/<kind>.rst is the caption."""
    return report(
        directory(f"results/{{study}}/figures/{kind}"),
        patterns=["{experiment}.png"],
        caption=f"../report/captions/{kind}.rst",
        category="{study}",
        subcategory="Figures",
        labels={"result": result},
    )


# Report


REPORT_SOURCES = Path(workflow.basedir) / "report"
THEORY = CONFIG["theory"]


def texts_of_data_sets():
    kinds = [planning.data_kind(CONFIG, dataset_of(study)) for study in CONFIG["studies"]]
    return sorted({REPORT_SOURCES / planning_report.data_set_text(kind, REPORT_SOURCES) for kind in kinds})


# What each part of the theory leaves for the report, in results/theory/.
THEORY_FILES = {
    "derivations": ("derivations.csv", "source_errors.csv", "examples.json"),
    "momentum": ("momentum.csv", "momentum.pdf"),
    "dropout": ("dropout.csv", "dropout_ensemble.csv", "dropout.pdf"),
    "initialization": ("initialization.csv", "initialization.pdf"),
    "crowding": ("crowding.csv", "crowding.pdf"),
}


def theory_results():
    """Everything that the text of the report reads from its derivations and small experiments."""
    return [f"results/theory/{name}" for part in THEORY["parts"] for name in THEORY_FILES[part]]


def reported_theory(name, result):
    """Flag a table or a PNG of the theory for the HTML report: report/captions/<name>.rst is its caption."""
    return report(
        f"results/theory/{name}",
        caption=f"../report/captions/{Path(name).stem}.rst",
        category="Theory",
        subcategory="Figures" if name.endswith(".png") else "Tables",
        labels={"result": result},
    )


def learned_files(wildcards):
    """Every network and all centroids: what is learned from images, and where rounding can differ between machines."""
    return [
        f"results/{study}/{name}/seed{seed}/{file}"
        for study, content in CONFIG["studies"].items()
        for name in experiments(study)
        for seed in content["seeds"]
        for file in learned_by(study, name)
    ]


def first_networks(wildcards):
    return [path for study in CONFIG["studies"] for path in networks_of_each(study, "filters")]


def study_results(wildcards=None):
    """Everything that the text of the report reads from the studies."""
    files = []
    for study in CONFIG["studies"]:
        files += [
            f"results/{study}/{table}.csv"
            for table in ("metrics", "comparison", "per_class", "solver_iterations", "clustering")
        ]
        files += [f"results/{study}/figures/{kind}" for kind in figures_of(study)]
        files += [f"results/{study}/figures/training.pdf"] if trained_together(study) else []
        files += [
            f"results/{study}/{experiment}/{run}/{table}.csv"
            for experiment in experiments(study)
            for run in runs(study, experiment)
            for table in ("selection", "history")
        ]
        files += [
            f"results/{study}/{experiment}/seed{seed}/{table}.csv"
            for experiment in experiments(study)
            for table in method_of(study, experiment).tables
            for seed in CONFIG["studies"][study]["seeds"]
        ]
    return files


def report_plan(wildcards):
    """What the text has to say of, as JSON: a params function, as a title may hold braces, which would be wildcards."""
    return json.dumps(planning_report.report_plan(CONFIG, REPORT_SOURCES))


def texts_of_networks():
    networks = planning_report.network_texts(planning_report.networks_of(CONFIG), REPORT_SOURCES)
    return sorted({REPORT_SOURCES / network["text"] for network in networks})


def texts_of_methods():
    return [
        REPORT_SOURCES / name
        for name in planning_report.sections_of(planning_report.methods_of(CONFIG), REPORT_SOURCES)
    ]
