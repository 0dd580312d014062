"""Checks of the methods' closed forms: top-k error, maps, momentum, dropout, initialisation, proximal gradient descent.

Each check_... function draws one random input and returns how far the two ways lie apart there, or by how much a bound
is missed. derivations.csv has their checks in the order of this file.
"""

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from sklearn.linear_model import Lasso
from torch.nn import init
from torch.optim.sgd import sgd

from semisup import metrics
from theory import derivations, initialization, momentum, proximal, sne, source_errors
from theory.derivation_checks import (
    ROUGH,
    Tensors,
    autograd,
    check,
    difference,
    differences,
    integer,
    normal,
    number_difference,
    uniform,
)

CLASSES = 4
FEATURES = 5
RANKED_IMAGES = 30  # of one top-k error
UNITS = 8  # that dropout may drop: 256 thinned networks
OPTIMIZER_STEPS = 20
RATE_STEPS = 50  # of ISTA, whose objective is compared with the bound after each
CURVATURES, OTHER_CONSTANTS = 5, 5  # of a quadratic; tried beside the best rate and momentum
LIMIT_STEPS = 200  # of ISTA on a problem of five unknowns: far more than it needs
MASKS = "all masks"
MINIMISER = "numerical minimiser"
RADIUS = "spectral radius of a step"

Step = Callable[..., momentum.State]

# Top-k error


def ranked_images(rng: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return scores float64 (N, K) of few different values, so that many are equal, and labels int64 (N,)."""
    scores = torch.randint(0, 4, (RANKED_IMAGES, CLASSES), generator=rng).double().numpy()
    return scores, torch.randint(0, CLASSES, (RANKED_IMAGES,), generator=rng).numpy()


def missed_part(scores: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Return the part of the images whose class is not among the first k of the sorted list of classes."""
    missed = 0
    for row, label in zip(scores.tolist(), labels.tolist(), strict=True):
        order = sorted(range(CLASSES), key=lambda number, row=row: (-row[number], number))
        missed += label not in order[:k]
    return missed / len(labels)


@check("top_k", "top-k error, with ties", against="naive count")
def check_top_k(rng: torch.Generator) -> float:
    """Compare the project's top-k error with a count over sorted lists."""
    (scores, labels), k = ranked_images(rng), integer(rng, 1, CLASSES)
    found = metrics.top_k_error(metrics.true_label_ranks(scores, labels), k)
    return abs(found - missed_part(scores, labels, k))


@check("top_k_next", "mean of R > k as the top-(k + 1) error", against="naive count")
def check_top_k_next(rng: torch.Generator) -> float:
    """Compare the mean of R > k, which a source takes for the top-k error, with the top-(k + 1) error."""
    (scores, labels), k = ranked_images(rng), integer(rng, 1, CLASSES - 2)
    found = source_errors.printed_top_k_error(metrics.true_label_ranks(scores, labels), k)
    return abs(found - missed_part(scores, labels, k + 1))


# Maps of points


@check("sne", "symmetric SNE: gradient", against="autograd", kernel="gaussian")
@check("tsne", "t-SNE: gradient", against="autograd", kernel="student")
def check_map_gradient(rng: torch.Generator, kernel: str) -> float:
    """Compare the gradient of a map's cost with autograd's of the cost written out pair by pair."""
    count = 8
    joint = sne.affinities(normal(rng, count, FEATURES).numpy(), 3.0)
    first, second = np.nonzero(~np.eye(count, dtype=bool))
    p = torch.from_numpy(joint[first, second])

    def cost(points: torch.Tensor) -> torch.Tensor:
        squares = ((points[first] - points[second]) ** 2).sum(dim=1)
        similarities = torch.exp(-squares) if kernel == "gaussian" else 1 / (1 + squares)
        return (p * torch.log(p * similarities.sum() / similarities)).sum()

    points = normal(rng, count, 2)
    found = torch.from_numpy(sne.sne_gradient(joint, points.numpy(), kernel))
    return differences([found], autograd(cost, points))


# Momentum


@check("momentum", "classical momentum: twenty steps", against="PyTorch", nesterov=False)
@check("nesterov", "Nesterov momentum: twenty steps", against="PyTorch", nesterov=True)
def check_momentum(rng: torch.Generator, nesterov: bool) -> float:
    """Compare each step on a quadratic with that of the function behind torch.optim.SGD, for a constant rate.

    With nesterov its variables are where Nesterov's gradient is taken. The class would import PyTorch's compiler too.
    """
    root = normal(rng, FEATURES, FEATURES)
    matrix = root.T @ root + torch.eye(FEATURES, dtype=torch.float64)
    rate = uniform(rng, 0.1, 1.0) / float(torch.linalg.matrix_norm(matrix, ord=2))
    decay = uniform(rng, 0.1, 0.95)
    start = normal(rng, FEATURES)
    variables, buffers = start.clone(), [None]
    settings = {"lr": rate, "momentum": decay, "nesterov": nesterov}
    settings |= {"weight_decay": 0.0, "dampening": 0.0, "maximize": False}
    step = momentum.nesterov_step if nesterov else momentum.classical_momentum_step
    state = momentum.State(start, torch.zeros_like(start))
    errors = []
    for _ in range(OPTIMIZER_STEPS):
        gradients = autograd(lambda x: x @ matrix @ x / 2, variables)
        sgd([variables], list(gradients), buffers, **settings)
        state = step(*state, lambda x: matrix @ x, rate, decay)
        found = momentum.look_ahead(*state, decay) if nesterov else state.parameters
        errors.append(difference(found, variables))
    return float(np.max(errors))


def shrinking(step: Step, constants: momentum.Constants, curvatures: torch.Tensor) -> float:
    """Return by which factor a step shrinks the distance to a quadratic's minimum in the long run.

    That is the spectral radius of the step, which maps place and velocity along a direction linearly. The columns of
    its matrix are what it makes of a place of one and of a velocity of one.
    """
    none, one = torch.zeros_like(curvatures), torch.ones_like(curvatures)
    columns = [
        torch.stack(step(*state, lambda x: curvatures * x, *constants), dim=1) for state in ((one, none), (none, one))
    ]
    maps = torch.stack(columns, dim=2)
    return float(torch.linalg.eigvals(maps).abs().max())


@check(
    "descent_factor",
    "gradient descent on a quadratic: factor of a step",
    against=RADIUS,
    tolerance=ROUGH,
    name="descent",
)
@check(
    "momentum_factor",
    "classical momentum on a quadratic: factor of a step",
    against=RADIUS,
    tolerance=ROUGH,
    name="classical",
)
@check(
    "nesterov_factor",
    "Nesterov momentum on a quadratic: factor of a step",
    against=RADIUS,
    tolerance=ROUGH,
    name="nesterov",
)
def check_factor(rng: torch.Generator, name: str) -> float:
    """Compare the factor of the best constants with the spectral radius of a step; name: descent|classical|nesterov.

    Also by how much other constants beat it, drawn around the best ones.
    """
    step, best_constants, closed_form = {
        "descent": (momentum.classical_momentum_step, momentum.best_descent_constants, momentum.descent_factor),
        "classical": (momentum.classical_momentum_step, momentum.best_classical_constants, momentum.classical_factor),
        "nesterov": (momentum.nesterov_step, momentum.best_nesterov_constants, momentum.nesterov_factor),
    }[name]
    condition, smallest = 10 ** uniform(rng, 0.3, 3.0), 10 ** uniform(rng, -2.0, 2.0)
    curvatures = smallest * torch.logspace(0, math.log10(condition), CURVATURES, dtype=torch.float64)
    best, factor = best_constants(smallest, condition * smallest), closed_form(condition)
    errors = [number_difference(shrinking(step, best, curvatures), factor)]
    for _ in range(OTHER_CONSTANTS):
        size = 10 ** uniform(rng, -3.0, -0.3)
        rate = best.rate * (1 + uniform(rng, -size, size))
        moved = 0.0 if name == "descent" else min(max(best.momentum + uniform(rng, -size, size), 0.0), 1.0)
        errors.append(factor - shrinking(step, momentum.Constants(rate, moved), curvatures))
    return float(np.max(errors))


# Dropout


def all_masks(units: int, keep: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return all masks (2^n, n) of zeros and ones, and the probability of each, (2^n,)."""
    masks = torch.tensor(list(itertools.product((0.0, 1.0), repeat=units)), dtype=torch.float64)
    kept = masks.sum(dim=1)
    return masks, keep**kept * (1 - keep) ** (units - kept)


class Thinned(NamedTuple):
    """A layer (weights, bias, x), how often a unit is kept, all thinned outputs (2^n, K) and their probabilities."""

    layer: Tensors
    keep: float
    outputs: torch.Tensor
    probabilities: torch.Tensor


def thinned_layer(weights: torch.Tensor, bias: torch.Tensor, x: torch.Tensor, keep: float) -> Thinned:
    """Compute the outputs of all thinned versions of a layer."""
    masks, probabilities = all_masks(len(x), keep)
    return Thinned((weights, bias, x), keep, (masks * x) @ weights.T + bias, probabilities)


def random_thinned_layer(rng: torch.Generator) -> Thinned:
    """Draw a layer and compute its thinned versions."""
    layer = normal(rng, CLASSES, UNITS), normal(rng, CLASSES), normal(rng, UNITS)
    return thinned_layer(*layer, uniform(rng, 0.2, 0.9))


def geometric_mean(case: Thinned) -> torch.Tensor:
    """Return the normalised geometric mean of the thinned networks' softmax outputs, (K,)."""
    means = torch.exp(case.probabilities @ torch.log_softmax(case.outputs, dim=1))
    return means / means.sum()


@check("dropout_expectation", "inverted dropout: expectation", against=MASKS)
def check_dropout_expectation(rng: torch.Generator) -> float:
    """Compare the mean of inverted dropout over all masks with its input."""
    x, keep = normal(rng, UNITS), uniform(rng, 0.2, 0.9)
    masks, probabilities = all_masks(UNITS, keep)
    return difference(probabilities @ derivations.inverted_dropout(x, masks, keep), x)


@check("dropout_scaling", "dropout: scaled weights as a mean", against=MASKS)
def check_dropout_scaling(rng: torch.Generator) -> float:
    """Compare the layer with scaled weights with the mean of all thinned layers."""
    case = random_thinned_layer(rng)
    found = derivations.weight_scaled_layer(*case.layer, case.keep)
    return difference(found, case.probabilities @ case.outputs)


@check("dropout_geometric", "dropout: scaled weights as a geometric mean", against=MASKS)
def check_dropout_geometric(rng: torch.Generator) -> float:
    """Compare softmax of the layer with scaled weights with the geometric mean of all thinned networks."""
    case = random_thinned_layer(rng)
    found = derivations.softmax(derivations.weight_scaled_layer(*case.layer, case.keep), 1.0)
    return difference(found, geometric_mean(case))


# Initialisation


def mean_square_by_quadrature(x: torch.Tensor, nodes: np.ndarray, shares: np.ndarray) -> float:
    """Return the mean of (w . x)^2 over independent weights w of one distribution, as a sum over all combinations.

    nodes, shares: a Gaussian quadrature of the distribution, exact for so low a power.
    """
    return math.fsum(
        math.prod(shares[list(chosen)]) * float(nodes[list(chosen)] @ x.numpy()) ** 2
        for chosen in itertools.product(range(len(nodes)), repeat=len(x))
    )


def uniform_gain(rng: torch.Generator, connections: int, bound: float) -> float:
    """Return mean (w . x)^2 / mean x^2 for random x of so many entries, over w of U[-bound, bound]."""
    nodes, shares = np.polynomial.legendre.leggauss(3)
    x = normal(rng, connections)
    return mean_square_by_quadrature(x, bound * nodes, shares / 2) / float((x**2).mean())


@check("heuristic", "heuristic initialisation: gain of outputs", against="quadrature")
def check_heuristic(rng: torch.Generator) -> float:
    """Compare a linear layer's gain, a third, with a quadrature over its weights."""
    inputs = integer(rng, 2, 5)
    bound = initialization.heuristic_bound(inputs)
    found = initialization.layer_gain(inputs, initialization.uniform_variance(bound), rectified=False)
    return max(number_difference(found, uniform_gain(rng, inputs, bound)), number_difference(found, 1 / 3))


@check("glorot_forward", "Glorot initialisation: gain of outputs", against="quadrature", forward=True)
@check("glorot_backward", "Glorot initialisation: gain of gradients", against="quadrature", forward=False)
def check_glorot(rng: torch.Generator, forward: bool) -> float:
    """Compare the gain of a linear layer, or of its gradient, 2 n / (n_in + n_out), with a quadrature over its weights.

    For a square layer it is 1.
    """
    inputs, outputs = integer(rng, 2, 5), integer(rng, 2, 5)
    errors = []
    for n_in, n_out in ((inputs, outputs), (inputs, inputs)):
        bound = initialization.glorot_bound(n_in, n_out)
        connections = n_in if forward else n_out
        found = initialization.layer_gain(connections, initialization.uniform_variance(bound), rectified=False)
        errors.append(number_difference(found, uniform_gain(rng, connections, bound)))
        errors.append(number_difference(found, 2 * connections / (n_in + n_out)))
    return float(np.max(errors))


@check("glorot_library", "Glorot initialisation: bound", against="PyTorch")
def check_glorot_library(rng: torch.Generator) -> float:
    """Compare the bound with that of PyTorch's initialisation, which stretches the same random numbers."""
    inputs, outputs, seed = integer(rng, 1, 9), integer(rng, 1, 9), integer(rng, 0, 1000)
    empty, again = torch.empty(outputs, inputs, dtype=torch.float64), torch.Generator().manual_seed(seed)
    expected = init.xavier_uniform_(empty.clone(), generator=again)
    unit = empty.uniform_(-1, 1, generator=again.manual_seed(seed))
    return difference(initialization.glorot_bound(inputs, outputs) * unit, expected)


@check("he_forward", "He initialisation: gain of outputs", against="quadrature")
def check_he_forward(rng: torch.Generator) -> float:
    """Compare the gain of a rectified layer, 1, with a numerical integration.

    For given inputs the sum w . x is normal, of variance Var(w) |x|^2.
    """
    x = normal(rng, integer(rng, 2, 50))
    deviation = initialization.he_deviation(len(x))
    spread = deviation * float(x.norm())

    def weighted_square(standard: float) -> float:
        return (spread * standard) ** 2 * math.exp(-(standard**2) / 2) / math.sqrt(2 * math.pi)

    mean_square, _ = quad(weighted_square, 0, math.inf, epsabs=1e-13, epsrel=1e-13)
    found = initialization.layer_gain(len(x), deviation**2, rectified=True)
    return max(number_difference(found, mean_square / float((x**2).mean())), number_difference(found, 1.0))


@check("he_backward", "He initialisation: gain of gradients", against="quadrature")
def check_he_backward(rng: torch.Generator) -> float:
    """Compare the gain of a rectified layer's gradient, 1, with a sum over all patterns of rectifiers that are open.

    As in the paper, they are open half of the time and independent of the weights; these by quadrature.
    """
    outputs = integer(rng, 2, 4)
    upstream, deviation = normal(rng, outputs), initialization.he_deviation(outputs)
    nodes, shares = np.polynomial.hermite_e.hermegauss(3)
    patterns, probabilities = all_masks(outputs, 0.5)
    mean_square = math.fsum(
        float(probability) * mean_square_by_quadrature(upstream * pattern, deviation * nodes, shares / shares.sum())
        for pattern, probability in zip(patterns, probabilities, strict=True)
    )
    found = initialization.layer_gain(outputs, deviation**2, rectified=True)
    return max(number_difference(found, mean_square / float((upstream**2).mean())), number_difference(found, 1.0))


@check("he_library", "He initialisation: standard deviation", against="PyTorch")
def check_he_library(rng: torch.Generator) -> float:
    """Compare the deviation with that of PyTorch's initialisation of a convolution: k^2 c inputs, k^2 d outputs."""
    kernel, channels, filters, seed = (integer(rng, *limits) for limits in ((1, 5), (1, 5), (1, 5), (0, 1000)))
    shape, again = (filters, channels, kernel, kernel), torch.Generator()
    unit = torch.randn(shape, generator=again.manual_seed(seed), dtype=torch.float64)
    errors = []
    for mode, maps in (("fan_in", channels), ("fan_out", filters)):
        again.manual_seed(seed)
        expected = init.kaiming_normal_(torch.empty_like(unit), mode=mode, nonlinearity="relu", generator=again)
        errors.append(difference(initialization.he_deviation(kernel**2 * maps) * unit, expected))
    return float(np.max(errors))


# Proximal gradient descent


class LassoProblem(NamedTuple):
    """A (M, N), b (M,) and the penalty of a lasso, with a point x (N,) to start from."""

    matrix: torch.Tensor
    target: torch.Tensor
    penalty: float
    x: torch.Tensor


def lasso_problem(rng: torch.Generator, rows: int, columns: int) -> LassoProblem:
    """Draw a lasso whose solution is not zero."""
    matrix, target = normal(rng, rows, columns), normal(rng, rows)
    strongest = float((matrix.T @ target).abs().max())  # from this penalty on, the solution is zero
    return LassoProblem(matrix, target, uniform(rng, 0.05, 0.8) * strongest, normal(rng, columns))


def objective(problem: LassoProblem, x: torch.Tensor) -> float:
    """Return F(x)."""
    return float(proximal.lasso_objective(problem.matrix, problem.target, problem.penalty, x))


def lasso_solution(problem: LassoProblem) -> torch.Tensor:
    """Return scikit-learn's solution, (N,); it minimises F / M."""
    alpha = problem.penalty / len(problem.target)
    model = Lasso(alpha=alpha, fit_intercept=False, tol=1e-14, max_iter=100_000)
    model.fit(problem.matrix.numpy(), problem.target.numpy())
    return torch.from_numpy(model.coef_)


@check("soft_threshold", "soft thresholding", against=MINIMISER, tolerance=ROUGH)
def check_soft_threshold(rng: torch.Generator) -> float:
    """Compare the proximal operator with a numerical minimiser."""
    value, threshold = 2 * normal(rng, 1), uniform(rng, 0.1, 2.0)
    place = float(value)
    expected = numerical_minimum(lambda u: (u - place) ** 2 / 2 + threshold * abs(u), abs(place) + 1)
    return number_difference(float(proximal.soft_threshold(value, threshold)), expected)


def numerical_minimum(function: Callable[[float], float], reach: float) -> float:
    """Return where a convex function has its minimum between -reach and reach."""
    result = minimize_scalar(function, bounds=(-reach, reach), method="bounded", options={"xatol": 1e-10})
    return float(result.x)


@check("lipschitz_constant", "lasso: the constant L", against="eigenvalues")
def check_lipschitz(rng: torch.Generator) -> float:
    """Compare L with the largest eigenvalue of A^T A."""
    matrix = normal(rng, integer(rng, 3, 30), FEATURES)
    return number_difference(proximal.lipschitz_constant(matrix), float(torch.linalg.eigvalsh(matrix.T @ matrix)[-1]))


@check("ista_step", "ISTA: a step minimises the bound plus h", against=MINIMISER, tolerance=ROUGH)
def check_ista_step(rng: torch.Generator) -> float:
    """Compare a step with a numerical minimiser of f(x) + grad f(x) . (u - x) + L / 2 |u - x|^2 + penalty |u|_1.

    It falls apart into a function of each entry of u.
    """
    problem = lasso_problem(rng, 30, FEATURES)
    curvature = float(torch.linalg.eigvalsh(problem.matrix.T @ problem.matrix)[-1])
    (slopes,) = autograd(lambda x: ((problem.matrix @ x - problem.target) ** 2).sum() / 2, problem.x)
    expected = []
    for place, slope in zip(problem.x.tolist(), slopes.tolist(), strict=True):

        def bound(u: float, place: float = place, slope: float = slope) -> float:
            return slope * (u - place) + curvature / 2 * (u - place) ** 2 + problem.penalty * abs(u)

        expected.append(numerical_minimum(bound, abs(place) + abs(slope) / curvature + 1))
    return difference(proximal.ista_step(*problem), torch.tensor(expected, dtype=torch.float64))


@check("ista_decrease", "ISTA: decrease of the objective in a step", against="bound")
def check_ista_decrease(rng: torch.Generator) -> float:
    """Return by how much F after a step misses F - L / 2 |step|^2 (Beck and Teboulle 2009, lemma 2.3).

    The step begins near the solution or farther off: far away, where F falls steeply, a wrong step may fall too.
    """
    problem = lasso_problem(rng, 30, FEATURES)
    problem = problem._replace(x=lasso_solution(problem) + 10 ** uniform(rng, -3.0, 0.0) * problem.x)
    after = proximal.ista_step(*problem)
    promised = proximal.lipschitz_constant(problem.matrix) / 2 * float(((after - problem.x) ** 2).sum())
    before = objective(problem, problem.x)
    return max(0.0, objective(problem, after) - (before - promised)) / max(1.0, before)


def missed_rate(problem: LassoProblem, points: Tensors, divisor: Callable[[int], float]) -> float:
    """Return by how much F misses F* + L |x0 - x*|^2 / divisor(k) after k steps."""
    solution = lasso_solution(problem)
    lowest = objective(problem, solution)
    reach = proximal.lipschitz_constant(problem.matrix) * float(((problem.x - solution) ** 2).sum())
    misses = [objective(problem, x) - lowest - reach / divisor(k) for k, x in enumerate(points[1:], start=1)]
    return float(np.max([0.0, *misses])) / max(1.0, lowest)


@check("ista_rate", "ISTA: objective after k steps", against="bound")
def check_ista_rate(rng: torch.Generator) -> float:
    """Return by how much F misses F* + L |x0 - x*|^2 / 2k after k steps (Beck and Teboulle 2009, theorem 3.1)."""
    problem = lasso_problem(rng, 30, FEATURES)
    return missed_rate(problem, proximal.ista(*problem, steps=RATE_STEPS), lambda k: 2 * k)


def flat_problem(rng: torch.Generator) -> LassoProblem:
    """Draw a lasso with one steep direction, and a start that lies far off along the others, where descent is slow."""
    directions, _ = torch.linalg.qr(normal(rng, FEATURES, FEATURES))
    sizes = torch.tensor([1.0, *(uniform(rng, 0.08, 0.12) for _ in range(FEATURES - 1))], dtype=torch.float64)
    matrix = sizes[:, None] * directions.T
    target = matrix @ normal(rng, FEATURES)
    penalty = 1e-4 * float((matrix.T @ target).abs().max())
    return LassoProblem(matrix, target, penalty, 10 * directions[:, 1:] @ normal(rng, FEATURES - 1))


@check("fista_rate", "ISTA with Nesterov momentum: objective after k steps", against="bound")
def check_fista_rate(rng: torch.Generator) -> float:
    """Return by how much F misses F* + 2 L |x0 - x*|^2 / (k + 1)^2 (Beck and Teboulle 2009, theorem 4.4)."""
    problem = flat_problem(rng)
    return missed_rate(problem, proximal.fista(*problem, steps=RATE_STEPS), lambda k: (k + 1) ** 2 / 2)


@check("ista_limit", "ISTA: limit", against="scikit-learn", tolerance=ROUGH)
def check_ista_limit(rng: torch.Generator) -> float:
    """Compare where ISTA ends with scikit-learn's solution."""
    problem = lasso_problem(rng, 30, FEATURES)
    return difference(proximal.ista(*problem, steps=LIMIT_STEPS)[-1], lasso_solution(problem))
