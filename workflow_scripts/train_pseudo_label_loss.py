"""Train a network on labelled images and on unlabeled ones that it labels itself, with a weight that rises."""

import argparse
from collections.abc import Sequence

import torch

from semisup.augmentation import Augment
from semisup.cli import UserError, natural_int, positive_int, positive_number, run_program
from semisup.network_run import add_network_options, random_network, read_run, read_scaled, run_shape, train_run
from semisup.pseudo_label_loss import PseudoLabelLoss, Ramp


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, train, and write model, scores and tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_network_options(parser)
    parser.add_argument("--unlabeled-batch-size", type=positive_int, required=True)
    parser.add_argument("--alpha", type=positive_number, required=True, help="largest weight of the unlabeled images")
    parser.add_argument("--alpha-start", type=natural_int, required=True, help="epochs before the weight rises")
    parser.add_argument("--alpha-end", type=natural_int, required=True, help="epochs after which it is alpha")
    parser.add_argument(
        "--relabel", choices=["step", "epoch"], required=True, help="predict pseudo-labels at each step or each epoch"
    )
    options = parser.parse_args(arguments)
    if options.alpha_end < options.alpha_start:
        raise UserError(
            f"alpha_end {options.alpha_end} is before alpha_start {options.alpha_start}: exchange them, or raise it"
        )

    run = read_run(options.images, options.run, options.image_size)
    unlabeled = read_scaled(options.images, "unlabeled", run.images.shape[-1])

    def new_loss(device: torch.device, augment: Augment) -> PseudoLabelLoss:
        return PseudoLabelLoss(
            torch.from_numpy(unlabeled).to(device),
            options.unlabeled_batch_size,
            Ramp(options.alpha, options.alpha_start, options.alpha_end),
            options.relabel == "step",
            augment,
            options.precision,
        )

    train_run(options, run, random_network(run_shape(options, run), run, options.seed), [unlabeled], new_loss)


if __name__ == "__main__":
    run_program(main)
