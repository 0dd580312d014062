"""Train a network without labels to tell which views show the same image."""

import argparse
from collections.abc import Sequence

import torch

from declarations.command_line import add_options
from declarations.options import option_names
from methods.simclr import SimclrTraining
from semisup.augmentation import Augmentation, augment_function
from semisup.checkpoints import locked_checkpoint, new_fingerprint
from semisup.cli import run_program
from semisup.contrastive import ContrastiveLoss, add_projection, told_apart
from semisup.dataset import read_class_names, read_images, resolved_size
from semisup.device import computed_on, keep_freed_memory, leased_device
from semisup.hdf5 import new_hdf5
from semisup.network import Shape, new_network, take_layers, write_network
from semisup.network_run import decisive_weights, network_for
from semisup.run_options import add_pretraining_options
from semisup.scaling import scale_all
from semisup.tables import write_table
from semisup.training import chosen_epoch, history_table, log_summary, train_network
from semisup.training_options import recipe_of


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, train, and write the network and its history."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    add_options(parser, SimclrTraining)
    add_pretraining_options(parser)
    options = parser.parse_args(arguments)
    keep_freed_memory()

    recipe = recipe_of(options)
    pool, held_out = (read_images(options.images, split) for split in ("unlabeled", "validation"))
    size, classes = resolved_size(options.images, options.image_size), len(read_class_names(options.images))
    shape = Shape(options.network, pool.shape[1], size, classes, options.dropout, first_layer=options.first_layer)
    network = network_for(scale_all(pool, size), shape, options.seed)
    add_projection(network)
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
