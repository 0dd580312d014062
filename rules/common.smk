# Checked configuration, wildcard constraints and the helpers that every rule file uses. No rules.
import os
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

SCRIPTS = CLONE / "workflow_scripts"
if not SCRIPTS.is_dir():
    sys.exit(f"error: {CLONE} is no folder on this machine: clone the repository, and name the Snakefile of the clone")
sys.path.insert(0, str(SCRIPTS))
os.environ.pop("PYTHONSAFEPATH", None)  # the user's: with it the jobs' programs would not find the modules beside them

from declarations.options import option_names
from planning import config as planning
from planning.config_files import check_file
from planning.environment import command_mistake, python_mistake
from semisup.listing import listing_digest
from semisup.networks import network_file
from semisup.run_names import RUN, seed_run
from planning.digest import code_digest as file_digest

mistake = command_mistake()
if not mistake and DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
    mistake = python_mistake()
if mistake:
    sys.exit(f"error: {mistake}")

try:
    if workflow.modifier.parent_modifier is None:  # not a module of a workflow, whose files hold more
        for file in workflow.overwrite_configfiles:
            check_file(file)
    CONFIG = planning.checked_config(config, planning.config_schema())
except planning.ConfigError as error:
    sys.exit(f"config error: {error}")

SEED_RUN = r"seed\d+"


wildcard_constraints:
    study="|".join(CONFIG["studies"]),
    experiment=r"\w+",
    run=RUN,
    epsilon=r"[0-9.e+-]+",
    representation=r"\w+",


def code_digest(program, by_name=()):
    """Digest of the program and of the local modules it imports: a param, so that real changes rerun its jobs.

    by_name: modules of workflow_scripts, or folders of them, that the program finds by their names.
    """
    return file_digest(SCRIPTS / f"{program}.py", by_name)


def code_with_network(program):
    """A params function: digest of the program and of the network that the job's experiment trains."""

    @cache  # a thousand experiments share a few networks
    def digest(network):
        return code_digest(program, [network_file(network)])

    return lambda wildcards: digest(
        planning.experiment_options(CONFIG, wildcards.study, wildcards.experiment)["network"]
    )


def environment(name):
    """The conda environment of a rule. Snakemake formats its path, so that braces in the folder of the clone are doubled."""
    return str(CLONE / "envs" / f"{name}.yaml").replace("{", "{{").replace("}", "}}")


def program(name):
    """A params function: the path of a program. Snakemake does not record what depends on output, so the clone may move."""
    return lambda wildcards, output: str(SCRIPTS / f"{name}.py")


def memory(megabytes):
    """A resources function: so much memory, twice as much for a second attempt, and so on; a profile allows retries."""
    return lambda wildcards, attempt: megabytes * attempt


def run_time(hours=0, minutes=0):
    """A resources function: so many minutes, twice as many for a second attempt, and so on.

    For rules that start again from nothing. A rule with a checkpoint continues from it, with the same time for each attempt.
    """
    return lambda wildcards, attempt: (60 * hours + minutes) * attempt


def experiment_pattern(*methods):
    """Constraint for {experiment} in the rules of these methods."""
    return planning.method_pattern(CONFIG, *methods)


def methods_like(kind):
    """The names of the methods that are of this kind."""
    return [name for name, method in planning.METHODS.items() if issubclass(method, kind)]


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
    """The options of an experiment, with `builds_on` if it has a base, as its method is asked about them."""
    return planning.asked_options(CONFIG, study, experiment)


def runs(study, experiment):
    return planning.experiment_runs(CONFIG, study, experiment)


def first_seed_run(study):
    return f"seed{CONFIG['studies'][study]['seeds'][0]}"


def unsupervised_run(wildcards):
    """The run whose label-free part this run uses: fewer labels share that of their seed, folds that of the first."""
    return seed_run(wildcards.run) or first_seed_run(wildcards.study)


def unsupervised_file(name):
    """An input function: the file of that name of the run whose label-free part this run uses."""
    return lambda wildcards: f"results/{wildcards.study}/{wildcards.experiment}/{unsupervised_run(wildcards)}/{name}"


# Data sets


# The data sets of the studies and of `data` that are made from downloaded files, by name.
DOWNLOADED = {
    name: planning.data_options(CONFIG, name)
    for name in dict.fromkeys([*map(dataset_of, CONFIG["studies"]), *CONFIG.get("data", {})])
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
    """A params function: the options of these declared groups, of the study's data set, as command-line arguments.

    Options that its kind does not have are left to the program, whose defaults are the declared ones.
    """

    def arguments(wildcards):
        options = planning.data_options(CONFIG, dataset_of(wildcards.study))
        return planning.command_line(options, tuple(name for name in option_names(*groups) if name in options))

    return arguments


def copies_left_out(wildcards):
    """A params function: where near copies are left out, what counts as one; else another value prepares nothing again."""
    options = planning.data_options(CONFIG, dataset_of(wildcards.study))
    return f"--leave-out-copies {options['copy_correlation']}" if options.get("leave_out_copies") else ""


# What a run uses of other runs and of the base


def training_seed(wildcards):
    """A run trains with its seed, a fold with the first seed of the study."""
    return int(unsupervised_run(wildcards).removeprefix("seed"))


def checkpoint_folder(program):
    """A params function: a folder away from every output, because Snakemake deletes the outputs of a failed job."""
    # results/ may lie below a prefix, if this is a module; there a wildcard is a folder in the path of an output.
    return lambda wildcards, output: str(
        Path(Path(output[0]).parents[len(wildcards)], "checkpoints", *wildcards, program)
    )


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
        file = options[name].replace("{run}", wildcards.run)
        if not Path(file).is_file():
            raise WorkflowError(
                f"studies.{wildcards.study}.experiments.{wildcards.experiment}.{name}: there is no file {file}; put it "
                f"there (`snakemake results/{wildcards.study}/data/images.h5` makes the images to score)"
            )
        return local(file)  # the user's, so no prefix that a module's results may have

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


def model_of_base(wildcards):
    """The model that training starts from, of the same run of the base; none without a base."""
    own = base_of(wildcards) == wildcards.experiment
    return [] if own else of_base("model.h5")(wildcards)


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
        for experiment in figures_of(wildcards.study).get("solver_iterations", [])
        for run in runs(wildcards.study, experiment)
        if run.startswith("seed")
    ]


def first_seed_scores(wildcards):
    return [first_seed_path(wildcards.study, name, "scores.npz") for name in experiments(wildcards.study)]


def prediction_tables(wildcards, output):
    return [f"{output.predictions}/{name}.csv" for name in experiments(wildcards.study)]


def models_with_cards(wildcards):
    """The model of the first seed of every experiment that has models: the one that predictions and figures are of."""
    names = planning_report.with_models(CONFIG, wildcards.study)
    return [first_seed_path(wildcards.study, name, "model.h5") for name in names]


def card_files(wildcards, output):
    return [f"{output.cards}/{name}.md" for name in planning_report.with_models(CONFIG, wildcards.study)]


def card_plan(wildcards):
    """What the cards say in addition to numbers, as JSON: a params function, because a title may hold braces."""
    return json.dumps(planning_report.card_plan(CONFIG, wildcards.study))


def model_cards():
    """The folder of each study with a card for one model of each experiment."""
    return [f"results/{study}/model_cards" for study in CONFIG["studies"]]


def predictions():
    """The folder of each study with one Kaggle file for each experiment: that of its first seed."""
    return [f"results/{study}/predictions" for study in CONFIG["studies"]]
