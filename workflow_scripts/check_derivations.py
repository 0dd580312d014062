"""Check the report's closed forms at random inputs; compute its worked examples, and the errors of its sources."""

import argparse
import json
import logging
from collections.abc import Sequence

import torch

from semisup.cli import UserError, positive_int, run_program, seed_number
from semisup.files import atomic_path
from semisup.tables import write_table
from theory import checks_of_layers, checks_of_methods
from theory.derivation_checks import CheckResult, checks_of, run_check
from theory.source_errors import source_errors
from theory.worked_examples import worked_examples

CHECKS = checks_of(checks_of_layers, checks_of_methods)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the tables. Raises UserError, and writes nothing, if a formula fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=positive_int, required=True, help="random inputs for each formula")
    parser.add_argument("--seed", type=seed_number, required=True)
    parser.add_argument("--derivations", required=True, help="table of the checks to write (CSV)")
    parser.add_argument("--source-errors", required=True, help="table of the sources' errors to write (CSV)")
    parser.add_argument("--examples", required=True, help="worked examples to write (JSON)")
    options = parser.parse_args(arguments)

    torch.set_num_threads(1)  # arrays of a few numbers
    results = [run_check(check, options.points, options.seed) for check in CHECKS]
    refuse_failures(results)
    errors = source_errors()
    examples = json.dumps(worked_examples(options.seed), indent=2, allow_nan=False) + "\n"

    write_table(options.derivations, results)
    write_table(options.source_errors, errors)
    with atomic_path(options.examples) as path:
        path.write_text(examples, encoding="utf-8")
    logging.info("%d formulas pass at %d random inputs each", len(results), options.points)


def refuse_failures(results: Sequence[CheckResult]) -> None:
    """Raise UserError, naming them, if formulas failed."""
    failed = [
        f"{result.key} (error {result.largest_error:.2g}, allowed {result.tolerance:.0e})"
        for result in results
        if result.verdict != "pass"
    ]
    if failed:
        raise UserError(f"wrong closed forms: {', '.join(failed)}: correct them in semisup, or their checks")


if __name__ == "__main__":
    run_program(main)
