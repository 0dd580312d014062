"""Compare gradient descent, classical momentum and Nesterov's momentum: the loss after every step.

quadratic                one half of the sum of λ x², eigenvalues λ from 1/1000 to 1 evenly on a logarithmic scale, from
                         x = 1 in every direction. Each method has the rate and the momentum that converge fastest on
                         such a quadratic, from its smallest and largest eigenvalue alone: Polyak (1964) for gradient
                         descent and classical momentum, Lessard, Recht and Packard (2016, table 1) for Nesterov's.
quadratic_same_momentum  the same, but both kinds of momentum have the rate 1/(largest eigenvalue) and the momentum
                         0.99, more than is best for either.
network                  a network of two hidden layers of tanh on 300 of scikit-learn's digits, mean cross-entropy of
                         all of them (nats) at every step. Both kinds of momentum have 0.9. Each method has the rate of
                         the grid RATES with the smallest mean over the seeds of the loss after the last step (of equal
                         ones the smaller). The seed draws images and first weights. It is about optimisation alone:
                         nothing is said of other images.

The quadratics are deterministic, so their rows have no seed. Columns rate and momentum say what each method used.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from torch import nn
from torch.nn.functional import cross_entropy

from semisup.cli import positive_int, run_program
from semisup.momentum import (
    Constants,
    Gradient,
    State,
    best_classical_constants,
    best_descent_constants,
    best_nesterov_constants,
    classical_momentum_step,
    nesterov_step,
)
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

DESCENT, CLASSICAL, NESTEROV = "gradient descent", "classical momentum", "Nesterov momentum"
# Gradient descent is classical momentum without momentum.
STEPS = {DESCENT: classical_momentum_step, CLASSICAL: classical_momentum_step, NESTEROV: nesterov_step}
LINES = {DESCENT: "-", CLASSICAL: "--", NESTEROV: "-"}

DIMENSIONS = 100
CONDITION = 1000.0  # largest eigenvalue over the smallest
LARGE_MOMENTUM = 0.99

TRAIN_IMAGES = 300
SIZES = (64, 32, 32, 10)
NETWORK_MOMENTUM = 0.9
RATES = (0.4, 0.8, 1.6, 3.2, 6.4, 12.8)

Loss = Callable[[torch.Tensor], torch.Tensor]


class LossAtStep(NamedTuple):
    """One row of the table; step 0 is the start, seed is "" where nothing is drawn."""

    problem: str
    method: str
    seed: int | str
    step: int
    loss: float
    rate: float
    momentum: float


def losses(
    method: str, start: torch.Tensor, loss: Loss, gradient: Gradient, constants: Constants, steps: int
) -> list[float]:
    """Return steps + 1 losses, at the start and after each step; from where one is not finite all are infinite."""
    state = State(start, torch.zeros_like(start))
    found = [loss(start).item()]
    for _ in range(steps):
        if math.isfinite(found[-1]):
            state = STEPS[method](*state, gradient, *constants)
            found.append(loss(state.parameters).item())
        else:
            found.append(math.inf)
    return [value if math.isfinite(value) else math.inf for value in found]


def best_constants(smallest: float, largest: float) -> dict[str, Constants]:
    """Return what makes each method converge fastest on quadratics with eigenvalues from smallest to largest."""
    return {
        DESCENT: best_descent_constants(smallest, largest),
        CLASSICAL: best_classical_constants(smallest, largest),
        NESTEROV: best_nesterov_constants(smallest, largest),
    }


def quadratic_rows(problem: str, constants: dict[str, Constants], steps: int) -> list[LossAtStep]:
    """Return the rows of one choice of constants. The methods know no axes, so the diagonal case is the general one."""
    eigenvalues = torch.from_numpy(np.geomspace(1 / CONDITION, 1.0, DIMENSIONS))
    start = torch.ones_like(eigenvalues)
    rows = []
    for method, chosen in constants.items():
        found = losses(
            method, start, lambda x: (eigenvalues * x**2).sum() / 2, lambda x: eigenvalues * x, chosen, steps
        )
        rows += [LossAtStep(problem, method, "", step, value, *chosen) for step, value in enumerate(found)]
    return rows


def first_weights(seed: int) -> torch.Tensor:
    """Return the network's parameters as one vector, float64: Glorot's initialisation, no biases."""
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for n_in, n_out in pairwise(SIZES):
        weights = nn.init.xavier_uniform_(torch.empty(n_out, n_in, dtype=torch.float64), generator=generator)
        parts += [weights.flatten(), torch.zeros(n_out, dtype=torch.float64)]
    return torch.cat(parts)


def network_loss(parameters: torch.Tensor, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy. parameters: weights (n_out, n_in), then biases, of layer after layer."""
    position = 0
    for n_in, n_out in pairwise(SIZES):
        if position:
            images = images.tanh()
        weights = parameters[position : position + n_in * n_out].view(n_out, n_in)
        position += n_in * n_out
        images = images @ weights.T + parameters[position : position + n_out]
        position += n_out
    return cross_entropy(images, labels)


def train_network(method: str, digits: Digits, seed: int, constants: Constants, steps: int) -> list[float]:
    """Return the losses of one training on the images that the seed draws."""
    train = split_digits(digits, [TRAIN_IMAGES], seed)[0]
    images, labels = torch.from_numpy(train.images), torch.from_numpy(train.labels)

    def gradient(parameters: torch.Tensor) -> torch.Tensor:
        parameters = parameters.detach().requires_grad_()
        return torch.autograd.grad(network_loss(parameters, images, labels), parameters)[0]

    return losses(method, first_weights(seed), lambda x: network_loss(x, images, labels), gradient, constants, steps)


def network_rows(seeds: Sequence[int], steps: int, rates: Sequence[float]) -> list[LossAtStep]:
    """Return the rows of each method with its best rate."""
    digits = centered(read_digits())
    rows = []
    for method in STEPS:
        tried = {}
        for rate in rates:
            constants = Constants(rate, 0.0 if method == DESCENT else NETWORK_MOMENTUM)
            tried[constants] = [train_network(method, digits, seed, constants, steps) for seed in seeds]
        best = min(tried, key=lambda constants: np.mean([found[-1] for found in tried[constants]]))
        warn_at_edge(method, best.rate, rates)
        for seed, found in zip(seeds, tried[best], strict=True):
            rows += [LossAtStep("network", method, seed, step, value, *best) for step, value in enumerate(found)]
    return rows


def draw_problem(axes: Axes, table: pd.DataFrame, title: str) -> None:
    """Draw the loss of every method over the steps of one problem: median over the seeds, their range as a band."""
    for (method, line), color in zip(LINES.items(), COLORS, strict=False):
        rows = table[table["method"] == method]
        if len(rows):
            values = rows["loss"].to_numpy().reshape(-1, rows["step"].nunique())  # a seed a row
            draw_band(axes, rows["step"].unique(), values, method, color, line)
    axes.set_yscale("log")
    axes.set(title=title, xlabel="step")


def draw_figure(table: pd.DataFrame, pdf: str, png: str) -> None:
    """Draw a panel for each problem."""
    figure = new_figure(TEXT_WIDTH, 2.5)
    panels = figure.subplots(1, 3)
    titles = {
        "quadratic": "quadratic, best constants",
        "quadratic_same_momentum": f"quadratic, momentum {LARGE_MOMENTUM}",
        "network": "network",
    }
    for axes, (problem, title) in zip(panels, titles.items(), strict=True):
        draw_problem(axes, table[table["problem"] == problem], title)
    panels[0].set_ylabel("loss")
    panels[2].set_ylabel("training loss (nats)")
    legend_below(figure, panels[0])
    save_figure(figure, pdf, png)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, write the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_outputs(parser, "table")
    parser.add_argument("--steps", type=positive_int, default=500, help="on the quadratics")
    parser.add_argument("--network-steps", type=positive_int, default=120)
    options = parser.parse_args(arguments)

    seeds = checked_seeds(options.seeds)
    same = dict.fromkeys((CLASSICAL, NESTEROV), Constants(1.0, LARGE_MOMENTUM))
    rows = [
        *quadratic_rows("quadratic", best_constants(1 / CONDITION, 1.0), options.steps),
        *quadratic_rows("quadratic_same_momentum", same, options.steps),
        *network_rows(seeds, options.network_steps, RATES),
    ]
    write_table(options.table, rows)
    draw_figure(pd.DataFrame(rows), options.pdf, options.png)


if __name__ == "__main__":
    run_program(main)
