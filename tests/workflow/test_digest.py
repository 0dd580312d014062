import ast
import importlib
import json
import shutil

import pytest
from clones import ROOT, run_python

from declarations.options import Options
from planning.digest import DECLARING, code_digest, local_modules

SCRIPTS = ROOT / "workflow_scripts"
PROGRAMS = sorted(path.stem for path in SCRIPTS.glob("*.py"))
# What a declaration says reaches a program as its command line, which is a param of the rule.
# Names and sides of images, letters of names; a program that makes networks, or resizes images, imports these itself.
READ_BY_DECLARATIONS = {"semisup/networks/__init__.py", "semisup/resizing.py", "semisup/titles.py"}
DECLARATIONS = {str(path.relative_to(SCRIPTS)) for folder in DECLARING for path in (SCRIPTS / folder).glob("*.py")}

# A small tree with every way to import: program -> direct -> transitive, packages, relative imports.
TREE = {
    "program.py": '''"""Do it."""
import json
import toolbox.direct
from toolbox import sibling
from toolbox.sub.deep import answer
import toolbox.plain as renamed


def main():
    """Print."""
    # the answer
    print(json.dumps({"answer": answer(), "more": [toolbox.direct.more(), sibling.VALUE]}))


class Box:
    """Hold it."""

    content = renamed.CONTENT


if __name__ == "__main__":
    main()
''',
    "toolbox/__init__.py": '"""Tools."""\n',
    "toolbox/direct.py": "from . import relative\n\n\ndef more():\n    return relative.NUMBER\n",
    "toolbox/relative.py": "from .further import NUMBER\n",
    "toolbox/further.py": "NUMBER = 1\n",
    "toolbox/sibling.py": "VALUE = 2\n",
    "toolbox/plain.py": "CONTENT = 3\n",
    "toolbox/sub/__init__.py": "",
    "toolbox/sub/deep.py": "def answer():\n    from ..lazy import LATE\n\n    return LATE\n",
    "toolbox/lazy.py": "from toolbox.sub import shelf\n\nLATE = shelf.PLACE\n",
    "toolbox/sub/shelf.py": "PLACE = 4\n",
    "toolbox/unused.py": "NOTHING = 5\n",
    "other.py": "import toolbox.unused\n",
}
USED = sorted(set(TREE) - {"toolbox/unused.py", "other.py"})


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path / "scripts")


def write_tree(folder):
    for name, text in TREE.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def digest(folder):
    return code_digest(folder / "program.py")


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_every_kind_of_import_is_found(tree):
    found = local_modules(tree / "program.py", tree)
    assert [str(path.relative_to(tree)) for path in found] == USED


def test_found_modules_are_those_that_python_imports(tree):
    assert imported([tree / "program.py"])["program"] == USED


def test_touch_does_not_count(tree):
    before = digest(tree)
    for path in tree.rglob("*.py"):
        path.touch()
    assert digest(tree) == before


def test_place_does_not_count(tree, tmp_path):
    before = digest(tree)
    shutil.move(tree, tmp_path / "moved")
    assert digest(tmp_path / "moved") == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("program.py", "# the answer", "# one\n    # or two comments"),
        ("program.py", "import json\n", "import json  # a remark\n"),
        ("program.py", '"""Do it."""\n', ""),
        ("program.py", '"""Do it."""', '"""Do it\n\nin many words.\n"""'),
        ("program.py", '    """Print."""\n', ""),
        ("program.py", '    """Hold it."""\n', '    """Hold another."""\n'),
        ("program.py", '{"answer": answer(), "more"', "{\n        'answer': (answer()),\n        'more'"),
        ("program.py", "import toolbox.plain as renamed\n\n\n", "import toolbox.plain as renamed\n\n"),
        ("toolbox/__init__.py", '"""Tools."""\n', "# Tools\n"),
        ("toolbox/further.py", "NUMBER = 1\n", '"""Numbers."""\nNUMBER=1\n'),
        ("toolbox/direct.py", "def more():\n", 'def more():\n    """"""\n'),
        ("toolbox/sub/__init__.py", "", "# a package\n"),
    ],
)
def test_comments_docstrings_and_formatting_do_not_count(tree, file, old, new):
    before = digest(tree)
    replace(tree / file, old, new)
    assert digest(tree) == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("program.py", "print(", "print(1, "),  # the program
        ("program.py", "main():", "main(count=1):"),
        ("toolbox/plain.py", "3", "4"),  # imported by it
        ("toolbox/sibling.py", "2", "2.0"),
        ("toolbox/further.py", "1", "2"),  # imported by what it imports
        ("toolbox/sub/shelf.py", "4", "5"),  # and further down
        ("toolbox/__init__.py", '"""Tools."""\n', "VERSION = 1\n"),  # a package's own code
        ("toolbox/sub/__init__.py", "", "import toolbox.unused\n"),
        ("toolbox/direct.py", "    return relative.NUMBER", '    return """relative.NUMBER"""'),  # no docstring
    ],
)
def test_a_real_change_counts(tree, file, old, new):
    before = digest(tree)
    replace(tree / file, old, new)
    assert digest(tree) != before


def test_a_new_module_counts(tree):
    before = digest(tree)
    (tree / "json.py").write_text("def dumps(value):\n    return str(value)\n")  # now shadows Python's own
    assert digest(tree) != before


def test_changes_elsewhere_do_not_count(tree):
    before = digest(tree)
    replace(tree / "toolbox/unused.py", "5", "6")
    replace(tree / "other.py", "import", "# import")
    assert digest(tree) == before


def test_modules_that_are_found_by_name_count_with_what_they_import(tree):
    def with_plugins():
        return code_digest(tree / "program.py", ["plugins"])

    (tree / "plugins").mkdir()
    alone, before = digest(tree), with_plugins()
    assert before == alone, "nothing in the folder"
    (tree / "plugins/first.py").write_text("import toolbox.unused\n")
    found = local_modules(tree / "program.py", tree, ["plugins"])
    assert [str(path.relative_to(tree)) for path in found] == sorted([*USED, "plugins/first.py", "toolbox/unused.py"])
    seen = {before, with_plugins()}
    replace(tree / "toolbox/unused.py", "5", "6")
    seen.add(with_plugins())
    (tree / "plugins/second.py").write_text("VALUE = 1\n")
    seen.add(with_plugins())
    replace(tree / "toolbox/plain.py", "3", "4")  # imported by the program
    seen.add(with_plugins())
    assert len(seen) == 5
    replace(tree / "toolbox/plain.py", "4", "3")
    assert digest(tree) == alone


def test_digest_names_a_missing_program_or_folder(tree):
    with pytest.raises(FileNotFoundError, match="missing"):
        code_digest(tree / "missing.py")
    with pytest.raises(FileNotFoundError, match="missing"):
        code_digest(tree / "program.py", ["missing"])


# The programs of the workflow

IMPORTED = """
import json, runpy, sys
from pathlib import Path

def is_local(module, root):
    return str(getattr(module, "__file__", None)).startswith(root)

stdout, sys.stdout = sys.stdout, sys.stderr
found = {}
for program in sys.argv[1:]:
    root = str(Path(program).parent) + "/"
    for name in [name for name, module in sys.modules.items() if is_local(module, root)]:
        del sys.modules[name]  # what another program has imported; what is installed may stay, that is faster
    sys.path[0] = root  # as when the file itself is run
    sys.argv = [program, "--help"]
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as stop:
        assert not stop.code, (program, stop.code)
    files = {module.__file__ for module in sys.modules.values() if is_local(module, root)} | {program}
    found[Path(program).stem] = sorted(file.removeprefix(root) for file in files)
print(json.dumps(found), file=stdout)
"""


def imported(programs):
    """For each program the files in its folder that Python has loaded once the program has said how it is used."""
    process = run_python("-c", IMPORTED, *programs)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.fixture(scope="module")
def imported_by_programs():
    return imported([SCRIPTS / f"{program}.py" for program in PROGRAMS])


@pytest.mark.parametrize("program", PROGRAMS)
def test_digest_covers_what_the_program_imports(program, imported_by_programs):
    found = local_modules(SCRIPTS / f"{program}.py", SCRIPTS)
    found = [str(path.relative_to(SCRIPTS)) for path in found]
    of_declarations = DECLARATIONS | (READ_BY_DECLARATIONS - set(found))
    assert found == [file for file in imported_by_programs[program] if file not in of_declarations]


def test_programs_take_only_groups_of_options_from_declarations():
    """Whatever else they would compute with, a change of it would not make their jobs run again."""
    files = [SCRIPTS / f"{program}.py" for program in PROGRAMS] + sorted((SCRIPTS / "semisup").rglob("*.py"))
    taken = 0
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and f"{node.module.replace('.', '/')}.py" in DECLARATIONS:
                for alias in node.names:
                    assert issubclass(getattr(importlib.import_module(node.module), alias.name), Options), path
                    taken += 1
            elif isinstance(node, ast.Import | ast.ImportFrom):
                assert not any(name.name.split(".")[0] == "methods" for name in node.names), path
    assert taken > 10


def test_a_declaration_is_part_of_no_digest_but_the_rest_is(tmp_path):
    shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    before = {program: code_digest(tmp_path / f"scripts/{program}.py") for program in PROGRAMS}
    for name in DECLARATIONS:
        with (tmp_path / "scripts" / name).open("a") as file:
            file.write("\nCHANGED = 1\n")
    (tmp_path / "scripts/methods/another.py").write_text("from methods.shared import Runs\n")
    assert {program: code_digest(tmp_path / f"scripts/{program}.py") for program in PROGRAMS} == before
    with (tmp_path / "scripts/declarations/command_line.py").open("a") as file:
        file.write("\nCHANGED = 1\n")
    assert code_digest(tmp_path / "scripts/train_supervised.py") != before["train_supervised"]
    assert code_digest(tmp_path / "scripts/evaluate.py") == before["evaluate"]


def test_a_network_is_part_of_the_digest_of_its_own_trainings_only(tmp_path):
    scripts = tmp_path / "scripts"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    program, networks = scripts / "train_supervised.py", scripts / "semisup/networks"

    def digests():
        trainings = [code_digest(program, [f"semisup/networks/{name}.py"]) for name in ("vgg", "digits")]
        return [*trainings, *(code_digest(scripts / f"{name}.py") for name in PROGRAMS)]

    before = digests()
    assert len({code_digest(program), *before[:2]}) == 3
    (networks / "another.py").write_text("CHANGED = 1\n")
    assert digests() == before
    (networks / "vgg.py").write_text((networks / "vgg.py").read_text() + "\nCHANGED = 1\n")
    after = digests()
    assert after[0] != before[0]
    assert after[1:] == before[1:]


def test_what_the_report_says_of_a_method_is_part_of_the_digest_of_the_report_alone(tmp_path):
    shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))

    def digests():
        return {program: code_digest(tmp_path / f"scripts/{program}.py") for program in PROGRAMS}

    def of_report():
        return code_digest(tmp_path / "scripts/render_report.py", ["reporting/methods"])

    before, of_report_before = digests(), of_report()
    (tmp_path / "scripts/reporting/methods/another.py").write_text("FURTHER = ()\n")
    assert of_report() != of_report_before
    assert digests() == before


def test_programs_never_import_planning():
    for program in PROGRAMS:
        assert not any("planning" in path.parts for path in local_modules(SCRIPTS / f"{program}.py", SCRIPTS))


def test_digest_is_the_same_in_another_process():
    code = "import sys; from pathlib import Path; from planning.digest import code_digest; "
    code += "print(code_digest(Path(sys.argv[1])))"
    program = SCRIPTS / "train_svm.py"
    process = run_python("-c", code, program, environment={"PYTHONPATH": str(SCRIPTS), "PYTHONHASHSEED": "7"})
    assert process.stdout.strip() == code_digest(program)
