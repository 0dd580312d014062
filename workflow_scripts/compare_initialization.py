"""Compare initialisations: the variance of responses and of gradients along a chain of 30 fully connected layers.

heuristic  uniform in ±1/√n, n: inputs of the layer; the one that Glorot and Bengio (2010, equation 1) argue against
Glorot     uniform in ±√6/√(n_in + n_out) (ibid., equation 16)
He         normal with variance 2/n_in (He et al. 2015, equation 10)

No bias; images of digits go in, their mean square 1. A layer's response is y = W x, before its activation function (He
et al.'s y_l); its variance is over units and images. The gradient is that of a random linear function of the last
layer's responses, with respect to the responses y of each layer. Nothing is trained.
"""

import argparse
from collections.abc import Callable, Sequence
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
import pandas as pd

from semisup.cli import positive_int, run_program
from semisup.plots import COLORS, TEXT_WIDTH, draw_band, legend_below, new_figure, save_figure
from semisup.tables import write_table
from theory.initialization import glorot_bound, he_deviation, heuristic_bound
from theory.small_digits import add_outputs, centered, checked_seeds, read_digits, reuse_memory, split_digits
from theory.small_experiments import INITIALIZATION

Activation = Callable[[np.ndarray], np.ndarray]


class LayerVariance(NamedTuple):
    """One row of the table; layer: from 1."""

    activation: str
    initialization: str
    seed: int
    layer: int
    variance: float
    gradient_variance: float


def heuristic_weights(rng: np.random.Generator, n_in: int, n_out: int) -> np.ndarray:
    """Return float64 (n_out, n_in), uniform in ±1/√n_in: variance 1/(3 n_in)."""
    bound = heuristic_bound(n_in)
    return rng.uniform(-bound, bound, (n_out, n_in))


def glorot_weights(rng: np.random.Generator, n_in: int, n_out: int) -> np.ndarray:
    """Return float64 (n_out, n_in), uniform with variance 2/(n_in + n_out)."""
    bound = glorot_bound(n_in, n_out)
    return rng.uniform(-bound, bound, (n_out, n_in))


def he_weights(rng: np.random.Generator, n_in: int, n_out: int) -> np.ndarray:
    """Return float64 (n_out, n_in), normal with variance 2/n_in."""
    return rng.normal(0, he_deviation(n_in), (n_out, n_in))


INITIALIZATIONS = {"heuristic": heuristic_weights, "Glorot": glorot_weights, "He": he_weights}
LINES = ("-.", "--", "-")  # of the initialisations
# An activation function and its derivative, both of the response.
ACTIVATIONS: dict[str, tuple[Activation, Activation]] = {
    "rectifier": (lambda y: np.maximum(y, 0), lambda y: (y > 0).astype(np.float64)),
    "tanh": (np.tanh, lambda y: 1 - np.tanh(y) ** 2),
}


def chain_variances(
    inputs: np.ndarray,
    weights: Sequence[np.ndarray],
    activation: tuple[Activation, Activation],
    rng: np.random.Generator,
) -> tuple[list[float], list[float]]:
    """Return the variance of each layer's responses and of the gradient with respect to them, first layer first.

    inputs: float64 (N, F); weights: (n_out, n_in) of each layer; rng: draws the gradient at the last layer, N(0, 1).
    """
    function, derivative = activation
    responses = []
    for weight in weights:
        responses.append(inputs @ weight.T)
        inputs = function(responses[-1])
    gradient = rng.normal(size=responses[-1].shape)
    gradients = [gradient]
    for weight, response in zip(weights[:0:-1], responses[-2::-1], strict=True):
        gradients.append((gradients[-1] @ weight) * derivative(response))
    return [float(part.var()) for part in responses], [float(part.var()) for part in gradients[::-1]]


def variance_rows(seeds: Sequence[int], depth: int, width: int) -> list[LayerVariance]:
    """Return the rows of the table. The seed draws the images, the weights and the last gradient."""
    digits = centered(read_digits())
    rows = []
    for (activation, functions), (name, draw), seed in product(ACTIVATIONS.items(), INITIALIZATIONS.items(), seeds):
        rng = np.random.default_rng(seed)
        inputs = split_digits(digits, [INITIALIZATION.images], seed)[0].images
        sizes = [inputs.shape[1], *[width] * depth]
        weights = [draw(rng, *size) for size in pairwise(sizes)]
        pairs = zip(*chain_variances(inputs, weights, functions, rng), strict=True)
        rows += [LayerVariance(activation, name, seed, layer, *pair) for layer, pair in enumerate(pairs, start=1)]
    return rows


def draw_figure(table: pd.DataFrame, pdf: str, png: str) -> None:
    """Draw four panels: responses (left) and gradients (right) of rectifiers (top) and of tanh (bottom)."""
    figure = new_figure(TEXT_WIDTH, 4.2)
    panels = figure.subplots(len(ACTIVATIONS), 2, sharex=True, sharey="row")
    quantities = {"variance": "variance of the responses", "gradient_variance": "variance of the gradients"}
    for activation, row in zip(ACTIVATIONS, panels, strict=True):
        for (column, label), axes in zip(quantities.items(), row, strict=True):
            for name, color, line in zip(INITIALIZATIONS, COLORS, LINES, strict=False):
                cell = table[(table["activation"] == activation) & (table["initialization"] == name)]
                values = cell.pivot_table(index="seed", columns="layer", values=column)
                draw_band(axes, values.columns.to_numpy(), values.to_numpy(), name, color, line)
            axes.set_yscale("log")
            axes.set(title=activation, ylabel=label)
    for axes in panels[-1]:
        axes.set_xlabel("layer")
    legend_below(figure, panels[0, 0])
    save_figure(figure, pdf, png)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, write the table and draw the figure: median over seeds, their range as a band."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_outputs(parser, "table")
    parser.add_argument("--depth", type=positive_int, default=30, help="layers")
    parser.add_argument("--width", type=positive_int, default=INITIALIZATION.width, help="units of each layer")
    options = parser.parse_args(arguments)

    reuse_memory()
    rows = variance_rows(checked_seeds(options.seeds), options.depth, options.width)
    write_table(options.table, rows)
    draw_figure(pd.DataFrame(rows), options.pdf, options.png)


if __name__ == "__main__":
    run_program(main)
