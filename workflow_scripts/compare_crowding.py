"""Show the crowding problem: maps of digits in the plane by PCA, by symmetric SNE and by t-SNE, and their distances.

The last two are found by the same descent (classical momentum 0.8, 500 steps, from the PCA map made small) on the same
affinities (perplexity 20); they differ in the kernel of distances in the map alone, a Gaussian or Student's t. Each has
the rate of a grid (small_experiments.py) with the lowest cost after the last step on the first seed (to four decimals;
of equal ones the smaller). A seed draws 300 of scikit-learn's digits.

Table, a row a map and a seed; map "pixels" is the space of 64 dimensions itself. Distances are divided by the mean
distance of the map, so that its scale does not matter:
near                mean distance of pairs of which one is among the 10 nearest of the other in the space
moderate, far       the same of pairs between the quartiles 1 and 2, and above quartile 3, of distances in the space
moderate_over_near  moderate/near: crowding is that the plane has too little room for it to be large
class_separation    mean distance of images of different digits over that of images of the same digit
neighbor_agreement  fraction of an image's 10 nearest in the space that are among its 10 nearest in the map
cost                what the descent minimises (nats), and rate, both empty for the other maps

Table of distances: curve "density" is the density (value) of all distances around `distance`; curve "by_distance" has
for each of 20 equally large groups of pairs, nearest first, its mean distance in the space and in the map (value).
"""

import argparse
import logging
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist, squareform

from semisup.cli import positive_int, run_program
from semisup.plots import COLORS, TEXT_WIDTH, Axes, draw_band, legend_below, new_figure, save_figure
from semisup.tables import write_table
from theory.momentum import State, classical_momentum_step
from theory.small_digits import (
    Digits,
    add_outputs,
    checked_seeds,
    read_digits,
    reuse_memory,
    split_digits,
    warn_at_edge,
)
from theory.small_experiments import CROWDING, GAUSSIAN, STUDENT
from theory.sne import affinities, sne_cost, sne_gradient

START_SIZE = 0.01  # standard deviation of the coordinates at the start
GROUPS = 20
BINS = np.linspace(0, 3, 61)  # of distances over the mean distance
SPACE, PLANE = "pixels", "PCA"
KERNELS = {GAUSSIAN: "gaussian", STUDENT: "student"}
TITLES = {
    SPACE: "space of pixels",
    PLANE: "PCA",
    GAUSSIAN: "SNE, Gaussian kernel",
    STUDENT: "t-SNE, Student-t kernel",
}
DIGIT_COLORS = ["#882255" if color == "#F0E442" else color for color in COLORS]  # yellow is too pale for small digits
LINES = {SPACE: ("#000000", ":"), PLANE: (COLORS[2], "--"), GAUSSIAN: (COLORS[1], "-"), STUDENT: (COLORS[0], "-")}


class Map(NamedTuple):
    """Points float64 (N, 2), or (N, 64) for the space; cost and rate of the descent, where there was one."""

    points: np.ndarray
    cost: float | None = None
    rate: float | None = None


class Measures(NamedTuple):
    """One row of the table."""

    map: str
    seed: int
    near: float
    moderate: float
    far: float
    moderate_over_near: float
    class_separation: float
    neighbor_agreement: float
    cost: float | None
    rate: float | None


class CurvePoint(NamedTuple):
    """One row of the table of distances."""

    map: str
    seed: int
    curve: str
    distance: float
    value: float


def pca_map(points: np.ndarray) -> np.ndarray:
    """Return the first two principal components, float64 (N, 2), with the signs of scikit-learn's PCA.

    The largest weight of either is positive.
    """
    points = points - points.mean(axis=0)
    axes = np.linalg.svd(points, full_matrices=False).Vh[:2]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1, keepdims=True), axis=1)
    return points @ (np.sign(largest) * axes).T


def descend(joint: np.ndarray, start: np.ndarray, kernel: str, rate: float, steps: int) -> Map:
    """Return the map after so many steps from start (N, 2). joint: the affinities (N, N)."""
    state = State(start, np.zeros_like(start))
    with np.errstate(over="ignore", invalid="ignore"):  # a rate that is too large
        for _ in range(steps):
            state = classical_momentum_step(
                *state, lambda points: sne_gradient(joint, points, kernel), rate, CROWDING.momentum
            )
        cost = sne_cost(joint, state.parameters, kernel)
    return Map(state.parameters, cost if math.isfinite(cost) else math.inf, rate)


def neighbor_maps(points: np.ndarray, rates: dict[str, Sequence[float]], steps: int) -> dict[str, Map]:
    """Return the map of each kernel, the one with the lowest cost among its rates."""
    joint = affinities(points, CROWDING.perplexity)
    start = pca_map(points)
    start = START_SIZE * start / start.std(ddof=1)
    maps = {}
    for name, kernel in KERNELS.items():
        tried = [descend(joint, start, kernel, rate, steps) for rate in rates[name]]
        maps[name] = min(tried, key=lambda found: round(found.cost, 4) if math.isfinite(found.cost) else math.inf)
        warn_at_edge(f"{name} kernel", maps[name].rate, rates[name])
    return maps


def all_maps(digits: Digits, seeds: Sequence[int], images: int, steps: int) -> list[tuple[int, Digits, dict[str, Map]]]:
    """Return for each seed its images and maps; the first seed chooses the rates for all."""
    found = []
    rates = dict.fromkeys(KERNELS, CROWDING.rates)
    for seed in seeds:
        part = split_digits(digits, [images], seed)[0]
        maps = neighbor_maps(part.images, rates, steps)
        for name, result in maps.items():
            logging.info("seed %d, %s: rate %g, cost %.4f", seed, name, result.rate, result.cost)
        rates = {name: (result.rate,) for name, result in maps.items()}
        found.append((seed, part, {SPACE: Map(part.images), PLANE: Map(pca_map(part.images)), **maps}))
    return found


def relative_distances(points: np.ndarray) -> np.ndarray:
    """Return the distances of all pairs, float64 (N (N - 1) / 2,) in pdist's order, over their mean."""
    distances = pdist(points)
    return distances / distances.mean()


def nearest(distances: np.ndarray) -> np.ndarray:
    """Return bool (N, N): whether the column's point is among the nearest others of the row's."""
    square = squareform(distances)
    np.fill_diagonal(square, np.inf)
    rows = np.argsort(square, axis=1, kind="stable")[:, : CROWDING.neighbors]
    found = np.zeros(square.shape, bool)
    np.put_along_axis(found, rows, values=True, axis=1)
    return found


def measures(name: str, seed: int, result: Map, space: np.ndarray, labels: np.ndarray) -> Measures:
    """Measure one map. space: relative distances of the images."""
    distances = relative_distances(result.points)
    neighbors = nearest(space)
    pairs = np.triu_indices(len(labels), 1)
    first, second, third = np.quantile(space, (0.25, 0.5, 0.75))
    near = distances[(neighbors | neighbors.T)[pairs]].mean()
    moderate = distances[(space > first) & (space <= second)].mean()
    same = labels[pairs[0]] == labels[pairs[1]]
    agreement = (neighbors & nearest(distances)).sum() / neighbors.sum()
    far = distances[space > third].mean()
    separation = distances[~same].mean() / distances[same].mean()
    values = (near, moderate, far, moderate / near, separation, agreement)
    return Measures(name, seed, *map(float, values), result.cost, result.rate)


def curves(name: str, seed: int, distances: np.ndarray, space: np.ndarray) -> list[CurvePoint]:
    """Return the rows of distances of one map; both arrays hold relative distances of all pairs."""
    density, _ = np.histogram(distances, BINS, density=True)
    centers = (BINS[:-1] + BINS[1:]) / 2
    rows = [CurvePoint(name, seed, "density", *map(float, pair)) for pair in zip(centers, density, strict=True)]
    for group in np.array_split(np.argsort(space, kind="stable"), GROUPS):
        rows.append(CurvePoint(name, seed, "by_distance", float(space[group].mean()), float(distances[group].mean())))
    return rows


def draw_map(axes: Axes, points: np.ndarray, labels: np.ndarray, title: str) -> None:
    """Draw every image as its digit, in the colour of its class."""
    for digit in range(labels.max() + 1):
        x, y = points[labels == digit].T
        axes.scatter(x, y, s=9, marker=f"${digit}$", color=DIGIT_COLORS[digit], linewidths=0.2)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xticks=[], yticks=[], title=title)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_linewidth(0.4)


def draw_curves(axes: Axes, table: pd.DataFrame, curve: str) -> None:
    """Draw a curve of every map: median over the seeds, their range as a band."""
    for name, (color, line) in LINES.items():
        rows = table[(table["map"] == name) & (table["curve"] == curve)]
        seeds = rows["seed"].nunique()
        x = rows["distance"].to_numpy().reshape(seeds, -1).mean(axis=0)
        draw_band(axes, x, rows["value"].to_numpy().reshape(seeds, -1), TITLES[name], color, line)


def draw_figure(maps: dict[str, Map], labels: np.ndarray, table: pd.DataFrame, pdf: str, png: str) -> None:
    """Draw the maps of one seed over two panels with the distances of all seeds."""
    figure = new_figure(TEXT_WIDTH, 4.7)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.1))
    for axes, name in zip(top.subplots(1, 1 + len(KERNELS)), (PLANE, *KERNELS), strict=True):
        draw_map(axes, maps[name].points, labels, TITLES[name])
    density, by_distance = bottom.subplots(1, 2)
    draw_curves(density, table, "density")
    density.set(xlabel="distance / mean distance", ylabel="density of pairs", xlim=(0, 2.5))
    draw_curves(by_distance, table, "by_distance")
    by_distance.set(xlabel="distance in the space of pixels / mean", ylabel="distance in the map / mean")
    legend_below(bottom, density)
    save_figure(figure, pdf, png)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, write both tables and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_outputs(parser, "table", "distances")
    parser.add_argument("--images", type=positive_int, default=CROWDING.images)
    parser.add_argument("--steps", type=positive_int, default=CROWDING.steps)
    options = parser.parse_args(arguments)

    reuse_memory()
    found = all_maps(read_digits(), checked_seeds(options.seeds), options.images, options.steps)
    rows, points = [], []
    for seed, part, maps in found:
        space = relative_distances(part.images)
        for name, result in maps.items():
            rows.append(measures(name, seed, result, space, part.labels))
            points += curves(name, seed, relative_distances(result.points), space)
    write_table(options.table, rows)
    write_table(options.distances, points)
    _, part, maps = found[0]
    draw_figure(maps, part.labels, pd.DataFrame(points), options.pdf, options.png)


if __name__ == "__main__":
    run_program(main)
