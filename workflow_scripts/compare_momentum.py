"""Compare gradient descent, classical momentum and Nesterov's momentum: the loss after every step.

quadratic                one half of the sum of λ x², eigenvalues λ from 1/1000 to 1 evenly on a logarithmic scale, from
                         x = 1 in every direction. Each method has the rate and the momentum that converge fastest on
                         such a quadratic, from its smallest and largest eigenvalue alone: Polyak (1964) for gradient
                         descent and classical momentum, Lessard, Recht and Packard (2016, table 1) for Nesterov's.
quadratic_same_momentum  the same, but both kinds of momentum have the rate 1/(largest eigenvalue) and the momentum
                         0.99, more than is best for either.
network                  a network of two hidden layers of tanh on 300 of scikit-learn's digits, mean cross-entropy of
                         all of them (nats) at every step. Both kinds of momentum have 0.9. Each method has the rate of
                         a grid (small_experiments.py) with the smallest mean over the seeds of the loss after the last
                         step (of equal ones the smaller). The seed draws images and first weights. It is about
                         optimisation alone: nothing is said of other images.

The quadratics are deterministic, so their rows have no seed. Columns rate and momentum say what each method used.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from semisup.cli import positive_int, run_program
from semisup.plots import COLORS, TEXT_WIDTH, Axes, draw_band, legend_below, new_figure, save_figure
from semisup.tables import write_table
from theory.initialization import glorot_bound
from theory.momentum import (
    Constants,
    Gradient,
    State,
    best_classical_constants,
    best_descent_constants,
    best_nesterov_constants,
    classical_momentum_step,
    nesterov_step,
)
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
from theory.small_experiments import CLASSICAL, DESCENT, MOMENTUM, NESTEROV
from theory.small_network import TANH, Network, cross_entropy, first_parameters, loss_gradient, scores

# Gradient descent is classical momentum without momentum.
STEPS = {DESCENT: classical_momentum_step, CLASSICAL: classical_momentum_step, NESTEROV: nesterov_step}
LINES = {DESCENT: "-", CLASSICAL: "--", NESTEROV: "-"}

DIMENSIONS = 100  # of the quadratics
LARGE_MOMENTUM = 0.99
NETWORK = Network(MOMENTUM.sizes, TANH)
NETWORK_MOMENTUM = 0.9

Loss = Callable[[np.ndarray], float]


class LossAtStep(NamedTuple):
    """One row of the table; step 0 is the start, seed is "" where nothing is drawn."""

    problem: str
    method: str
    seed: int | str
    step: int
    loss: float
    rate: float
    momentum: float


def descend(method: str, start: np.ndarray, gradient: Gradient, constants: Constants, steps: int) -> list[np.ndarray]:
    """Return steps + 1 points, the start and that after each step. Numbers may overflow."""
    state = State(start, np.zeros_like(start))
    points = [start]
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            state = STEPS[method](*state, gradient, *constants)
            points.append(state.parameters)
    return points


def losses(points: Sequence[np.ndarray], loss: Loss) -> list[float]:
    """Return the loss at each point; from where one is not finite all are infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.array([loss(point) for point in points])
    return np.where(np.isfinite(found).cumprod(), found, np.inf).tolist()


def best_constants(smallest: float, largest: float) -> dict[str, Constants]:
    """Return what makes each method converge fastest on quadratics with eigenvalues from smallest to largest."""
    return {
        DESCENT: best_descent_constants(smallest, largest),
        CLASSICAL: best_classical_constants(smallest, largest),
        NESTEROV: best_nesterov_constants(smallest, largest),
    }


def quadratic_rows(problem: str, constants: dict[str, Constants], steps: int) -> list[LossAtStep]:
    """Return the rows of one choice of constants. The methods know no axes, so the diagonal case is the general one."""
    eigenvalues = np.geomspace(1 / MOMENTUM.condition, 1.0, DIMENSIONS)
    rows = []
    for method, chosen in constants.items():
        points = descend(method, np.ones(DIMENSIONS), lambda x: eigenvalues * x, chosen, steps)
        found = losses(points, lambda x: (eigenvalues * x**2).sum() / 2)
        rows += [LossAtStep(problem, method, "", step, value, *chosen) for step, value in enumerate(found)]
    return rows


def first_weights(seed: int) -> np.ndarray:
    """Return the network's parameters as one vector, float64: Glorot's initialisation, no biases."""
    rng = np.random.default_rng(seed)

    def draw(n_in: int, n_out: int) -> np.ndarray:
        bound = glorot_bound(n_in, n_out)
        return rng.uniform(-bound, bound, (n_out, n_in))

    return first_parameters(NETWORK.sizes, draw, np.float64)


def network_losses(points: Sequence[np.ndarray], train: Digits) -> list[float]:
    """Return the mean cross-entropy with each of the parameters (P,), infinite where it is no number."""
    return losses(points, lambda parameters: cross_entropy(scores(NETWORK, parameters, train.images), train.labels))


def train_network(method: str, train: Digits, seed: int, constants: Constants, steps: int) -> list[np.ndarray]:
    """Return steps + 1 vectors of parameters: the first weights, which the seed draws, and those after each step."""

    def gradient(parameters: np.ndarray) -> np.ndarray:
        return loss_gradient(NETWORK, parameters, train.images, train.labels)

    return descend(method, first_weights(seed), gradient, constants, steps)


def network_rows(seeds: Sequence[int], steps: int, rates: Sequence[float]) -> list[LossAtStep]:
    """Return the rows of each method with its best rate."""
    digits = centered(read_digits())
    parts = {seed: split_digits(digits, [MOMENTUM.images], seed)[0] for seed in seeds}
    rows = []
    for method in STEPS:
        best, trained, least = None, {}, math.inf
        for rate in rates:
            constants = Constants(rate, 0.0 if method == DESCENT else NETWORK_MOMENTUM)
            tried = {seed: train_network(method, train, seed, constants, steps) for seed, train in parts.items()}
            mean = np.mean([network_losses(points[-1:], parts[seed])[0] for seed, points in tried.items()])
            if best is None or mean < least:
                best, trained, least = constants, tried, mean
        warn_at_edge(method, best.rate, rates)
        for seed, points in trained.items():
            found = network_losses(points, parts[seed])
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
    parser.add_argument("--network-steps", type=positive_int, default=80)
    options = parser.parse_args(arguments)

    reuse_memory()
    seeds = checked_seeds(options.seeds)
    same = dict.fromkeys((CLASSICAL, NESTEROV), Constants(1.0, LARGE_MOMENTUM))
    rows = [
        *quadratic_rows("quadratic", best_constants(1 / MOMENTUM.condition, 1.0), options.steps),
        *quadratic_rows("quadratic_same_momentum", same, options.steps),
        *network_rows(seeds, options.network_steps, MOMENTUM.rates),
    ]
    write_table(options.table, rows)
    draw_figure(pd.DataFrame(rows), options.pdf, options.png)


if __name__ == "__main__":
    run_program(main)
