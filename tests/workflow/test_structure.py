"""What keeps the sources easy to read: no long files, no lists of names, imports that point one way.

The lengths are of programs and templates; a test's table of cases is one list, however long.
"""

import ast
import re
import subprocess

import pytest
import yaml
from clones import ROOT

from data_sets import declared_data_sets
from methods import declared_methods
from planning.digest import DECLARING
from semisup.networks import declared_networks

LONGEST_SOURCE = 500  # lines
LONGEST_RULES = 350
SCRIPTS = ROOT / "workflow_scripts"
NAMES = {*declared_methods(), *declared_data_sets(), *declared_networks()}
# Where the names themselves are declared.
DECLARING_FILES = {path for folder in (*DECLARING, "semisup/networks") for path in (SCRIPTS / folder).glob("*.py")}


def tracked(*patterns):
    """The files of the repository that match, those that are not committed yet too."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [path for path in map(ROOT.joinpath, names) if path.is_file()]


SOURCES = tracked("workflow_scripts/*.py", "workflow_scripts/**/*.py", "workflow_scripts/**/*.yaml", "report/*.tex")
RULES = tracked("Snakefile", "rules/*.smk", "rules/**/*.smk")


def names_in(node):
    """The declared names among the texts of a list, tuple, set or mapping."""
    parts = [*node.keys, *node.values] if isinstance(node, ast.Dict) else node.elts
    return {part.value for part in parts if isinstance(part, ast.Constant) and part.value in NAMES}


@pytest.mark.parametrize(("files", "longest"), [(SOURCES, LONGEST_SOURCE), (RULES, LONGEST_RULES)])
def test_no_file_is_long(files, longest):
    assert len(files) > 10
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert not {name: length for name, length in lengths.items() if length > longest}


def test_nothing_lists_methods_data_sets_or_networks():
    """Two of their names in one list outside the declarations: a third one would have to be added there."""
    for path in SOURCES:
        if path.suffix == ".py" and path not in DECLARING_FILES:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict):
                    assert len(names_in(node)) < 2, f"{path.relative_to(ROOT)}:{node.lineno}: {names_in(node)}"


def listed(value):
    """Yield the texts of every list, and the keys of every mapping, in the content of a YAML file, however deep."""
    if isinstance(value, list | dict):
        yield {text for text in value if isinstance(text, str)}
        for part in value.values() if isinstance(value, dict) else value:
            yield from listed(part)


def test_no_yaml_lists_them_but_configurations():
    files = [path for path in tracked("*.yaml", "**/*.yaml") if not path.name.startswith("config.")]
    assert len(files) > 5
    for path in files:
        for texts in listed(yaml.safe_load(path.read_text())):
            assert len(texts & NAMES) < 2, f"{path.relative_to(ROOT)}: {texts & NAMES}"


def test_common_rules_name_no_method():
    """Those of a method or of a data set lie in files of their own."""
    quoted = re.compile("|".join(rf'"{name}"' for name in sorted(NAMES)))
    for path in RULES:
        if path.parent.name not in DECLARING:
            found = quoted.findall(path.read_text())
            assert not found, f"{path.relative_to(ROOT)}: {found}"


def test_imports_point_one_way():
    """No circle among the modules, and nothing below imports what is above it."""
    files = tracked("workflow_scripts/*.py", "workflow_scripts/**/*.py")
    modules = {
        ".".join(path.relative_to(SCRIPTS).with_suffix("").parts).removesuffix(".__init__"): path for path in files
    }
    arrows = {name: imported_modules(path, modules) - {name} for name, path in modules.items()}
    left = dict(arrows)
    while left:
        free = [name for name, others in left.items() if not others & set(left)]
        assert free, f"a circle among {sorted(left)}"
        for name in free:
            del left[name]
    packages = {name.split(".")[0] for name in modules if "." in name}
    for name, others in arrows.items():
        above = [other for other in others if "." not in other and other not in packages]
        assert name.split(".")[0] not in packages or not above, f"{name} imports the program {above}"


def imported_modules(path, modules):
    """The modules of the project that a file imports when it is loaded."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & set(modules)


def test_every_method_is_in_the_tiny_demonstration():
    """The end-to-end tests and the faults look for its program there; `external` has tests of its own."""
    tiny = yaml.safe_load((ROOT / "tests/e2e/config.tiny.yaml").read_text())
    rows = tiny["studies"]["photos"]["experiments"].values()
    assert {row["method"] for row in rows} == set(declared_methods()) - {"external"}
