"""Write the rules and the jobs of a workflow to standard output as JSON; nothing is run.

Usage: python dump_dag.py SNAKEFILE DIRECTORY CONFIGFILE TARGET...

It runs in a process of its own, since Snakemake changes the working directory, the logging and the modules.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings


def build(snakefile, directory, configfile, targets):
    """Return rules and jobs: plain dictionaries of text, numbers and lists."""
    quiet = OutputSettings(quiet={Quietness.ALL})
    with SnakemakeApi(quiet) as api:
        workflow_api = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=[configfile]),
            snakefile=snakefile,
            workdir=directory,
        )
        dag_api = workflow_api.dag(DAGSettings(targets=set(targets)))
        with contextlib.redirect_stdout(io.StringIO()):
            dag_api.printd3dag()  # builds the graph
        workflow = workflow_api._workflow  # the public interface only prints
        rules = {rule.name: describe_rule(rule) for rule in workflow.rules}
        jobs = [describe_job(job, workflow.dag) for job in workflow.dag.jobs]
    return {"rules": rules, "jobs": jobs}


def describe_rule(rule):
    return {
        "shell": rule.shellcmd,
        "log": list(map(str, rule.log)),
        "conda": str(Path(rule.snakefile).parent / str(rule.conda_env)) if rule.conda_env else None,
        "params": {name: str(value) for name, value in rule.params.items()},
        "resources": sorted(rule.resources),
        "outputs": list(map(str, rule.output)),
    }


def describe_job(job, dag):
    return {
        "rule": job.rule.name,
        "wildcards": dict(job.wildcards.items()),
        "inputs": list(map(str, job.input)),
        "outputs": list(map(str, job.output)),
        "shell": job.shellcmd,
        "params": {name: str(value) for name, value in job.params.items()},
    }


if __name__ == "__main__":
    snakefile, directory, configfile, *targets = sys.argv[1:]
    json.dump(build(Path(snakefile), Path(directory), Path(configfile), targets), sys.stdout)
