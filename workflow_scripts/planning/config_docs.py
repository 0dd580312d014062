"""Write docs/configuration.md from config.schema.yaml; with --check only say whether it is up to date."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from planning.config import LEARNING_OPTIONS, OPTIONS_OF_BASE  # noqa: E402 (not found before)

Schema = dict[str, Any]

PAGE = ROOT / "docs" / "configuration.md"
COMMAND = "python workflow_scripts/planning/config_docs.py"

INTRODUCTION = f"""\
# Configuration

<!-- Written by `{COMMAND}` from config.schema.yaml: edit that file, not this one. -->

`config.yaml` holds the published study and every key there is. It is checked before anything else happens: a mistake
ends the command with one line, `config error: <key>: <what is wrong>; <what to do>`, and nothing is run.

**Change something** in a file of your own that holds the differences only, and name it on the command line:

```yaml
# mine.yaml
kmeans:
  centroids: 800
studies:
  mnist: null
  stl10:
    experiments:
      kmeans_stride16: {{method: kmeans, base: kmeans, stride: 16}}
```

```sh
snakemake --cores 8 --configfile mine.yaml
```

- The file is merged into `config.yaml`: mappings key by key; numbers, texts and lists are replaced as a whole. Several
  files after `--configfile` are merged one after the other, and the last one wins. `config.demo.yaml` is such a file.
- **`null` leaves out** a study or an experiment of `config.yaml`, with everything that is made for it only. No other
  key may be null.
- **One entry under `experiments` is one row of the comparison**: a new name there is all that a new experiment takes.
  An option that it does not set comes from the section named after its method, and one that is not there from the
  section `cnn` (methods pseudo_label_loss and fixmatch) or from the base (pseudo_label_rounds and kmeans_rounds).
- **`base`** names another experiment of the same study that this one builds on.
  With `method: kmeans` the base is one of kmeans, and its centroids are used instead of learning new ones. All that the
  centroids depend on comes from the base, which may have no base itself. Beside `base` one may set
  {{free}}.
  With `method: cnn` the base is one of surrogate with the same `network`, and training starts from its network instead
  of from random weights. Every option is the experiment's own.
  With `method: pseudo_label_rounds` the base is one of cnn without `copies`, with `method: kmeans_rounds` one of
  kmeans, and there must be one: the rounds begin with its model of the same run. So `folds: true` needs the same of the
  base. An experiment of pseudo_label_rounds may set any key of its own section and of cnn, but for
  {{taken}}, which are the base's; one of kmeans_rounds no key of kmeans.
  With pseudo_label_rounds `patience` must be 0, for nothing is chosen among the epochs of a round: an experiment whose
  base has another sets it.
  With `method: surrogate`, `pseudo_label_loss` and `fixmatch` there is no base.
- **`baseline`** of an experiment names the one that its paired difference is taken to; without it, that is the study's
  `baseline`.
- **`--config`** on the command line serves for texts only: `--config kmeans='{{precision: float32}}'`. Snakemake hands
  over numbers and `null` inside a section as texts, and those are refused. Write a file for anything else.
- In YAML, `1e-3` is a text. Write `1.0e-3` or `0.001`.

After a change only those jobs run again whose own options, code or inputs are different.
"""


def type_text(part: Schema, schema: Schema) -> str:
    """Say in words what values a part of the schema allows."""
    if "$ref" in part:
        return type_text(target(part, schema), schema)
    if "enum" in part:
        return " or ".join(f"`{value}`" for value in part["enum"])
    if "const" in part:
        return f"`{part['const']}`"
    if "anyOf" in part:
        return " or ".join(type_text(branch, schema) for branch in part["anyOf"])
    if part["type"] == "array":
        fewest = "at least one" if part.get("minItems") else "may be empty"
        count = "lowest and highest" if part == schema["$defs"]["range"] else fewest
        return f"list ({count}): {type_text(part['items'], schema)}"
    if "pattern" in part:
        return part["description"][:1].lower() + part["description"][1:].rstrip(".")
    return scalar_text(part)


def scalar_text(part: Schema) -> str:
    """Say in words what a number, text or truth value may be."""
    kinds = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true` or `false`"}
    limits = {
        "minimum": "at least {}",
        "exclusiveMinimum": "above {}",
        "maximum": "at most {}",
        "exclusiveMaximum": "below {}",
        "multipleOf": "a multiple of {}",
        "maxLength": "at most {} characters",
    }
    return ", ".join([kinds[part["type"]], *(text.format(part[name]) for name, text in limits.items() if name in part)])


def target(part: Schema, schema: Schema) -> Schema:
    """Return the definition that a part refers to."""
    return schema["$defs"][part["$ref"].removeprefix("#/$defs/")]


def resolved(part: Schema, schema: Schema) -> Schema:
    """Return a part with its reference filled in; what stands beside the reference is stronger."""
    return resolved(target(part, schema), schema) | part if "$ref" in part else part


def default_text(part: Schema) -> str:
    """Return the default as one writes it in YAML."""
    if "default" not in part:
        return ""
    value = part["default"]
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def rows(properties: Schema, schema: Schema, required: Sequence[str] = (), prefix: str = "") -> Iterator[list[str]]:
    """Yield key, values, default and description of each key, those of nested mappings too."""
    for key, part in properties.items():
        full = resolved(part, schema)
        if "properties" in full:
            yield from rows(full["properties"], schema, prefix=f"{prefix}{key}: ")
            continue
        values = "mapping: name to experiment" if full.get("type") == "object" else type_text(part, schema)
        default = default_text(full) or ("required" if key in required else "none")
        yield [f"`{prefix}{key}`", values, default, full["description"]]


def table(properties: Schema, schema: Schema, required: Sequence[str] = ()) -> str:
    """Return the keys of a section as a Markdown table."""
    lines = [["key", "values", "default", "description"], ["---"] * 4, *rows(properties, schema, required)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def document(schema: Schema) -> str:
    """Return the whole page."""
    sections, parts = schema["properties"], schema["$defs"]
    free = [f"`{name}`" for name in parts["kmeans_options"]["properties"] if name not in LEARNING_OPTIONS]
    taken = [f"`{name}`" for name in OPTIONS_OF_BASE["pseudo_label_rounds"]]
    page = [INTRODUCTION.replace("{free}", ", ".join(free)).replace("{taken}", ", ".join(taken))]
    page += [f"## data\n\n{sections['data']['description']}\n"]
    for name, part in sections["data"]["properties"].items():
        page += [f"### data.{name}\n\n{part['description']}\n\n{table(part['properties'], schema)}"]
    methods = parts["experiment"]["properties"]["method"]["enum"]
    for name in (*methods, "evaluation", "figures"):
        full = resolved(sections[name], schema)
        page += [f"## {name}\n\n{full['description']}\n\n{table(full['properties'], schema)}"]
    page += [f"## studies\n\n{sections['studies']['description']}\n"]
    for title, name in (("A study", "study"), ("An experiment", "experiment")):
        page += [f"### {title}\n\n{table(parts[name]['properties'], schema, parts[name]['required'])}"]
    page += [
        "Beside these keys stand the options of the method: "
        + ", ".join(f"with `method: {name}` any key of {option_sections(name, schema)}" for name in methods)
        + ".\n",
        f"Names of studies and experiments are {type_text(parts['name'], schema)}, at most "
        f"{parts['name']['maxLength']} of them. No study may be called {reserved_names(sections['studies'])}, and no "
        f"experiment {reserved_names(parts['study']['properties']['experiments'])}.\n",
    ]
    return "\n".join(page)


def option_sections(method: str, schema: Schema) -> str:
    """Return links to the sections whose keys an experiment of the method may set, its own first."""
    names = []
    for branch in schema["$defs"]["experiment"]["allOf"]:
        condition = branch["if"]["properties"]["method"]
        if method in condition.get("enum", [condition.get("const")]):
            names.append(branch["then"]["$ref"].removeprefix("#/$defs/").removesuffix("_options"))
    return " or ".join(f"[{name}](#{name})" for name in sorted(names, key=lambda name: name != method))


def reserved_names(part: Schema) -> str:
    """Return the names that a mapping does not allow as its keys."""
    return " or ".join(next(rule["not"]["enum"] for rule in part["propertyNames"]["allOf"] if "not" in rule))


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, then write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the page is out of date")
    options = parser.parse_args(arguments)
    page = document(yaml.safe_load((ROOT / "config.schema.yaml").read_text()))
    if not options.check:
        PAGE.write_text(page)
    elif not PAGE.is_file() or PAGE.read_text() != page:
        sys.exit(f"{PAGE.relative_to(ROOT)} is out of date: run {COMMAND}")


if __name__ == "__main__":
    main()
