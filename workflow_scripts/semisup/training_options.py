"""The command-line options of the programs that train a network."""

import argparse
from typing import Any

from semisup.augmentation import Augmentation
from semisup.cli import fraction, natural_int, natural_number, positive_int, positive_number, true_or_false
from semisup.training import Recipe


def add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """Add one option for each field of `Recipe`."""
    parser.add_argument("--epochs", type=positive_int, required=True)
    parser.add_argument("--steps-per-epoch", type=natural_int, required=True, help="0: one pass over the images")
    parser.add_argument("--batch-size", type=int, choices=range(2, 2**20), metavar="N", required=True)
    parser.add_argument("--optimizer", choices=["sgd", "adamw"], required=True, help="sgd: with Nesterov momentum")
    parser.add_argument("--learning-rate", type=positive_number, required=True, help="the highest of the schedule")
    parser.add_argument("--momentum", type=fraction, required=True, help="of sgd")
    parser.add_argument("--weight-decay", type=natural_number, required=True)
    parser.add_argument("--schedule", choices=["one_cycle", "cosine", "step", "exponential"], required=True)
    parser.add_argument("--label-smoothing", type=fraction, required=True)
    parser.add_argument("--ema-decay", type=fraction, required=True, help="of the weights' average; 0: no average")
    parser.add_argument("--patience", type=natural_int, required=True, help="epochs without progress; 0: no early stop")
    parser.add_argument("--precision", choices=["auto", "float32"], required=True)


def add_augmentation_options(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    """Add one option for each field of `Augmentation` that a configuration has; nargs: how many values it takes."""
    common: dict[str, Any] = {"required": True, "nargs": nargs}
    parser.add_argument("--shift", type=natural_int, **common, help="largest shift of a crop, in pixels")
    parser.add_argument("--flip", type=true_or_false, **common)
    parser.add_argument("--color", type=fraction, **common, help="brightness, contrast, saturation times 1 +- this")
    parser.add_argument("--hue", type=half_circle, **common, help="shift as a fraction of the circle")
    parser.add_argument("--cutout", type=natural_int, **common, help="side of a blanked square, in pixels")


def half_circle(text: str) -> float:
    """Argument type: a number from 0 to 0.5."""
    value = float(text)
    if not 0 <= value <= 0.5:  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 0.5")
    return value


def recipe_of(options: argparse.Namespace) -> Recipe:
    """Return the recipe that `add_recipe_options` asked for."""
    return Recipe(**{name: getattr(options, name) for name in Recipe._fields})


def augmentation_of(options: argparse.Namespace) -> Augmentation:
    """Return the augmentation that `add_augmentation_options` asked for."""
    return Augmentation(**{name: getattr(options, name) for name in Augmentation._fields if hasattr(options, name)})
