"""Train a network by FixMatch: sure predictions for weakly changed unlabelled images label strongly changed ones."""

import argparse
from collections.abc import Sequence

import numpy as np
import torch

from declarations.command_line import add_options
from methods.fixmatch import FixMatchTraining
from semisup.augmentation import Augment, Augmentation, augment_function
from semisup.cli import run_program
from semisup.fixmatch import FixMatchLoss
from semisup.network_run import (
    add_files_and_device,
    random_network,
    read_base,
    read_pool,
    read_run,
    run_shape,
    train_run,
)


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
    parser.add_argument("--base-model", help="network to start from (HDF5); without: random weights")
    options = parser.parse_args(arguments)

    run = read_run(options.images, options.run, options.image_size)
    pool = read_pool(options, run)
    if options.base_model:
        network = read_base(options.base_model, run).network
    else:
        network = random_network(run_shape(options, run), run, options.seed)
    counts = np.bincount(run.labels[run.train], minlength=len(run.class_names))
    shares = torch.from_numpy(counts / len(run.train)).float()

    def new_loss(device: torch.device, weak: Augment) -> FixMatchLoss:
        return FixMatchLoss(
            torch.from_numpy(pool).to(device),
            options.unlabeled_batch_size,
            len(run.class_names),
            options.threshold,
            options.adaptive_threshold,
            options.prediction_decay,
            shares.to(device) if options.distribution_alignment else None,
            options.unlabeled_weight,
            weak,
            augment_function(strong_augmentation(options), network.shape.size),
        )

    train_run(options, FixMatchTraining, run, network, [pool], new_loss)


if __name__ == "__main__":
    run_program(main)
