"""Train a network anew, again and again, on the labels and on ever more of what it predicted before."""

import argparse
import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from declarations.command_line import add_options
from methods.curriculum import CurriculumTraining
from semisup.augmentation import augment_function
from semisup.checkpoints import Checkpoint, locked_checkpoint, new_fingerprint
from semisup.cli import run_program
from semisup.curriculum import surest_of_each_class
from semisup.device import keep_freed_memory, leased_device
from semisup.labelled_loss import Examples, LabelledLoss, accuracy_on
from semisup.network import Network, network_scores
from semisup.network_run import (
    LabelledRun,
    add_files_and_device,
    decisive_weights,
    random_network,
    read_pool,
    read_run,
    run_shape,
    write_network_run,
)
from semisup.run_options import result_options
from semisup.tables import write_table
from semisup.training import EpochRow, history_table, log_summary, train_network
from semisup.training_options import augmentation_of, recipe_of


class Cycle(NamedTuple):
    """A training of the curriculum: its number, 0 without unlabeled images, its network and its history."""

    number: int
    network: Network
    history: list[EpochRow]


def train_cycle(
    options: argparse.Namespace,
    run: LabelledRun,
    images: torch.Tensor,
    number: int,
    chosen: tuple[np.ndarray, np.ndarray],
    outer: Checkpoint,
) -> Cycle:
    """Train a network from random weights on the labelled images of the run and on chosen rows with these labels.

    images: uint8 (M, C, H, W) on the device, those of the run and behind them the pool.
    """
    seed = int(np.random.SeedSequence([options.seed, number]).generate_state(1)[0])
    network = random_network(run_shape(options, run), run, seed).to(images.device)
    recipe, rows, labels = recipe_of(options), *chosen
    rows = np.concatenate([run.train, len(run.images) + rows])
    labels = np.concatenate([run.labels[run.train], labels])
    train, validation = (
        Examples(images, *(torch.from_numpy(part).to(images.device) for part in pair))
        for pair in ((labels, rows), (run.labels[run.validation], run.validation))
    )
    # Rows and labels of a cycle follow from what the cycles before it learned.
    decisive = {"cycle": number, "images": outer.fingerprint["data"]}
    arrays = [rows, labels, *decisive_weights(network)]
    fingerprint = outer.fingerprint | new_fingerprint(decisive, arrays, options.code)
    with locked_checkpoint(outer.folder / f"cycle-{number}", fingerprint, outer.seconds) as checkpoint:
        augment = augment_function(augmentation_of(options), network.shape.size)
        loss = LabelledLoss(train, augment, recipe, options.progressive_resizing)
        history = train_network(network, [loss], accuracy_on(validation, recipe.precision), recipe, seed, checkpoint)
    logging.info("cycle %d: %d images, validation accuracy %.4f", number, len(rows), history[-1].validation_accuracy)
    return Cycle(number, network, history)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, train, and write model, scores and tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, CurriculumTraining)
    add_files_and_device(parser)
    options = parser.parse_args(arguments)
    keep_freed_memory()

    run = read_run(options.images, options.run, options.image_size)
    pool = read_pool(options, run)
    fingerprint = new_fingerprint(
        result_options(options, CurriculumTraining), [run.images, run.labels, run.train, pool], options.code
    )
    table = []
    with (
        locked_checkpoint(options.checkpoint, fingerprint, options.checkpoint_seconds) as checkpoint,
        leased_device(options.gpu) as device,
    ):
        images = torch.from_numpy(np.concatenate([run.images, pool])).to(device)
        chosen = np.zeros(0, np.int64), np.zeros(0, np.int64)
        for number in range(options.cycles + 1):
            cycle = train_cycle(options, run, images, number, chosen, checkpoint)
            table += [{"cycle": number} | row for row in history_table(cycle.history)]
            if number < options.cycles:
                unlabeled = images[len(run.images) :]
                scores = network_scores(cycle.network, unlabeled, options.precision, options.average_flips, device)
                chosen = surest_of_each_class(scores, (number + 1) / options.cycles)
        accuracy = write_network_run(options, run.validation, run, cycle.network, options.average_flips, device)
        log_summary(f"validation accuracy {accuracy:.4f}", cycle.history, device)
    for epoch, row in enumerate(table, start=1):
        row["epoch"] = epoch
    write_table(options.history, table)
    columns = ("cycle", "epoch", "train_accuracy", "validation_accuracy")
    write_table(
        options.selection,
        [{name: row[name] for name in columns} | {"chosen": row is table[-1]} for row in table],
    )


if __name__ == "__main__":
    run_program(main)
