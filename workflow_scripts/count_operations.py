"""Count the operations of one forward pass of one image through each of several models of a study.

A multiplication and an addition are two operations. Those of a network are counted by torch.utils.flop_counter, which
sees its convolutions and fully connected layers. Those of k-means features follow from their sizes: patches of D values
are whitened by a D x D matrix and compared with K centroids. A support vector machine has two for each of its weights.
The folder of a model is the run, and the folder above it is the experiment.
"""

import argparse
import importlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from semisup.cli import run_program
from semisup.dictionary import Dictionary
from semisup.model_files import model_kind
from semisup.tables import write_table


def network_operations(network: nn.Module, channels: int, size: int) -> int:
    """Return the operations of a network, or of a part of one, on an image of `size` by `size` pixels."""
    network.eval()
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, channels, size, size))
    return counter.get_total_flops()


def feature_operations(dictionary: Dictionary, stride: int) -> int:
    """Return the operations of an image's k-means features."""
    patches = ((dictionary.image_size - dictionary.patch_size) // stride + 1) ** 2
    centroids, values = dictionary.centroids.shape
    return 2 * patches * values * (values + centroids)


def model_operations(model: Any) -> int:  # noqa: ANN401 - of any kind
    """Return the operations of a model: the sum over the parts that it has, of which it uses each once.

    model: what the module of its kind in `semisup.models` reads.
    """
    svm = getattr(model, "svm", None)
    total = 0 if svm is None else 2 * svm.weights.size
    if hasattr(model, "network"):
        shape = model.network.shape
        part = model.network if svm is None else model.network.layers  # the machine takes the place of the head
        total += network_operations(part, shape.channels, getattr(model, "image_size", shape.size))
    if hasattr(model, "dictionary"):
        total += feature_operations(model.dictionary, model.stride)
    return total


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", type=Path, default=[], help=".../<experiment>/<run>/model.h5")
    parser.add_argument("--operations", required=True, help="table to write (CSV): a row for each model")
    options = parser.parse_args(arguments)
    rows = []
    for path in options.models:
        model = importlib.import_module(f"semisup.models.{model_kind(path)}").read_model(path)
        rows.append({"experiment": path.parent.parent.name, "operations": model_operations(model)})
    write_table(options.operations, rows, ["experiment", "operations"])
    logging.info("counted the operations of %d models", len(rows))


if __name__ == "__main__":
    run_program(main)
