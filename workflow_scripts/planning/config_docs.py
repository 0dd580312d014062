"""Write docs/configuration.md and docs/config.schema.json; with --check only say whether they are up to date."""

import argparse
import inspect
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from declarations.options import option_names, required_names  # noqa: E402 (not found before)
from methods.declare import Method  # noqa: E402
from methods.shared import NETWORKS  # noqa: E402
from planning.config import METHODS, config_schema, parent_methods, section_options  # noqa: E402

Schema = dict[str, Any]

PAGE = ROOT / "docs" / "configuration.md"
SCHEMA = ROOT / "docs" / "config.schema.json"
COMMAND = "python workflow_scripts/planning/config_docs.py"

INTRODUCTION = f"""\
# Configuration

<!-- Written by `{COMMAND}` from declarations and planning/study.schema.yaml: edit those, not this page. -->

`config.yaml` holds the published study. A key that it does not set has the default of this page. A configuration is
checked before anything else happens. A mistake ends the command with one line,
`config error: <key>: <what is wrong>; <what to do>`, and nothing is run.

**To change something**, write a file that holds only the differences, and name it on the command line:

```yaml
# mine.yaml
kmeans:
  centroids: 800
studies:
  mnist: null
  stl10:
    experiments:
      kmeans_stride16: {{method: kmeans, builds_on: kmeans, stride: 16}}
```

```sh
snakemake --cores 8 --configfile mine.yaml
```

- The file is merged into `config.yaml`: mappings key by key; numbers, texts and lists are replaced as a whole. Several
  files after `--configfile` are merged in their order, and the last one wins. `config.demo.yaml` is such a file.
- **`null` leaves out** a study or an experiment of `config.yaml`, and everything that is made only for it. No other key
  may be null.
- **One entry under `experiments` is one row of the comparison.** A new experiment needs a new name there, and nothing
  else.
- **Options are looked up in this order**: 1. the experiment; 2. the section with the name of its method (`kmeans:`
  above); 3. the default in the table of that method below; 4. the base (`builds_on`), if it gives the option;
  5. section and default of the method that its method builds on.
- **`only: [kmeans, supervised]`** in a study runs these experiments, with their bases and baselines, and no others.
- **`builds_on`** names the base: another experiment of the same study. The section of each method below says which
  methods the base may have, and what comes from it. An experiment with `folds: true` needs a base with `folds: true`,
  and its `label_counts` must be among the `label_counts` of the base.
- **`baseline`** names the experiment with which this one is compared. Without it, the study's `baseline` is used.
- **`--config`** on the command line can set texts only: `--config kmeans='{{precision: float32}}'`. Snakemake turns
  numbers and `null` inside a section into texts, which are refused. Write a file for anything else.
- In YAML, `1e-3` and `1.0e3` are texts. Write `1.0e-3` and `1.0e+3`, or `0.001` and `1000.0`.
- Files are UTF-8. Three things are refused: a key that occurs twice in a mapping, a number that YAML reads as another
  one (`010` as 8, `1:30` as 90), and a key that it reads as true or false (`no`, `on`).
- **A title** is one line of Latin letters with their accents, digits, characters of ASCII and Latin-1, dashes,
  quotation marks, `…`, `€` and the like. The report's LaTeX has no letters for anything else: Greek letters,
  mathematics, other scripts, accents that form no single character with their letter, and line breaks are refused.

After a change, a job runs again only if its own options, code or inputs differ.
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
        count = f"{part['maxItems']}, in order" if "maxItems" in part else fewest
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
    found = [text.format(f"{part[name]:,}") for name, text in limits.items() if name in part]
    return ", ".join([kinds[part["type"]], *found])


def target(part: Schema, schema: Schema) -> Schema:
    """Return the definition that a part refers to."""
    return schema["$defs"][part["$ref"].removeprefix("#/$defs/")]


def resolved(part: Schema, schema: Schema) -> Schema:
    """Return a part with its reference filled in; keys next to the reference are stronger."""
    return resolved(target(part, schema), schema) | part if "$ref" in part else part


def default_text(part: Schema) -> str:
    """Return the default as one writes it in YAML."""
    if part.get("default", "") == "":
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
    page = [INTRODUCTION, f"## data\n\n{sections['data']['description']}\n"]
    for name, part in sections["data"]["properties"].items():
        page += [f"### data.{name}\n\n{part['description']}\n\n{table(part['properties'], schema, part['required'])}"]
    page += [method_section(method, schema) for method in METHODS.values()]
    page += [networks_section()]
    for name in ("evaluation", "figures", "theory"):
        page += [f"## {name}\n\n{sections[name]['description']}\n\n{table(sections[name]['properties'], schema)}"]
    page += [f"## studies\n\n{sections['studies']['description']}\n"]
    for title, name in (("A study", "study"), ("An experiment", "experiment")):
        page += [f"### {title}\n\n{table(parts[name]['properties'], schema, parts[name]['required'])}"]
    page += [
        f"Names of studies and experiments are {type_text(parts['name'], schema)}, at most "
        f"{parts['name']['maxLength']} characters. No study may be called {reserved_names(sections['studies'])}, and "
        f"no experiment {reserved_names(parts['study']['properties']['experiments'])}.\n",
    ]
    return "\n".join(page)


def method_section(method: type[Method], schema: Schema) -> str:
    """Return what there is to say of a method: what it is, its options, and where others come from."""
    text = [f"## {method.name}\n", f"{inspect.getdoc(method)}\n"]
    for parent in parent_methods(method):
        link = f"[{parent.name}](#{parent.name})"
        text += [f"It has all options of {link}. This table has new options and other defaults.\n"]
    if method.base:
        text += [base_text(method) + "\n"]
    return "\n".join([*text, table(section_options(method), schema, required_names(method))])


def networks_section() -> str:
    """Return the networks that the option of that name may choose."""
    lines = ["| network | smallest images | what it is |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {network.smallest} pixels | {network.about} |" for name, network in NETWORKS.items()]
    return "\n".join(["## Networks\n", "Values of the option `network`. All start from random weights.\n", *lines, ""])


def base_text(method: type[Method]) -> str:
    """Say which methods the base may have, and what comes from it."""
    base = method.base
    given = [] if base.gives is None else option_names(*base.gives)
    merely_given = [f"`{name}`" for name in given if name not in base.fixed]
    fixed = [f"`{name}`" for name in base.fixed]
    methods = " or ".join(f"[{name}](#{name})" for name in base.of)
    text = f"An experiment {'needs' if base.needed else 'may have'} a base (`builds_on`) of method {methods}."
    if base.gives is None:
        text += " The base gives all options that neither the experiment nor this section sets."
    if merely_given:
        text += f" The base gives {', '.join(merely_given)}."
    if fixed:
        text += f" The base fixes these options, which then cannot be set: {', '.join(fixed)}."
    return text


def reserved_names(part: Schema) -> str:
    """Return the names that a mapping does not allow as its keys."""
    return " or ".join(next(rule["not"]["enum"] for rule in part["propertyNames"]["allOf"] if "not" in rule))


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, then write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the page is out of date")
    options = parser.parse_args(arguments)
    schema = config_schema()
    for path, text in ((PAGE, document(schema)), (SCHEMA, json.dumps(schema, indent=1) + "\n")):
        if not options.check:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path.relative_to(ROOT)} is out of date: run {COMMAND}")


if __name__ == "__main__":
    main()
