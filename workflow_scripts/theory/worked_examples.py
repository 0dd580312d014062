"""The worked examples of the report's derivations, computed. Each returns a mapping that JSON can hold."""

from typing import Any

import torch

from theory import derivations, proximal
from theory.checks_of_methods import (
    geometric_mean,
    lasso_problem,
    lasso_solution,
    normal,
    objective,
    thinned_layer,
)
from theory.source_errors import example_arrays, vector

# What the theory homework prints for its convolution, section 5.
PRINTED_OUTPUT = [[109, 92, 72], [108, 85, 74], [110, 74, 79]]
PRINTED_GRADIENT = [[4, 7, 10, 6, 3], [9, 17, 25, 16, 8], [11, 23, 34, 23, 11], [7, 16, 24, 17, 8], [2, 6, 9, 7, 3]]
OBSERVATIONS, UNKNOWNS = 40, 10
ISTA_STEPS = 20
UNITS, CLASSES, KEEP = 8, 3, 0.5

Example = dict[str, Any]


def worked_examples(seed: int) -> dict[str, Example]:
    """Return all examples; the seed draws the numbers of those that need no particular ones."""
    return {
        "chain_rule": chain_rule(),
        "convolution": convolution(),
        "dag": dag(),
        "lasso": lasso(seed),
        "dropout_ensemble": dropout_ensemble(seed),
    }


def chain_rule() -> Example:
    """Return f and its derivatives at x = 1, y = 0."""
    x, y = vector(1.0)[0], vector(0.0)[0]
    by_x, by_y = derivations.quotient_gradient(x, y)
    f = derivations.quotient(x, y)
    return {"x": x.item(), "y": y.item(), "f": f.item(), "df_dx": by_x.item(), "df_dy": by_y.item()}


def convolution() -> Example:
    """Return the example of the theory homework: values and gradient for a dE/dF of ones, and what it prints.

    padded_side: outputs a side with one row of zeros around the image; output_side: without.
    """
    image, kernel = example_arrays()
    output = derivations.convolution(image, kernel)
    gradient = derivations.convolution_input_gradient(torch.ones_like(output), kernel)
    return {
        "image": whole_numbers(image),
        "kernel": whole_numbers(kernel),
        "output": whole_numbers(output),
        "printed_output": PRINTED_OUTPUT,
        "padded_side": derivations.convolution_side(len(image), len(kernel), 1, 1),
        "output_side": derivations.convolution_side(len(image), len(kernel), 0, 1),
        "gradient": whole_numbers(gradient),
        "printed_gradient": PRINTED_GRADIENT,
    }


def whole_numbers(matrix: torch.Tensor) -> list[list[int]]:
    """Return sums and products of whole numbers, which float64 holds exactly, as such."""
    return matrix.round().long().tolist()


def dag() -> Example:
    """Return the slopes dy/dx of min + max of sigmoids at a tie.

    by_index: what they become if both modules send all to the first of equal inputs.
    """
    inputs = vector(0.0), vector(0.0)
    by_x1, by_x2 = derivations.sigmoid_dag_gradient(*inputs, vector(1.0))
    tied = torch.cat(inputs).requires_grad_()
    outputs = torch.sigmoid(tied)
    (outputs.min(dim=0).values + outputs.max(dim=0).values).backward()
    x1, x2 = (x.item() for x in inputs)
    slopes = {"dy_dx1": by_x1.item(), "dy_dx2": by_x2.item(), "by_index": tied.grad.tolist()}
    return {"tie": {"x1": x1, "x2": x2, **slopes}}


def lasso(seed: int) -> Example:
    """Return where ISTA is after some steps from zero, and scikit-learn's solution.

    distance: the Euclidean one between the two; bound: on the objective's excess (Beck and Teboulle 2009, theorem 3.1).
    """
    problem = lasso_problem(torch.Generator().manual_seed(seed), OBSERVATIONS, UNKNOWNS)
    problem = problem._replace(x=torch.zeros(UNKNOWNS, dtype=torch.float64))
    found, solution = proximal.ista(*problem, steps=ISTA_STEPS)[-1], lasso_solution(problem)
    reach = proximal.lipschitz_constant(problem.matrix) * float((solution**2).sum())
    return {
        "unknowns": UNKNOWNS,
        "steps": ISTA_STEPS,
        "objective": objective(problem, found),
        "reference_objective": objective(problem, solution),
        "bound": reach / (2 * ISTA_STEPS),
        "distance": float(torch.linalg.vector_norm(found - solution)),
    }


def dropout_ensemble(seed: int) -> Example:
    """Return the probabilities of all thinned networks' geometric and arithmetic mean, and of the scaled network."""
    rng = torch.Generator().manual_seed(seed)
    case = thinned_layer(normal(rng, CLASSES, UNITS), normal(rng, CLASSES), normal(rng, UNITS), KEEP)
    scaled = derivations.softmax(derivations.weight_scaled_layer(*case.layer, KEEP), 1.0)
    arithmetic = case.probabilities @ torch.softmax(case.outputs, dim=1)
    return {
        "units": UNITS,
        "networks": len(case.outputs),
        "keep": KEEP,
        "geometric_mean": geometric_mean(case).tolist(),
        "scaled_weights": scaled.tolist(),
        "arithmetic_mean": arithmetic.tolist(),
    }
