"""Train a network to tell surrogate classes apart."""

import argparse
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from declarations.command_line import add_options
from methods.exemplar import ExemplarTraining
from semisup.checkpoints import locked_checkpoint, new_fingerprint
from semisup.cli import UserError, run_program
from semisup.device import computed_on, keep_freed_memory, leased_device
from semisup.hdf5 import new_hdf5, open_hdf5
from semisup.labelled_loss import Examples, LabelledLoss, accuracy_on
from semisup.network import (
    Network,
    Shape,
    network_scores,
    new_network,
    set_normalization,
    write_network,
)
from semisup.run_options import add_pretraining_options
from semisup.tables import write_table
from semisup.training import history_table, log_summary, train_network
from semisup.training_options import recipe_of

HELD_OUT = 10  # one in so many patches of a class is kept for validation, and at least one
CLASSES = 256  # read at once
BLOCK = 1024  # patches that are scored at once


def read_surrogates(path: str) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return patches uint8 (n, C, s, s) and classes int64 (n,) to train on, and those to validate with.

    Of each class the last patches are for validation; they are as random as the others. Nothing is held twice.
    Raises UserError if a class has a single patch.
    """
    with open_hdf5(path) as file:
        patches, seeds = file["patches"], len(file["seeds/image"])
        samples = len(patches) // seeds
        if samples < 2:  # noqa: PLR2004
            raise UserError(f"{path} has one patch of each class, and one is kept for validation: make more samples")
        held_out = max(1, samples // HELD_OUT)
        train = np.empty((seeds, samples - held_out, *patches.shape[1:]), np.uint8)
        validation = np.empty((seeds, held_out, *patches.shape[1:]), np.uint8)
        for start in range(0, seeds, CLASSES):
            end = min(start + CLASSES, seeds)
            block = patches[start * samples : end * samples].reshape(end - start, samples, *patches.shape[1:])
            train[start:end], validation[start:end] = block[:, :-held_out], block[:, -held_out:]
    classes = np.arange(seeds)
    return (
        (train.reshape(-1, *patches.shape[1:]), classes.repeat(samples - held_out)),
        (validation.reshape(-1, *patches.shape[1:]), classes.repeat(held_out)),
    )


def top1_accuracy(network: Network, examples: Examples, precision: str, device: torch.device) -> float:
    """Return the fraction of patches whose own class has the highest score; block by block, for the scores are many."""
    correct = 0
    for images, labels in zip(examples.images.split(BLOCK), examples.labels.split(BLOCK), strict=True):
        predicted = network_scores(network, images, precision, False, device).argmax(axis=1)
        correct += int(np.sum(predicted == labels.cpu().numpy()))
    return correct / len(examples.labels)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, train, and write the network and its history."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--surrogates", required=True, help="surrogate classes (HDF5)")
    add_options(parser, ExemplarTraining)
    add_pretraining_options(parser)
    options = parser.parse_args(arguments)
    keep_freed_memory()

    recipe = recipe_of(options)
    train, validation = read_surrogates(options.surrogates)
    _, channels, _, size = train[0].shape
    shape = Shape(options.network, channels, size, int(train[1][-1]) + 1, options.dropout, field=size)
    network = new_network(shape, options.seed)
    set_normalization(network, train[0])
    fingerprint = new_fingerprint(
        {**recipe._asdict(), **shape._asdict(), "seed": options.seed}, [*train, *validation], options.code
    )
    with (
        locked_checkpoint(options.checkpoint, fingerprint, options.checkpoint_seconds) as checkpoint,
        leased_device(options.gpu) as device,
    ):
        network.to(device)
        examples, held_out = (
            Examples(*(torch.from_numpy(array).to(device) for array in part)) for part in (train, validation)
        )
        loss = LabelledLoss(examples, nn.Identity(), recipe)
        measure = accuracy_on(held_out, recipe.precision)
        history = train_network(network, [loss], measure, recipe, options.seed, checkpoint)
        accuracy = top1_accuracy(network, held_out, recipe.precision, device)
        log_summary(
            f"{shape.classes} surrogate classes: top-1 accuracy {accuracy:.4f} on held-out patches", history, device
        )
    with new_hdf5(options.network_file) as file:
        file.attrs["computed_on"] = computed_on(device, recipe.precision)
        write_network(file.create_group("network"), network.cpu())
    write_table(options.history, history_table(history))


if __name__ == "__main__":
    run_program(main)
