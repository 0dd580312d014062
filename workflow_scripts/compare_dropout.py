"""Compare a wide network trained with and without dropout on a hundred labelled digits, and dropout as an ensemble.

The network: 64 pixels, two hidden layers of 256 rectifiers, 10 classes. With dropout a fifth of the pixels and half of
the hidden units are left out at every step (Srivastava et al. 2014), and the kept ones scaled up, so that afterwards
all can be used as they are. The seed draws 100 of scikit-learn's digits to train on, 400 to choose the rate, and the
rest, 1,297, to validate on; it also draws weights, order and what is left out. Each of the two networks has the rate of
the grid RATES with the best mean accuracy over the seeds on the 400 images after the last epoch (of equal ones the
smaller); nothing is chosen on the validation images. Training loss (nats) and accuracy are of the network with all its
units.

The ensemble: thinned networks sampled from the network trained with dropout, each with one choice of units for all
images. The accuracy of 1, 2, 5, ... networks is that of the mean of their probabilities, the larger ensembles
containing the smaller; networks = 0 is the one network with all units.
"""

import argparse
import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from torch import nn
from torch.nn.functional import cross_entropy, dropout

from semisup.cli import positive_int, run_program
from semisup.plots import COLORS, TEXT_WIDTH, draw_band, legend_below, new_figure, save_figure
from semisup.small_digits import (
    Digits,
    add_outputs,
    centered,
    checked_seeds,
    read_digits,
    split_digits,
    warn_at_edge,
)
from semisup.tables import write_table

TRAIN_IMAGES, CHOICE_IMAGES = 100, 400
PIXELS, CLASSES = 64, 10
WIDTH = 256  # units of each hidden layer
BATCH = 25
MOMENTUM = 0.9
RATES = (0.003, 0.01, 0.03, 0.1)
DROPPED = {"no": (0.0, 0.0), "yes": (0.2, 0.5)}  # parts of the pixels and of the hidden units
NETWORKS = (1, 2, 5, 10, 20, 50, 100)
EVERY = 5  # epochs between two measurements


class Batch(NamedTuple):
    """Images float32 (N, 64) and labels int64 (N,)."""

    images: torch.Tensor
    labels: torch.Tensor


class Parts(NamedTuple):
    """The images to train on, to choose the rate on, and to validate on."""

    train: Batch
    choice: Batch
    validation: Batch


class Epoch(NamedTuple):
    """One row of the table; dropout is yes or no, epoch 0 is before training, rate is what was chosen."""

    dropout: str
    seed: int
    epoch: int
    train_loss: float
    train_accuracy: float
    validation_accuracy: float
    rate: float


class Training(NamedTuple):
    """A trained network, its accuracy on the images for the choice, and what was measured on the way."""

    network: nn.Sequential
    choice_accuracy: float
    epochs: list[Epoch]


class Ensemble(NamedTuple):
    """One row of the table of ensembles."""

    networks: int
    seed: int
    validation_accuracy: float


def read_parts(digits: Digits, seed: int) -> Parts:
    """Draw the three parts."""
    parts = split_digits(digits, [TRAIN_IMAGES, CHOICE_IMAGES], seed)
    return Parts(*(Batch(torch.from_numpy(part.images).float(), torch.from_numpy(part.labels)) for part in parts))


def new_network(width: int, dropped: tuple[float, float]) -> nn.Sequential:
    """Return the network with He's initialisation, drawn from torch's generator; dropped: of the pixels, the units."""
    pixels, units = dropped
    layers = [nn.Dropout(pixels), nn.Linear(PIXELS, width), nn.ReLU()]
    layers += [nn.Dropout(units), nn.Linear(width, width), nn.ReLU()]
    layers += [nn.Dropout(units), nn.Linear(width, CLASSES)]
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


@torch.no_grad()
def all_unit_scores(network: nn.Sequential, images: torch.Tensor) -> torch.Tensor:
    """Return the scores (N, classes), before the softmax, of the network with all its units."""
    return network.eval()(images)


@torch.no_grad()
def thinned_scores(network: nn.Sequential, images: torch.Tensor) -> torch.Tensor:
    """Return the scores (N, classes) of one thinned network, drawn from torch's generator: the same for all images."""
    for layer in network:
        # Dropping from a single row of ones gives one choice of units, scaled as in training.
        thinned = isinstance(layer, nn.Dropout)
        images = images * dropout(torch.ones(images.shape[1]), layer.p) if thinned else layer(images)
    return images


def accuracy(scores: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the fraction of images whose label has the largest score."""
    return (scores.argmax(dim=1) == labels).double().mean().item()


def train_epoch(network: nn.Sequential, optimizer: torch.optim.Optimizer, batch: Batch) -> None:
    """Go through the images once, in an order from torch's generator."""
    network.train()
    for rows in torch.randperm(len(batch.labels)).split(BATCH):
        optimizer.zero_grad()
        cross_entropy(network(batch.images[rows]), batch.labels[rows]).backward()
        optimizer.step()


def train_network(parts: Parts, dropped: str, seed: int, rate: float, width: int, epochs: int) -> Training:
    """Train one network by stochastic gradient descent with Nesterov's momentum; the seed decides everything."""
    torch.manual_seed(seed)
    network = new_network(width, DROPPED[dropped])
    optimizer = torch.optim.SGD(network.parameters(), lr=rate, momentum=MOMENTUM, nesterov=True)
    measured = []
    for epoch in range(epochs + 1):
        if epoch:
            train_epoch(network, optimizer, parts.train)
        if epoch % EVERY == 0 or epoch == epochs:
            scores = all_unit_scores(network, parts.train.images)
            loss = cross_entropy(scores, parts.train.labels).item()
            validation = accuracy(all_unit_scores(network, parts.validation.images), parts.validation.labels)
            train = accuracy(scores, parts.train.labels)
            measured.append(Epoch(dropped, seed, epoch, loss, train, validation, rate))
    choice = accuracy(all_unit_scores(network, parts.choice.images), parts.choice.labels)
    return Training(network, choice, measured)


def best_trainings(parts: dict[int, Parts], dropped: str, width: int, epochs: int) -> list[Training]:
    """Return a training for each seed, all with the rate that is best on the images for the choice."""
    tried, means = {}, {}
    for rate in RATES:
        tried[rate] = [train_network(part, dropped, seed, rate, width, epochs) for seed, part in parts.items()]
        means[rate] = np.mean([training.choice_accuracy for training in tried[rate]])
        logging.info("dropout %s, rate %g: accuracy %.4f on the images for the choice", dropped, rate, means[rate])
    best = max(means, key=means.get)
    warn_at_edge(f"dropout {dropped}", best, RATES)
    return tried[best]


def ensemble_rows(network: nn.Sequential, validation: Batch, seed: int) -> list[Ensemble]:
    """Return the rows of one seed, whose network was trained with dropout."""
    torch.manual_seed(seed)
    rows = [Ensemble(0, seed, accuracy(all_unit_scores(network, validation.images), validation.labels))]
    total = torch.zeros(len(validation.labels), CLASSES)
    for count in range(1, max(NETWORKS) + 1):
        total += thinned_scores(network, validation.images).softmax(dim=1)
        if count in NETWORKS:
            rows.append(Ensemble(count, seed, accuracy(total, validation.labels)))
    return rows


def draw_epochs(axes: Axes, table: pd.DataFrame, column: str, factor: float) -> None:
    """Draw a column over the epochs, with and without dropout: median over the seeds, their range as a band."""
    for dropped, color, line in zip(DROPPED, COLORS, ("--", "-"), strict=False):
        values = table[table["dropout"] == dropped].pivot_table(index="seed", columns="epoch", values=column)
        label = "with dropout, all units" if dropped == "yes" else "without dropout"
        draw_band(axes, values.columns.to_numpy(), factor * values.to_numpy(), label, color, line)
    axes.set_xlabel("epoch")


def draw_ensemble(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the accuracy of ensembles over their size, and that of the network with all units as a line across."""
    values = 100 * table.pivot_table(index="seed", columns="networks", values="validation_accuracy")
    sizes = values.columns[values.columns > 0]
    draw_band(axes, sizes.to_numpy(), values[sizes].to_numpy(), "with dropout, thinned networks", COLORS[2], "-.")
    axes.axhline(values[0].median(), color=COLORS[1], linewidth=1.2)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set(xlabel="networks averaged", ylabel="validation accuracy (%)")


def draw_figure(epochs: pd.DataFrame, ensembles: pd.DataFrame, pdf: str, png: str) -> None:
    """Draw three panels: training loss, validation accuracy, ensembles."""
    figure = new_figure(TEXT_WIDTH, 2.5)
    loss, validation, ensemble = figure.subplots(1, 3)
    draw_epochs(loss, epochs, "train_loss", 1)
    loss.set_yscale("log")
    loss.set_ylabel("training loss (nats)")
    draw_epochs(validation, epochs[epochs["epoch"] > 0], "validation_accuracy", 100)
    validation.set_ylabel("validation accuracy (%)")
    draw_ensemble(ensemble, ensembles)
    legend_below(figure, loss, ensemble)
    save_figure(figure, pdf, png)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, write both tables and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_outputs(parser, "table", "ensemble")
    parser.add_argument("--width", type=positive_int, default=WIDTH, help="units of each hidden layer")
    parser.add_argument("--epochs", type=positive_int, default=80)
    options = parser.parse_args(arguments)

    digits = centered(read_digits())
    parts = {seed: read_parts(digits, seed) for seed in checked_seeds(options.seeds)}
    trainings = {dropped: best_trainings(parts, dropped, options.width, options.epochs) for dropped in DROPPED}
    epochs = [row for found in trainings.values() for training in found for row in training.epochs]
    ensembles = [
        row
        for training, (seed, part) in zip(trainings["yes"], parts.items(), strict=True)
        for row in ensemble_rows(training.network, part.validation, seed)
    ]
    write_table(options.table, epochs)
    write_table(options.ensemble, ensembles)
    draw_figure(pd.DataFrame(epochs), pd.DataFrame(ensembles), options.pdf, options.png)


if __name__ == "__main__":
    run_program(main)
