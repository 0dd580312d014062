"""The profiles: each is whole, says what it does, and is safe where it is meant for; GPUs are asked for in one way."""

import itertools
import logging
import os
import re
import subprocess
from types import SimpleNamespace

import pytest
import yaml
from clones import run_snakemake
from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file

from fixtures_snakemake import ROOT, command_of
from planning.dry_run import read_jobs

TINY = yaml.safe_load((ROOT / "tests/e2e/config.tiny.yaml").read_text())
PROFILES = sorted(path.name for path in (ROOT / "profiles").iterdir())
INSTALLED = [name for name in PROFILES if name != "cluster-generic"]  # whose executors are; tests/cluster runs that one
FILES = sorted((ROOT / "profiles").rglob("*.yaml"))
RULE_FILES = sorted((ROOT / "rules").rglob("*.smk"))
ON_A_GPU = re.compile(r"--gpu (\d+) ")
# Other ways to ask for a GPU, which SLURM refuses or adds to gpu=1.
OTHER_WAYS = {"gres", "gpus", "gpu_model", "nvidia_gpu", "cpus_per_gpu", "tasks_per_gpu", "slurm_extra"}


def settings_of(profile):
    return yaml.safe_load((ROOT / "profiles" / profile / "profile.yaml").read_text())


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """A function that returns the jobs of the tiny demonstration with a profile and further arguments."""

    def jobs(profile, *arguments):
        folder = tmp_path_factory.mktemp(profile)
        cores = [] if profile == "slurm" else ["--cores", 8]
        options = ["-n", "-p", *cores, *arguments]
        command = command_of(folder, profile, TINY, *options, "--", "all", "evaluated")
        process = run_snakemake(*command[1:], cwd=folder)
        assert process.returncode == 0, process.stdout + process.stderr
        return read_jobs(process.stdout + process.stderr)

    return jobs


@pytest.fixture(scope="module", params=INSTALLED)
def profile(request):
    return request.param


@pytest.fixture(scope="module")
def jobs(profile, plan):
    return plan(profile)


def test_there_is_one_for_each_kind_of_machine():
    assert PROFILES == ["cluster-generic", "default", "demo", "slurm"]


def test_profile_plans_every_job(jobs):
    """Snakemake refuses a profile with an unknown key, or with a plugin that is missing."""
    assert {"train_supervised", "train_svm", "evaluate", "render_report"} <= {job.rule for job in jobs}
    assert len(jobs) > 60


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_every_key_is_commented(file):
    """Right above it. What stands below a key of a profile, such as the threads of each rule, belongs to that key."""
    key = r"[\w-]+:" if file.name == "profile.yaml" else r" *[\w-]+:"
    lines = file.read_text().splitlines()
    keys = [number for number, line in enumerate(lines) if re.match(key, line)]
    assert len(keys) > 3
    assert not [lines[number] for number in keys if not lines[number - 1].lstrip().startswith("# ")]


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_repeats_what_is_safe(name):
    """A given profile replaces the default one as a whole."""
    settings = settings_of(name)
    assert settings["rerun-incomplete"] is True
    assert settings["keep-going"] is True
    assert settings["show-failed-logs"] is True


FAILING = """
rule failing:
    log:
        "failing.log",
    shell:
        "echo 'error: the reason' > {log}; exit 1"
"""


def test_the_log_of_a_failed_job_is_printed(profile, tmp_path):
    (tmp_path / "Snakefile").write_text(FAILING)
    command = ["-m", "snakemake", "--workflow-profile", ROOT / "profiles" / profile]
    here = ["--executor", "local", "--cores", "1", "--retries", "0"]  # not on a cluster
    process = run_snakemake(*command, *here, cwd=tmp_path)
    assert process.returncode == 1
    assert "\nerror: the reason\n" in process.stdout + process.stderr


SLEEPERS = """
rule all:
    input:
        expand("{number}.txt", number=range(3)),

rule sleeper:
    output:
        "{number}.txt",
    resources:
        gpu=1,
    shell:
        "date +%s.%N > {output}; sleep 0.5; date +%s.%N >> {output}"
"""


def test_default_profile_runs_one_gpu_job_at_a_time(tmp_path):
    """On eight cores too: two trainings on a laptop's one GPU would run out of its memory."""
    (tmp_path / "Snakefile").write_text(SLEEPERS)
    profile = ROOT / "profiles" / "default"
    run_snakemake("-m", "snakemake", "--workflow-profile", profile, "--cores", "8", cwd=tmp_path).check_returncode()
    times = sorted(tuple(map(float, file.read_text().split())) for file in tmp_path.glob("?.txt"))
    assert len(times) == 3
    for (_, end), (start, _) in itertools.pairwise(times):
        assert end <= start


def test_a_gpu_is_asked_for_in_one_way(jobs):
    """gpu=1 for each rule that can use one, no GPU for the others; the tiny demonstration has every rule of them."""
    with_gpu = {name for file in RULE_FILES for name in rules_with("--gpu {resources.gpu}", file)}
    assert {"learn_centroids", "train_supervised", "train_fixmatch"} <= with_gpu
    assert {job.rule for job in jobs if ON_A_GPU.search(job.command or "")} == with_gpu
    for job in jobs:
        assert not OTHER_WAYS & set(job.resources), job.rule
        assert ("gpu" in job.resources) == (job.rule in with_gpu), job.rule


def rules_with(text, file):
    blocks = re.split(r"^rule (\w+):$", file.read_text(), flags=re.MULTILINE)
    return [name for name, body in zip(blocks[1::2], blocks[2::2], strict=True) if text in body]


def test_profiles_say_nothing_else_of_gpus():
    """slurm_partition too would overrule the choice of a partition by what a job asks for."""
    for file in FILES:
        words = set(re.findall(r"^ *([\w-]+):", file.read_text(), re.MULTILINE))
        assert not (OTHER_WAYS | {"slurm_partition"}) & words, file


def gpus_of(jobs):
    """What the jobs ask for, and what their programs are told."""
    told = [match[1] for match in (ON_A_GPU.search(job.command or "") for job in jobs) if match]
    return {job.resources["gpu"] for job in jobs if "gpu" in job.resources}, set(told)


def test_programs_use_one_gpu_but_in_the_demonstration(profile, jobs):
    assert gpus_of(jobs) == (({0}, {"0"}) if profile == "demo" else ({1}, {"1"}))


def test_one_switch_for_the_cpu(profile, plan):
    assert gpus_of(plan(profile, "--resources", "gpu=0")) == ({0}, {"0"})


def commands(jobs):
    """The jobs that run a program, by rule and wildcards."""
    return {(job.rule, *job.wildcards.values()): job for job in jobs if job.command}


def test_memory_and_time_grow_with_the_attempt(plan):
    """But for the time of a training, which goes on from its checkpoint: another job would only reach a limit again."""
    first, third = commands(plan("slurm")), commands(plan("slurm", "--attempt", 3))
    assert first.keys() == third.keys()
    grown = {}
    for key, job in first.items():
        again = third[key].resources
        assert again["mem_mb"] == 3 * job.resources["mem_mb"], key
        grown[job.rule] = again["runtime"] / job.resources["runtime"]
    assert grown == {job.rule: 1 if "--checkpoint " in job.command else 3 for job in first.values()}
    assert set(grown.values()) == {1, 3}
    assert settings_of("slurm")["retries"] >= 2


def test_partitions_and_guide_name_the_largest_request(plan):
    """That of a last attempt, which has to fit the limits of some partition."""
    jobs = commands(plan("slurm", "--cores", 8, "--attempt", settings_of("slurm")["retries"] + 1)).values()
    with_gpu = [job for job in jobs if job.resources.get("gpu")]
    others = [job for job in jobs if not job.resources.get("gpu")]
    for text in (ROOT / "profiles/slurm/partitions.yaml", ROOT / "docs/clusters.md"):
        words = " ".join(text.read_text().replace("\n# ", " ").split())
        assert f"{largest(with_gpu)} with a GPU, {largest(others)} without, {most(jobs)} threads" in words, text


def largest(jobs):
    memory, minutes = (max(job.resources[name] for job in jobs) for name in ("mem_mb", "runtime"))
    return f"{memory:,} MB and {minutes:,} minutes"


def most(jobs):
    return max(job.threads for job in jobs)


def test_every_job_has_a_time_limit(jobs):
    assert all(job.resources["runtime"] > 0 for job in jobs if job.command)


def test_downloading_and_typesetting_alone_run_on_the_login_node():
    """Which has the network and LaTeX; anything else would be work on a machine that all share."""
    local = [name for file in RULE_FILES for name in rules_with("localrule: True", file)]
    assert local == ["download", "typeset_report", "publish_report"]
    written = "".join(file.read_text() for file in [ROOT / "Snakefile", *RULE_FILES])
    assert "localrules:" not in written


def test_slurm_itself_starts_no_job_again():
    """Snakemake does: a job of a lost node would run twice, at the same outputs."""
    settings = settings_of("slurm")
    assert settings["slurm-no-requeue"] is True
    assert "slurm-requeue" not in settings


@pytest.mark.parametrize(("gpu", "partition"), [(None, "cpu"), (0, "cpu"), (1, "gpu")])
def test_partition_follows_from_the_gpu(gpu, partition):
    """The plugin's own choice, with any runtime and memory that a rule asks for. test_slurm.py sees it in a cluster."""
    resources = {"mem_mb": 48000, "runtime": 1440} | ({} if gpu is None else {"gpu": gpu})
    job = SimpleNamespace(name="job", threads=8, resources=resources)
    file = ROOT / "profiles" / "slurm" / settings_of("slurm")["slurm-partition-config"]
    assert get_best_partition(read_partition_file(file), job, logging.getLogger()) == partition


# The scripts of profiles/cluster-generic; tests/cluster runs them with a made-up PBS


def status_of_job(tmp_path, said, code):
    """What status.sh makes of an answer of qstat: the finished process."""
    qstat = tmp_path / "qstat"
    qstat.write_text(f"#!/bin/sh\necho '{said}'\nexit {code}\n")
    qstat.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    command = ["sh", ROOT / "profiles/cluster-generic/status.sh", "7"]
    return subprocess.run(command, env=os.environ | {"PATH": path}, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("said", "code", "status"),
    [
        ("Connection refused", 1, "running"),  # the scheduler does not answer: it is asked again
        ("qstat: Unknown Job Id 7", 153, "failed"),
        ("    job_state = R", 0, "running"),
        ("    job_state = F", 0, "failed"),  # deleted in the queue
        ("    job_state = F\n    Exit_status = 271", 0, "failed"),
        ("    job_state = F\n    Exit_status = 10", 0, "failed"),
        ("    job_state = F\n    Exit_status = 0", 0, "success"),
        ("    Job_Name = Unknown Job Id\n    job_state = R", 0, "running"),
    ],
)
def test_answers_of_the_scheduler(tmp_path, said, code, status):
    done = status_of_job(tmp_path, said, code)
    assert (done.returncode, done.stdout) == (0, f"{status}\n")


def test_scheduler_without_a_history_stops_snakemake(tmp_path):
    """It cannot say how a job ended: no status, and one line."""
    done = status_of_job(tmp_path, "qstat: PBS is not configured to maintain job history", 1)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: qstat: PBS is not configured")
    assert "job_history_enable" in done.stderr
