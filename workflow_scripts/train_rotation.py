"""Train a network on labelled images and, beside them, by the question how far unlabeled images were turned."""

import argparse
from collections.abc import Sequence

import torch

from declarations.command_line import add_options
from methods.rotation import RotationTraining
from semisup.augmentation import Augment
from semisup.cli import run_program
from semisup.network import widen_head
from semisup.network_run import add_files_and_device, random_network, read_pool, read_run, run_shape, train_run
from semisup.rotation import ROTATIONS, RotationLoss


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, train, and write model, scores and tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, RotationTraining)
    add_files_and_device(parser)
    options = parser.parse_args(arguments)

    run = read_run(options.images, options.run, options.image_size)
    pool = read_pool(options, run)
    network = random_network(run_shape(options, run), run, options.seed)
    widen_head(network, ROTATIONS)

    def new_loss(device: torch.device, augment: Augment) -> RotationLoss:
        return RotationLoss(
            torch.from_numpy(pool).to(device), options.unlabeled_batch_size, options.unlabeled_weight, augment
        )

    train_run(options, RotationTraining, run, network, [pool], new_loss)


if __name__ == "__main__":
    run_program(main)
