"""What a file of a configuration hides once it is read as YAML: keys given twice, numbers unlike what they look.

Snakemake reads the files itself. `python workflow_scripts/planning/config_files.py FILE ...` says before it does what
is wrong, also where the file is none that it could read.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # LibYAML, where PyYAML was built with it, is ten times as fast
_USUAL_NUMBER = re.compile(
    r"[-+]?(0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|[0-9_]*\.[0-9_]*(e[-+][0-9]+)?|\.(inf|nan))", re.IGNORECASE
)


class ConfigError(Exception):
    """A mistake in the configuration, in one line that names key, value and remedy."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def check_file(path: str | Path) -> None:
    """Raise ConfigError for the first thing in a YAML file that is read otherwise than it looks. JSON may pass."""
    try:
        text = Path(path).read_bytes().decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8: save it in that encoding (it may be Latin-1 or UTF-16)") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}: check the path") from error
    try:
        try:
            json.loads(text, object_pairs_hook=lambda pairs: _check_json_keys(path, pairs))
        except ValueError:
            _check_yaml(path, text)
    except RecursionError as error:
        raise ConfigError(f"{path} is nested without end: write out what *NAME repeats inside of &NAME") from error


def _check_json_keys(path: str | Path, pairs: list[tuple[str, object]]) -> None:
    """Raise ConfigError if an object of JSON has a key twice."""
    for key, times in Counter(key for key, _ in pairs).items():
        if times > 1:
            raise ConfigError(f"{path}: the key {key!r} stands {times} times in one object; keep one")


def _check_yaml(path: str | Path, text: str) -> None:
    try:
        root = yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no YAML: {error}") from error
    for line, mistake in _mistakes(root) if root else ():
        raise ConfigError(f"{path}, line {line}: {mistake}")


def _mistakes(node: yaml.Node) -> Iterator[tuple[int, str]]:
    """Yield lines and what is wrong there."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            yield from _mistakes_of_key(key, seen)
            yield from _mistakes(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _mistakes(value)
    elif node.tag.endswith((":int", ":float")) and not _USUAL_NUMBER.fullmatch(node.value):
        read = LOADER(node.value).get_single_data()
        yield _line(node), f"YAML reads {node.value} as {read}: write {read}, or '{node.value}' if it is a text"


def _mistakes_of_key(key: yaml.Node, seen: dict[str, int]) -> Iterator[tuple[int, str]]:
    if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
        return
    if key.tag.endswith(":bool"):
        yield _line(key), f"YAML reads the key {key.value} as true or false: write '{key.value}', in quotes"
    if key.value in seen:
        yield _line(key), f"the key {key.value!r} stands in line {seen[key.value]} too; keep one"
    seen[key.value] = _line(key)


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


if __name__ == "__main__":
    try:
        for name in sys.argv[1:]:
            check_file(name)
    except ConfigError as error:
        sys.exit(f"config error: {error}")
