"""Comparing closed forms with other ways to the same numbers, at random inputs in float64.

The checks themselves are in checks_of_layers.py and checks_of_methods.py: functions, each below what it checks.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from types import FunctionType, ModuleType
from typing import NamedTuple

import numpy as np
import torch

EXACT = 1e-10  # tolerance where both ways are exact but for rounding
ROUGH = 1e-6  # where the other way is finite differences, or an iteration that ends
STEP = 1e-5  # of finite differences

Tensors = Sequence[torch.Tensor]
ErrorFunction = Callable[..., float]


class Check(NamedTuple):
    """A formula, what it is compared with, the error allowed, and a function that tries it.

    error: draws one random input and returns how far the two lie apart there.
    """

    key: str
    formula: str
    against: str
    tolerance: float
    error: Callable[[torch.Generator], float]


class CheckResult(NamedTuple):
    """A row of derivations.csv.

    largest_error: absolute where the expected value is below 1 in size, else relative; for bounds, by how much they are
    missed. verdict: pass | fail.
    """

    key: str
    formula: str
    against: str
    points: int
    largest_error: float
    tolerance: float
    verdict: str


def check(
    key: str, formula: str, *, against: str, tolerance: float = EXACT, **fixed: object
) -> Callable[[ErrorFunction], ErrorFunction]:
    """Make a function, with these arguments besides the generator fixed, the error of a check. It may serve several."""

    def attach(function: ErrorFunction) -> ErrorFunction:
        first = Check(key, formula, against, tolerance, partial(function, **fixed))
        function.checks = [first, *getattr(function, "checks", [])]  # the lowest decorator is applied first
        return function

    return attach


def checks_of(*modules: ModuleType) -> list[Check]:
    """Return the checks of the modules' functions in the order in which they stand there."""
    functions = [value for module in modules for value in vars(module).values() if isinstance(value, FunctionType)]
    return [check for function in functions for check in getattr(function, "checks", [])]


def run_check(check: Check, points: int, seed: int) -> CheckResult:
    """Try a formula at so many random inputs. An error that is no number fails it."""
    rng = torch.Generator().manual_seed(seed)
    largest = float(np.max([check.error(rng) for _ in range(points)]))
    verdict = "pass" if largest <= check.tolerance else "fail"
    return CheckResult(check.key, check.formula, check.against, points, largest, check.tolerance, verdict)


def difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the largest |found - expected| / max(1, |expected|), infinite if the shapes differ."""
    if found.shape != expected.shape:
        return math.inf  # they might broadcast, and agree
    return float(((found - expected).abs() / expected.abs().clamp(min=1)).max())


def differences(found: Tensors, expected: Tensors) -> float:
    """Return the largest of the differences of the pairs."""
    return float(np.max([difference(*pair) for pair in zip(found, expected, strict=True)]))


def number_difference(found: float, expected: float) -> float:
    """Return |found - expected| / max(1, |expected|)."""
    return abs(found - expected) / max(1.0, abs(expected))


def autograd(function: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Return the derivatives of a scalar function of the inputs by each of them."""
    leaves = [value.detach().clone().requires_grad_() for value in inputs]
    return torch.autograd.grad(function(*leaves), leaves)


def finite_differences(function: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> list[torch.Tensor]:
    """Return the derivatives of a scalar function of the inputs by each of them, by central differences."""
    gradients = []
    for number, value in enumerate(inputs):
        gradient = torch.empty_like(value)
        for place in itertools.product(*map(range, value.shape)):
            ends = []
            for step in (STEP, -STEP):
                moved = value.clone()
                moved[place] += step
                ends.append(function(*inputs[:number], moved, *inputs[number + 1 :]))
            gradient[place] = (ends[0] - ends[1]) / (2 * STEP)
        gradients.append(gradient)
    return gradients


def normal(rng: torch.Generator, *shape: int) -> torch.Tensor:
    """Return standard normal numbers, float64."""
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def uniform(rng: torch.Generator, low: float, high: float) -> float:
    """Return a number of U[low, high)."""
    return low + (high - low) * float(torch.rand((), generator=rng, dtype=torch.float64))


def integer(rng: torch.Generator, low: int, high: int) -> int:
    """Return a whole number from low to high, both included."""
    return int(torch.randint(low, high + 1, (), generator=rng))
