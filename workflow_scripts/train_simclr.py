"""Train a network without labels to tell which views are of the same image."""

import argparse
from collections.abc import Sequence

import numpy as np
import torch

from declarations.command_line import add_options
from declarations.options import option_names
from methods.simclr import SimclrTraining
from semisup.augmentation import Augmentation, augment_function
from semisup.checkpoints import locked_checkpoint, new_fingerprint
from semisup.cli import natural_int, run_program, seed_number
from semisup.contrastive import ContrastiveLoss, add_projection, told_apart
from semisup.dataset import read_class_names, read_images, resolved_size
from semisup.device import computed_on, keep_freed_memory, leased_device
from semisup.first_layer import learn_first_layer
from semisup.hdf5 import new_hdf5
from semisup.network import Network, Shape, new_network, set_normalization, take_layers, write_network
from semisup.network_run import decisive_weights
from semisup.run_options import add_checkpoint_options
from semisup.scaling import scale_all
from semisup.tables import write_table
from semisup.training import chosen_epoch, history_table, log_summary, train_network
from semisup.training_options import recipe_of


def first_network(shape: Shape, pool: np.ndarray, seed: int) -> Network:
    """Return a network for images uint8 (N, C, H, W) of any size, with a projection for its last layer."""
    scaled = scale_all(pool, shape.size)
    network = new_network(shape, seed)
    set_normalization(network, scaled)
    if shape.first_layer == "centroids":
        learn_first_layer(network, scaled, seed)
    add_projection(network)
    return network


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, train, and write the network and its history."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    add_options(parser, SimclrTraining)
    add_checkpoint_options(parser)
    parser.add_argument("--seed", type=seed_number, required=True)
    parser.add_argument("--network-file", required=True, help="network to write (HDF5)")
    parser.add_argument("--history", required=True, help="table of epochs to write (CSV)")
    parser.add_argument("--gpu", type=natural_int, default=0, help="0: compute on the CPU")
    options = parser.parse_args(arguments)
    keep_freed_memory()

    recipe = recipe_of(options)
    pool, held_out = (read_images(options.images, split) for split in ("unlabeled", "validation"))
    size, classes = resolved_size(options.images, options.image_size), len(read_class_names(options.images))
    shape = Shape(options.network, pool.shape[1], size, classes, options.dropout, first_layer=options.first_layer)
    network = first_network(shape, pool, options.seed)
    changes = Augmentation(
        shift=0,
        flip=options.flip,
        color=options.color,
        hue=options.hue,
        cutout=0,
        crop=options.crop,
        grey=options.grey,
    )
    augment = augment_function(changes, size)
    decisive = {name: getattr(options, name) for name in (*option_names(SimclrTraining), "seed")}
    fingerprint = new_fingerprint(decisive, [pool, held_out, *decisive_weights(network)], options.code)
    with (
        locked_checkpoint(options.checkpoint, fingerprint, options.checkpoint_seconds) as checkpoint,
        leased_device(options.gpu) as device,
    ):
        network.to(device)
        images, others = (torch.from_numpy(part).to(device) for part in (pool, held_out))
        loss = ContrastiveLoss(images, options.batch_size, options.views, options.temperature, augment)
        history = train_network(
            network,
            [loss],
            lambda learned: told_apart(learned, others, augment, recipe.precision, options.seed),
            recipe,
            options.seed,
            checkpoint,
        )
        apart = history[chosen_epoch(history, recipe.patience) - 1].validation_accuracy
        log_summary(f"{len(pool)} images: {apart:.4f} of held-out views told apart", history, device)
    learned = new_network(shape, options.seed)
    take_layers(learned, network.cpu())
    with new_hdf5(options.network_file) as file:
        file.attrs["computed_on"] = computed_on(device, recipe.precision)
        write_network(file.create_group("network"), learned)
    write_table(options.history, history_table(history))


if __name__ == "__main__":
    run_program(main)
