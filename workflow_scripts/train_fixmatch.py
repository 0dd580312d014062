"""Train a network by FixMatch: its sure predictions for weakly changed unlabeled images label strongly changed ones."""

import argparse
from collections.abc import Sequence

import torch

from declarations.command_line import add_options
from methods.fixmatch import FixMatchTraining
from semisup.augmentation import Augment, Augmentation, augment_function
from semisup.cli import run_program
from semisup.fixmatch import FixMatchLoss
from semisup.network_run import add_files_and_device, random_network, read_run, read_scaled, run_shape, train_run


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
    add_options(parser, FixMatchTraining)
    add_files_and_device(parser)
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

    train_run(options, FixMatchTraining, run, network, [unlabeled], new_loss)


if __name__ == "__main__":
    run_program(main)
