"""Train a network by FixMatch: its sure predictions for weakly changed unlabeled images label strongly changed ones."""

import argparse
from collections.abc import Sequence

import torch

from semisup.augmentation import Augment, Augmentation, augment_function
from semisup.cli import fraction, natural_int, natural_number, positive_int, positive_number, run_program, true_or_false
from semisup.fixmatch import FixMatchLoss
from semisup.network_run import add_network_options, random_network, read_run, read_scaled, run_shape, train_run
from semisup.training_options import half_circle


def strong_augmentation(options: argparse.Namespace) -> Augmentation:
    """Return the strong changes: shift and mirroring of the weak ones, and what the options add."""
    return Augmentation(
        shift=options.shift,
        flip=options.flip,
        color=options.strong_color,
        hue=options.strong_hue,
        cutout=options.strong_cutout,
        rotation=options.strong_rotation,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, train, and write model, scores and tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_network_options(parser)
    parser.add_argument("--unlabeled-batch-size", type=positive_int, required=True)
    parser.add_argument("--unlabeled-weight", type=positive_number, required=True, help="of the unlabeled loss")
    parser.add_argument("--threshold", type=fraction, required=True, help="confidence from which an image counts")
    parser.add_argument(
        "--adaptive-threshold", type=true_or_false, required=True, help="FreeMatch's thresholds instead"
    )
    parser.add_argument("--strong-color", type=fraction, required=True, help="as --color, for the strong version")
    parser.add_argument("--strong-hue", type=half_circle, required=True, help="as --hue")
    parser.add_argument("--strong-rotation", type=natural_number, required=True, help="largest angle in degrees")
    parser.add_argument("--strong-cutout", type=natural_int, required=True, help="as --cutout")
    options = parser.parse_args(arguments)

    run = read_run(options.images, options.run, options.image_size)
    unlabeled = read_scaled(options.images, "unlabeled", run.images.shape[-1])
    network = random_network(run_shape(options, run), run, options.seed)

    def new_loss(device: torch.device, weak: Augment) -> FixMatchLoss:
        return FixMatchLoss(
            torch.from_numpy(unlabeled).to(device),
            options.unlabeled_batch_size,
            len(run.class_names),
            options.threshold,
            options.adaptive_threshold,
            options.unlabeled_weight,
            weak,
            augment_function(strong_augmentation(options), network.shape.size),
            options.precision,
        )

    train_run(options, run, network, [unlabeled], new_loss)


if __name__ == "__main__":
    run_program(main)
