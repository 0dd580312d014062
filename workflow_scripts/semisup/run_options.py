"""Command-line options that training a network and going on in rounds, whatever the model, have in common."""

import argparse

from semisup.cli import natural_int, natural_number

CHECKPOINT_SECONDS = 60.0

FILES_AND_DEVICE = (
    "accepted_table",
    "base_model",
    "base_selection",
    "checkpoint",
    "checkpoint_seconds",
    "code",
    "features",
    "gpu",
    "held_out_table",
    "history",
    "images",
    "model",
    "pretrained",
    "scores",
    "selection",
)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the data set and the run."""
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    parser.add_argument("--run", required=True, help="seed0, ... for the split of the data set; fold0, ... for a fold")


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the files that every run writes, and the device."""
    parser.add_argument("--model", required=True, help="model to write (HDF5)")
    parser.add_argument("--scores", required=True, help="scores of validation and test images to write (npz)")
    parser.add_argument("--history", required=True, help="table of epochs or rounds to write (CSV)")
    parser.add_argument("--selection", required=True, help="table with what was chosen to write (CSV)")
    parser.add_argument("--gpu", type=natural_int, default=0, help="0: compute on the CPU")


def result_options(options: argparse.Namespace) -> dict[str, object]:
    """Return the options that a result depends on: neither files, whose content counts, nor the device."""
    return {name: value for name, value in vars(options).items() if name not in FILES_AND_DEVICE}


def add_checkpoint_options(parser: argparse.ArgumentParser) -> None:
    """Add where checkpoints lie, how often they are written, and the digest of the code they belong to."""
    parser.add_argument("--checkpoint", required=True, help="folder of the checkpoint, beside no output of a rule")
    parser.add_argument("--checkpoint-seconds", type=natural_number, default=CHECKPOINT_SECONDS)
    parser.add_argument(
        "--code", default="", help="digest of the code; without it, a checkpoint of older code is resumed"
    )
