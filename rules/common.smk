# Checked configuration, wildcard constraints and the helpers that every rule file uses. No rules.
import sys
from pathlib import Path

SCRIPTS = Path(workflow.basedir) / "workflow_scripts"
sys.path.insert(0, str(SCRIPTS))

from planning import config as planning
from planning.digest import code_digest as file_digest

try:
    CONFIG = planning.checked_config(
        config, planning.read_yaml(Path(workflow.basedir) / "config.schema.yaml")
    )
except planning.ConfigError as error:
    sys.exit(f"config error: {error}")

SEED_RUN = r"seed\d+"
ANY_RUN = r"(seed|fold)\d+"


wildcard_constraints:
    study="|".join(CONFIG["studies"]),
    experiment=r"\w+",
    run=ANY_RUN,
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
    names = {
        experiment for _, experiment in planning.experiments_of_method(CONFIG, method)
    }
    return "|".join(sorted(names)) or "no_experiment_of_this_method"


def options_of(*names):
    """A params function: the named options of the job's experiment as command-line arguments."""

    def arguments(wildcards):
        options = planning.experiment_options(
            CONFIG, wildcards.study, wildcards.experiment
        )
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
    return (
        wildcards.run
        if wildcards.run.startswith("seed")
        else first_seed_run(wildcards.study)
    )
