"""Compare a wide network trained with and without dropout on a hundred labelled digits, and dropout as an ensemble.

The network: 64 pixels, two hidden layers of 256 rectifiers, 10 classes. With dropout a fifth of the pixels and half of
the hidden units are left out at every step (Srivastava et al. 2014), and the kept ones scaled up, so that afterwards
all can be used as they are. The seed draws 100 of scikit-learn's digits to train on, 400 to choose the rate, and the
rest, 1,297, to validate on; it also draws weights, order and what is left out. Each of the two networks has the rate of
a grid (small_experiments.py) with the best mean accuracy over the seeds on the 400 images after the last epoch (of
equal ones the smaller); nothing is chosen on the validation images. Training loss (nats) and accuracy are of the
network with all its units.

The ensemble: thinned networks sampled from the network trained with dropout, each with one choice of units for all
images. The accuracy of 1, 2, 5, ... networks is that of the mean of their probabilities, the larger ensembles
containing the smaller; networks = 0 is the one network with all units.
"""

import argparse
import logging
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from semisup.cli import positive_int, run_program
from semisup.plots import COLORS, TEXT_WIDTH, Axes, draw_band, legend_below, new_figure, save_figure
from semisup.tables import write_table
from theory.initialization import he_deviation
from theory.momentum import State, nesterov_step
from theory.small_digits import (
    Digits,
    add_outputs,
    centered,
    checked_seeds,
    read_digits,
    reuse_memory,
    split_digits,
    warn_at_edge,
)
from theory.small_experiments import DROPOUT, WITH, WITHOUT
from theory.small_network import (
    RECTIFIER,
    Network,
    cross_entropy,
    first_parameters,
    layers_of,
    log_softmax,
    loss_gradient,
    scores,
)

PIXELS, CLASSES = 64, 10
BATCH = 25
MOMENTUM = 0.9
DROPPED = {WITHOUT: (0.0, 0.0), WITH: (DROPOUT.pixels, DROPOUT.units)}  # parts of the pixels and of the hidden units
NETWORKS = (1, 2, 5, 10, 20, 50, 100)
EVERY = 5  # epochs between two measurements


class Parts(NamedTuple):
    """The images to train on, to choose the rate on, and to validate on; float32."""

    train: Digits
    choice: Digits
    validation: Digits


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
    """A training: whether it had dropout, its seed and rate, its network, and the network's parameters on the way.

    parameters: float32 (P,) by epoch, where it is to be measured; choice_accuracy: after the last epoch.
    """

    dropped: str
    seed: int
    rate: float
    network: Network
    parameters: dict[int, np.ndarray]
    choice_accuracy: float


class Ensemble(NamedTuple):
    """One row of the table of ensembles."""

    networks: int
    seed: int
    validation_accuracy: float


def read_parts(digits: Digits, seed: int) -> Parts:
    """Draw the three parts."""
    parts = split_digits(digits, [DROPOUT.images, DROPOUT.choice_images], seed)
    return Parts(*(part._replace(images=part.images.astype(np.float32)) for part in parts))


def new_network(width: int) -> Network:
    """Return a network with two hidden layers of so many units."""
    return Network((PIXELS, width, width, CLASSES), RECTIFIER)


def first_weights(sizes: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Return parameters (P,), float32: He's initialisation, no biases."""
    return first_parameters(sizes, lambda n_in, n_out: rng.normal(0, he_deviation(n_in), (n_out, n_in)), np.float32)


def drop_rates(sizes: Sequence[int], dropped: tuple[float, float]) -> list[float]:
    """Return which part of each layer's inputs is left out. dropped: of the pixels, of the hidden units."""
    pixels, units = dropped
    return [pixels, *[units] * (len(sizes) - 2)]


def draw_masks(
    images: int, sizes: Sequence[int], dropped: tuple[float, float], rng: np.random.Generator
) -> list[np.ndarray] | None:
    """Draw the factors of each layer's inputs, float32 (N, n): 0 or 1 / part kept; None if nothing is dropped."""
    if not any(dropped):
        return None
    rates = drop_rates(sizes, dropped)
    return [
        (rng.random((images, size), dtype=np.float32) >= rate) * np.float32(1 / (1 - rate))
        for size, rate in zip(sizes, rates, strict=False)
    ]


def thinned_scores(
    network: Network,
    parameters: np.ndarray,
    images: np.ndarray,
    dropped: tuple[float, float],
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the scores (N, classes) of one thinned network, the same for all images, as if it had no other units."""
    rates = drop_rates(network.sizes, dropped)
    kept = [np.flatnonzero(rng.random(size) >= rate) for size, rate in zip(network.sizes, rates, strict=False)]
    kept.append(np.arange(network.sizes[-1]))
    values = images[:, kept[0]]
    layers = layers_of(parameters, network.sizes)
    for number, (layer, rate) in enumerate(zip(layers, rates, strict=True), start=1):
        # Scaled as in training.
        weights = layer.weights[np.ix_(kept[number], kept[number - 1])] / (1 - rate)
        values = values @ weights.T + layer.bias[kept[number]]
        if number < len(layers):
            values = network.activation.function(values)
    return values


def accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Return the fraction of images whose label has the largest score."""
    return float((scores.argmax(axis=1) == labels).mean())


def train_network(parts: Parts, dropped: str, seed: int, rate: float, width: int, epochs: int) -> Training:
    """Train one network by stochastic gradient descent with Nesterov's momentum; the seed decides everything."""
    rng = np.random.default_rng(seed)
    network = new_network(width)
    start = first_weights(network.sizes, rng)
    state = State(start, np.zeros_like(start))
    parameters = {0: start}
    for epoch in range(1, epochs + 1):
        state = train_epoch(network, state, parts.train, DROPPED[dropped], rate, rng)
        if epoch % EVERY == 0 or epoch == epochs:
            parameters[epoch] = state.parameters
    choice = accuracy(scores(network, state.parameters, parts.choice.images), parts.choice.labels)
    return Training(dropped, seed, rate, network, parameters, choice)


def train_epoch(
    network: Network,
    state: State,
    train: Digits,
    dropped: tuple[float, float],
    rate: float,
    rng: np.random.Generator,
) -> State:
    """Return the state after all images once, in an order that the generator draws. Numbers may overflow."""
    order = rng.permutation(len(train.labels))
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(order), BATCH):
            batch = train.at(order[start : start + BATCH])
            masks = draw_masks(len(batch.labels), network.sizes, dropped, rng)

            def gradient(parameters: np.ndarray, batch: Digits = batch, masks: list | None = masks) -> np.ndarray:
                return loss_gradient(network, parameters, *batch, masks)

            state = nesterov_step(*state, gradient, rate, MOMENTUM)
    return state


def measured(training: Training, parts: Parts) -> list[Epoch]:
    """Return the rows of a training."""
    rows = []
    for epoch, parameters in training.parameters.items():
        train, validation = (
            scores(training.network, parameters, part.images) for part in (parts.train, parts.validation)
        )
        values = (
            cross_entropy(train, parts.train.labels),
            accuracy(train, parts.train.labels),
            accuracy(validation, parts.validation.labels),
        )
        rows.append(Epoch(training.dropped, training.seed, epoch, *values, training.rate))
    return rows


def best_trainings(parts: dict[int, Parts], dropped: str, width: int, epochs: int) -> list[Training]:
    """Return a training for each seed, all with the rate that is best on the images for the choice."""
    found, best = [], -math.inf
    for rate in DROPOUT.rates:
        tried = [train_network(part, dropped, seed, rate, width, epochs) for seed, part in parts.items()]
        mean = np.mean([training.choice_accuracy for training in tried])
        logging.info("dropout %s, rate %g: accuracy %.4f on the images for the choice", dropped, rate, mean)
        if mean > best:
            found, best = tried, mean
    warn_at_edge(f"dropout {dropped}", found[0].rate, DROPOUT.rates)
    return found


def ensemble_rows(training: Training, validation: Digits) -> list[Ensemble]:
    """Return the rows of one training, which had dropout."""
    seed, network = training.seed, training.network
    parameters = training.parameters[max(training.parameters)]
    rng = np.random.default_rng(seed)
    rows = [Ensemble(0, seed, accuracy(scores(network, parameters, validation.images), validation.labels))]
    total = np.zeros((len(validation.labels), CLASSES))
    for count in range(1, max(NETWORKS) + 1):
        total += np.exp(log_softmax(thinned_scores(network, parameters, validation.images, DROPPED[WITH], rng)))
        if count in NETWORKS:
            rows.append(Ensemble(count, seed, accuracy(total, validation.labels)))
    return rows


def draw_epochs(axes: Axes, table: pd.DataFrame, column: str, factor: float) -> None:
    """Draw a column over the epochs, with and without dropout: median over the seeds, their range as a band."""
    for dropped, color, line in zip(DROPPED, COLORS, ("--", "-"), strict=False):
        values = table[table["dropout"] == dropped].pivot_table(index="seed", columns="epoch", values=column)
        label = "with dropout, all units" if dropped == WITH else "without dropout"
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
    parser.add_argument("--width", type=positive_int, default=DROPOUT.width, help="units of each hidden layer")
    parser.add_argument("--epochs", type=positive_int, default=60)
    options = parser.parse_args(arguments)

    reuse_memory()
    digits = centered(read_digits())
    parts = {seed: read_parts(digits, seed) for seed in checked_seeds(options.seeds)}
    trainings = {dropped: best_trainings(parts, dropped, options.width, options.epochs) for dropped in DROPPED}
    epochs = [
        row for found in trainings.values() for training in found for row in measured(training, parts[training.seed])
    ]
    ensembles = [
        row for training in trainings[WITH] for row in ensemble_rows(training, parts[training.seed].validation)
    ]
    write_table(options.table, epochs)
    write_table(options.ensemble, ensembles)
    draw_figure(pd.DataFrame(epochs), pd.DataFrame(ensembles), options.pdf, options.png)


if __name__ == "__main__":
    run_program(main)
