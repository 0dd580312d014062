"""Train a network on labelled images, and with rising weight on unlabelled images that it labels itself."""

import argparse
from collections.abc import Sequence

import torch

from declarations.command_line import add_options
from methods.pseudo_label_loss import PseudoLabelLossTraining
from semisup.augmentation import Augment
from semisup.cli import UserError, run_program
from semisup.network_run import add_files_and_device, random_network, read_pool, read_run, run_shape, train_run
from semisup.pseudo_label_loss import PseudoLabelLoss, Ramp


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, train, and write model, scores and tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, PseudoLabelLossTraining)
    add_files_and_device(parser)
    options = parser.parse_args(arguments)
    if options.alpha_end < options.alpha_start:
        raise UserError(
            f"alpha_end {options.alpha_end} is before alpha_start {options.alpha_start}: exchange them, or raise it"
        )

    run = read_run(options.images, options.run, options.image_size)
    pool = read_pool(options, run)

    def new_loss(device: torch.device, augment: Augment) -> PseudoLabelLoss:
        return PseudoLabelLoss(
            torch.from_numpy(pool).to(device),
            options.unlabeled_batch_size,
            Ramp(options.alpha, options.alpha_start, options.alpha_end),
            options.relabel_each == "step",
            augment,
            options.precision,
        )

    train_run(
        options,
        PseudoLabelLossTraining,
        run,
        random_network(run_shape(options, run), run, options.seed),
        [pool],
        new_loss,
    )


if __name__ == "__main__":
    run_program(main)
