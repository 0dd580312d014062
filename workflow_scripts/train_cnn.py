"""Train a network on the labelled images of a run, from random weights or from a network of surrogate classes."""

import argparse
from collections.abc import Sequence

import numpy as np
import torch

from semisup.augmentation import augment_function
from semisup.checkpoints import locked_checkpoint, new_fingerprint
from semisup.cli import UserError, fraction, natural_int, run_program, seed_number, true_or_false
from semisup.dataset import read_class_names, read_images, read_labelled, run_rows
from semisup.device import keep_freed_memory, leased_device
from semisup.hdf5 import open_hdf5
from semisup.network_model import NetworkModel, write_model
from semisup.networks import (
    NETWORKS,
    Network,
    Shape,
    network_scores,
    new_network,
    read_network,
    set_normalization,
    take_layers,
)
from semisup.scores import write_scores
from semisup.tables import write_table
from semisup.training import EpochRow, Examples, chosen_epoch, log_summary, train_network
from semisup.training_options import (
    add_augmentation_options,
    add_checkpoint_options,
    add_recipe_options,
    augmentation_of,
    recipe_of,
)


def first_network(shape: Shape, images: np.ndarray, seed: int, pretrained: str | None) -> Network:
    """Return the network that training starts from; images: uint8 (N, C, H, W), the training images.

    Raises UserError if the pretrained network's layers are not those of `shape`.
    """
    if pretrained is None:
        network = new_network(shape, seed)
        set_normalization(network, images)
        return network
    with open_hdf5(pretrained) as file:
        source = read_network(file["network"])
    if (source.shape.network, source.shape.channels) != (shape.network, shape.channels):
        raise UserError(
            f"{pretrained} holds a network {source.shape.network} for {source.shape.channels} channels, not a "
            f"{shape.network} for {shape.channels}: give --network {source.shape.network}, or another file"
        )
    network = new_network(shape._replace(field=source.shape.field), seed)
    take_layers(network, source)
    return network


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, train, and write model, scores and tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    parser.add_argument("--run", required=True, help="seed0, ... for the split of the data set; fold0, ... for a fold")
    parser.add_argument("--pretrained", help="network to start from (HDF5); without: random weights")
    parser.add_argument("--network", choices=NETWORKS, required=True)
    parser.add_argument("--dropout", type=fraction, required=True, help="before the last layer")
    parser.add_argument("--average-flips", type=true_or_false, required=True, help="score mirror images too")
    add_recipe_options(parser)
    add_augmentation_options(parser)
    add_checkpoint_options(parser)
    parser.add_argument("--seed", type=seed_number, required=True)
    parser.add_argument("--model", required=True, help="model to write (HDF5)")
    parser.add_argument("--scores", required=True, help="scores of validation and test images to write (npz)")
    parser.add_argument("--history", required=True, help="table of epochs to write (CSV)")
    parser.add_argument("--selection", required=True, help="table with the chosen epoch to write (CSV)")
    parser.add_argument("--gpu", type=natural_int, default=0, help="0: compute on the CPU")
    options = parser.parse_args(arguments)
    keep_freed_memory()

    recipe, augmentation = recipe_of(options), augmentation_of(options)
    class_names, labels = read_class_names(options.images), read_labelled(options.images)
    rows, validation_rows = run_rows(options.images, options.run)
    images = np.concatenate([read_images(options.images, split) for split in ("train", "validation")])
    _, channels, _, size = images.shape
    shape = Shape(options.network, channels, size, len(class_names), options.dropout)
    network = first_network(shape, images[rows], options.seed, options.pretrained)
    fingerprint = new_fingerprint(
        {**recipe._asdict(), **augmentation._asdict(), **network.shape._asdict(), "seed": options.seed},
        [images, labels, rows, *(value.numpy() for value in network.state_dict().values())],
        options.code,
    )
    with (
        locked_checkpoint(options.checkpoint, fingerprint, options.checkpoint_seconds) as checkpoint,
        leased_device(options.gpu) as device,
    ):
        network.to(device)
        train, validation = (
            Examples(torch.from_numpy(images[part]).to(device), torch.from_numpy(labels[part]).to(device))
            for part in (rows, validation_rows)
        )
        history = train_network(
            network, train, validation, augment_function(augmentation, size), recipe, options.seed, checkpoint
        )
        validation_scores, test_scores = (
            network_scores(network, part, recipe.precision, options.average_flips, device)
            for part in (validation.images, torch.from_numpy(read_images(options.images, "test")))
        )
        accuracy = np.mean(validation_scores.argmax(axis=1) == labels[validation_rows])
        chosen = chosen_epoch(history, recipe.patience)
        log_summary(f"kept epoch {chosen}: validation accuracy {accuracy:.4f}", history, device)
    write_scores(options.scores, validation_scores, validation_rows, test_scores)
    write_model(options.model, NetworkModel(network.cpu(), options.average_flips, recipe.precision, class_names))
    write_table(options.history, history)
    write_table(options.selection, [selection_row(row) | {"chosen": row.epoch == chosen} for row in history])


def selection_row(row: EpochRow) -> dict[str, float]:
    """Return what the table of candidates says of an epoch."""
    return {
        "epoch": row.epoch,
        "train_accuracy": row.train_accuracy,
        "validation_accuracy": row.validation_accuracy,
    }


if __name__ == "__main__":
    run_program(main)
