"""Train a network on a run's labelled images, from random weights or from a network that learned without labels."""

import argparse
from collections.abc import Sequence

from declarations.command_line import add_options
from methods.supervised import SupervisedTraining
from semisup.cli import UserError, run_program
from semisup.hdf5 import open_hdf5
from semisup.network import Network, Shape, new_network, read_network, take_layers
from semisup.network_run import add_files_and_device, random_network, read_run, run_shape, train_run
from semisup.networks import declared_networks


def pretrained_network(path: str, shape: Shape, seed: int) -> Network:
    """Return a network with the layers of the one in the file and a head of random weights.

    Raises UserError if the layers in the file are not those of `shape`.
    """
    with open_hdf5(path) as file:
        source = read_network(file["network"])
    if (source.shape.network, source.shape.channels) != (shape.network, shape.channels):
        raise UserError(
            f"{path} holds a network {source.shape.network} for {source.shape.channels} channels, not a "
            f"{shape.network} for {shape.channels}: give --network {source.shape.network}, or another file"
        )
    if source.shape.first_layer != shape.first_layer:
        raise UserError(
            f"the first layer of {path} is {source.shape.first_layer}, not {shape.first_layer}: "
            f"give --first-layer {source.shape.first_layer}"
        )
    if source.shape.size != shape.size and not declared_networks()[shape.network].of_patches:
        raise UserError(
            f"{path} holds a network for images of {source.shape.size} pixels, not of {shape.size}: "
            f"give --image-size {source.shape.size}"
        )
    network = new_network(shape._replace(field=source.shape.field), seed)
    take_layers(network, source)
    return network


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, train, and write model, scores and tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, SupervisedTraining)
    add_files_and_device(parser)
    parser.add_argument("--pretrained", help="network to start from (HDF5); without: random weights")
    options = parser.parse_args(arguments)

    run = read_run(options.images, options.run, options.image_size)
    shape = run_shape(options, run)
    if options.pretrained:
        network = pretrained_network(options.pretrained, shape, options.seed)
    else:
        network = random_network(shape, run, options.seed)
    train_run(options, SupervisedTraining, run, network, data=[])


if __name__ == "__main__":
    run_program(main)
