"""Command-line options that training a network and going on in rounds, whatever the model, have in common."""

import argparse

from declarations.options import Options, option_names
from semisup.cli import natural_int, natural_number, seed_number
from semisup.run_names import FORMS

CHECKPOINT_SECONDS = 60.0


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the data set, the run and the seed."""
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    parser.add_argument("--run", required=True, help=f"like {FORMS}")
    parser.add_argument("--seed", type=seed_number, required=True)


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the files that every run writes, and the device."""
    parser.add_argument("--model", required=True, help="model to write (HDF5)")
    parser.add_argument("--scores", required=True, help="scores of validation and test images to write (npz)")
    parser.add_argument("--history", required=True, help="table of epochs or rounds to write (CSV)")
    parser.add_argument("--selection", required=True, help="table with what was chosen to write (CSV)")
    parser.add_argument("--gpu", type=natural_int, default=0, help="0: compute on the CPU")


def result_options(options: argparse.Namespace, *groups: type[Options]) -> dict[str, object]:
    """Return what a result depends on beside the content of files: the declared options, run and seed."""
    return {name: getattr(options, name) for name in (*option_names(*groups), "run", "seed")}


def add_pretraining_options(parser: argparse.ArgumentParser) -> None:
    """Add what a program that trains a network without labels has beside its input and its declared options."""
    add_checkpoint_options(parser)
    parser.add_argument("--seed", type=seed_number, required=True)
    parser.add_argument("--network-file", required=True, help="network to write (HDF5)")
    parser.add_argument("--history", required=True, help="table of epochs to write (CSV)")
    parser.add_argument("--gpu", type=natural_int, default=0, help="0: compute on the CPU")


def add_round_tables(parser: argparse.ArgumentParser) -> None:
    """Add the tables that rounds write beside what every run does."""
    parser.add_argument("--accepted-table", required=True, help="table of accepted images to write (CSV)")
    parser.add_argument("--held-out-table", required=True, help="table of held-out images to write (CSV)")


def add_checkpoint_options(parser: argparse.ArgumentParser) -> None:
    """Add where checkpoints lie, how often they are written, and the digest of the code they belong to."""
    parser.add_argument("--checkpoint", required=True, help="folder of the checkpoint, beside no output of a rule")
    parser.add_argument("--checkpoint-seconds", type=natural_number, default=CHECKPOINT_SECONDS)
    parser.add_argument(
        "--code", default="", help="digest of the code; without it, a checkpoint of older code is resumed"
    )
