"""Environments: each gives its rules what they import and nothing else, and conda, pip and the container agree."""

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml
from clones import ROOT

from planning.digest import local_modules

SCRIPTS = ROOT / "workflow_scripts"
PROGRAMS = sorted(path.stem for path in SCRIPTS.glob("*.py"))
DEMO = yaml.safe_load((ROOT / "config.demo.yaml").read_text())
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))

# Every conda package that an environment may name, known to be on its channel: the distribution on PyPI
# that it holds.
CONDA_FORGE = {
    "h5py": "h5py",
    "hypothesis": "hypothesis",
    "jinja2": "Jinja2",
    "jsonschema": "jsonschema",
    "kornia": "kornia",
    "matplotlib-base": "matplotlib",
    "mlxtend": "mlxtend",
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "onnxscript": "onnxscript",
    "pandas": "pandas",
    "pillow": "pillow",
    "py-rattler": "py-rattler",
    "pytest": "pytest",
    "pytest-xdist": "pytest-xdist",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "pyyaml": "PyYAML",
    "ruff": "ruff",
    "scikit-image": "scikit-image",
    "scikit-learn": "scikit-learn",
    "scipy": "scipy",
    "selenium": "selenium",
    "torchvision": "torchvision",
    "tqdm": "tqdm",
}
BIOCONDA = {
    "snakefmt": "snakefmt",
    "snakemake-executor-plugin-slurm": "snakemake-executor-plugin-slurm",
    "snakemake-minimal": "snakemake",
}
DISTRIBUTIONS = CONDA_FORGE | BIOCONDA
# The environments of the programs that no rule runs.
BY_HAND = {"predict": "train", "export_model": "export", "write_crate": "data"}
# Packages that only choose a build of another one, and so are imported by nobody.
VARIANTS = {"pytorch-cpu", "pytorch-gpu"}
# What a package is called in conda, where that is not the name it is imported by.
CONDA_PACKAGES = {
    "PIL": "pillow",
    "matplotlib": "matplotlib-base",
    "rattler": "py-rattler",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "snakemake": "snakemake-minimal",
    "torch": "pytorch",
    "yaml": "pyyaml",
}


def pins(environment):
    """The packages that an environment asks for, each with its version."""
    lines = yaml.safe_load((ROOT / "envs" / f"{environment}.yaml").read_text())["dependencies"]
    return {name: version.removeprefix("=") for name, version in map(str.split, lines)}


def needed_packages(paths, root):
    """The conda packages of what some files, and the local modules they import, import from outside Python.

    A program that reads or makes networks imports the one that it needs by name.
    """
    found = {module for path in paths for module in local_modules(path, root)}
    if SCRIPTS / "semisup/network.py" in found:
        networks = sorted((SCRIPTS / "semisup/networks").glob("*.py"))
        found |= {module for path in networks for module in local_modules(path, SCRIPTS)}
    names = set().union(*map(imported_names, found))
    local = {path.stem for folder in (root, SCRIPTS) for path in (folder, *folder.rglob("*"))}
    return {CONDA_PACKAGES.get(name, name.replace("_", "-")) for name in names - set(sys.stdlib_module_names) - local}


def imported_names(path):
    """Top-level names of what a file imports, looks for with `find_spec`, or runs by `-m` in a list of words."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "find_spec":
            names.add(ast.literal_eval(node.args[0]))
        elif isinstance(node, ast.List | ast.Tuple):
            words = [item.value if isinstance(item, ast.Constant) else None for item in node.elts]
            names |= {words[i + 1] for i in range(len(words) - 1) if words[i] == "-m" and words[i + 1]}
    return names


def planning_packages():
    """What reading the Snakefile needs; `make readme` draws too, and runs where everything is."""
    files = sorted(path for path in (SCRIPTS / "planning").glob("*.py") if path.stem != "readme")
    return {"snakemake-minimal"} | needed_packages(files, SCRIPTS)


def program_packages(program):
    """What a program needs; more than it imports where it reads the Snakefile or finds modules by their names."""
    by_name = sorted((SCRIPTS / "reporting/methods").glob("*.py")) if program == "render_report" else []
    needed = needed_packages([SCRIPTS / f"{program}.py", *by_name], SCRIPTS)
    return needed | planning_packages() if "snakemake-minimal" in needed else needed


@pytest.fixture(scope="module")
def environment_of(build_dag):
    """The environment of each rule that runs a program, and of the programs that run by hand only."""
    rules = build_dag(DEMO, targets=("all", "evaluated"))["rules"]
    return {name: Path(rule["conda"]).stem for name, rule in rules.items() if "program" in rule["params"]} | BY_HAND


# The files themselves


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_environment_is_pinned(path):
    environment = yaml.safe_load(path.read_text())
    assert set(environment) == {"channels", "dependencies"}
    for line in environment["dependencies"]:
        assert re.fullmatch(r"[a-z0-9_-]+ =\d+\.\d+", line), line  # a minor version
    packages = list(pins(path.stem))
    assert packages[0] == "python"
    assert len(set(packages)) == len(environment["dependencies"])
    bioconda = ["bioconda"] if set(BIOCONDA) & set(packages) else []
    assert environment["channels"] == ["conda-forge", *bioconda, "nodefaults"]


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_packages_are_known_to_their_channel(path):
    assert set(pins(path.stem)) - {"python"} <= set(DISTRIBUTIONS)


def test_environments_agree_on_versions():
    versions = {}
    for path in ENVIRONMENTS:
        for name, version in pins(path.stem).items():
            assert versions.setdefault(name, version) == version, f"{path.name}: {name}"


def test_every_environment_of_a_rule_exists(environment_of):
    assert set(environment_of.values()) <= {path.stem for path in ENVIRONMENTS}


# What is imported


@pytest.mark.parametrize("program", PROGRAMS)
def test_environment_provides_what_the_program_imports(program, environment_of):
    assert program_packages(program) <= set(pins(environment_of[program]))


@pytest.mark.parametrize("environment", ["data", "train", "report", "latex", "export"])
def test_environment_holds_nothing_that_its_programs_do_not_import(environment, environment_of):
    programs = [name for name, its in environment_of.items() if its == environment]
    needed = set().union(*map(program_packages, programs))
    assert set(pins(environment)) - VARIANTS == needed | {"python"}


def test_no_other_environment_belongs_to_rules(environment_of):
    """Those of rules are checked above, the others below."""
    assert set(environment_of.values()) == {"data", "train", "report", "latex", "export"}
    others = {"snakemake", "train-gpu", "test"}
    assert {path.stem for path in ENVIRONMENTS} == {"data", "train", "report", "latex", "export"} | others


def test_environment_for_snakemake_is_what_reading_the_snakefile_needs():
    executors = {name for name in pins("snakemake") if name.startswith("snakemake-executor-plugin")}
    assert set(pins("snakemake")) == planning_packages() | executors | {"python"}


def test_gpu_environment_only_insists_on_a_build():
    assert set(pins("train-gpu")) == set(pins("train")) | {"pytorch-gpu"}


def test_environment_for_tests_holds_every_other_and_what_tests_import():
    everything = set(pins("test"))
    for path in ENVIRONMENTS:
        assert set(pins(path.stem)) - {"pytorch-gpu"} <= everything, path.name
    tests = ROOT / "tests"
    imported = needed_packages(sorted(tests.rglob("*.py")), tests)
    # `packaging` comes with pytest, whose own requirement it is; the others are what a bench compares with, if there.
    assert imported - everything <= {"packaging", "faiss", "superkmeans", "cuml"}


# conda and pip


def pip_pins(file):
    lines = [line.split("#")[0].strip() for line in (ROOT / file).read_text().splitlines()]
    return dict(line.split("==") for line in lines if line)


def test_conda_and_pip_agree_on_versions():
    versions = pip_pins("constraints.txt") | pip_pins("requirements.txt")
    for path in ENVIRONMENTS:
        for name, pin in pins(path.stem).items():
            if name != "python":
                assert f"{versions[DISTRIBUTIONS[name]]}.".startswith(f"{pin}."), f"{path.name}: {name}"


def test_environment_for_tests_is_what_pip_installs():
    asked = {DISTRIBUTIONS[name] for name in pins("test") if name != "python"}
    assert asked == set(pip_pins("requirements.txt"))


def test_conda_takes_the_oldest_python_that_make_takes():
    (wanted,) = re.findall(r"sys\.version_info >= \((\d+), (\d+)\)", (ROOT / "Makefile").read_text())
    assert {pins(path.stem)["python"] for path in ENVIRONMENTS} == {".".join(wanted)}


# The container


def instructions():
    """The Dockerfile's instructions: (word, rest), continued lines joined, comments left out."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def apt_packages(command):
    """What the `apt-get install`s of a shell command install."""
    installs = re.findall(r'apt-get install -y([^&|;>"]*)', command.replace("\\\n", " "))
    return {word for text in installs for word in text.split() if not word.startswith("-")}


def latex_packages():
    """What the target `latex` of the Makefile installs."""
    (packages,) = re.findall(r"^LATEX := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return set(packages.split())


def test_container_installs_the_latex_of_the_makefile():
    installed = set().union(*(apt_packages(rest) for word, rest in instructions() if word == "RUN"))
    assert "latexmk" in latex_packages()
    assert installed == latex_packages() | {"ca-certificates", "git", "make", "python3", "python3-venv"}
    (said,) = re.findall(r'INSTALL = "run apt-get install (.*)"', (SCRIPTS / "typeset_report.py").read_text())
    assert set(said.split()) == latex_packages()


def test_container_installs_the_pins_of_pip_and_nothing_else():
    """By the Makefile's own target, from the files that it depends on."""
    steps = instructions()
    installs = [rest for word, rest in steps if word == "RUN" and "make" in rest and "apt-get" not in rest]
    (install,) = installs
    (target,) = re.findall(r"make (\S+)", install)
    rule = (ROOT / "Makefile").read_text().replace("$(VENV)", ".venv")
    (dependencies,) = re.findall(rf"^{re.escape(target)}: (.*)$", rule, re.MULTILINE)
    before = steps[: steps.index(("RUN", install))]
    copied = {word for step, rest in before if step == "COPY" for word in rest.split()}
    assert {"Makefile", *dependencies.split()} <= copied
    assert not [rest for word, rest in steps if re.search(r"\bpip3? +install", rest)]


def test_container_runs_the_demonstration_as_a_common_user():
    steps = instructions()
    words = [word for word, _ in steps]
    assert words[0] == "FROM"
    assert re.fullmatch(r"debian:\w+-slim", steps[0][1])
    (user,) = [rest for word, rest in steps if word == "USER"]
    assert user not in ("0", "root")
    assert words.index("USER") < words.index("COPY")
    assert all(f"--chown={user} " in rest for word, rest in steps if word == "COPY")
    assert steps[-1] == ("CMD", '["make", "report"]')


def test_volumes_of_the_guide_belong_to_the_user_of_the_container():
    """A new volume takes over the owner of the image's folder; one that is not there would be root's."""
    (owned,) = re.findall(
        r"install -d -o study (.*)", "\n".join(rest for word, rest in instructions() if word == "RUN")
    )
    folders = re.findall(r"--volume \w+:(\S+)", (ROOT / "docs/environments.md").read_text())
    assert sorted(folders) == ["/study/resources", "/study/results"]
    assert {"/study", "/study/resources"} <= set(owned.split())
    assert (ROOT / "results/.gitkeep").exists()  # so `COPY --chown` makes this folder


def test_container_leaves_out_what_git_ignores():
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    left_out = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = {line.removeprefix("**/").strip("/") for line in left_out if not line.startswith(("#", "!"))}
    assert patterns == {line for line in ignored if not line.startswith("!")}


def test_tests_of_a_file_run_in_one_process(request, worker_id):
    """Which some versions of pytest and pytest-xdist that do not go together ignore in silence."""
    assert worker_id == "master" or request.node.nodeid.endswith("@test_environments")
