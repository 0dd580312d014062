"""How a formula is compared with another way to the same numbers, and how a function is made a check."""

import math
import sys

import pytest
import torch

from theory import checks_of_layers, checks_of_methods
from theory.derivation_checks import (
    Check,
    check,
    checks_of,
    difference,
    differences,
    finite_differences,
    run_check,
)
from theory.source_errors import vector


@check("first", "a formula", against="another way", number=1)
@check("second", "the formula again", against="a rough way", tolerance=1e-6, number=2)
def check_number(rng, number):
    return float(number)


@check("third", "another formula", against="another way")
def another_check(rng):
    return 3.0


def test_checks_are_in_the_order_in_which_they_stand():
    checks = checks_of(sys.modules[__name__])
    assert [found[:4] for found in checks] == [
        ("first", "a formula", "another way", 1e-10),
        ("second", "the formula again", "a rough way", 1e-6),
        ("third", "another formula", "another way", 1e-10),
    ]
    assert [found.error(torch.Generator()) for found in checks] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("module", [checks_of_layers, checks_of_methods], ids=lambda module: module.__name__)
def test_no_function_is_left_out(module):
    names = [name for name in vars(module) if name.startswith("check_")]
    served = [found.error.func.__name__ for found in checks_of(module)]
    assert names == list(dict.fromkeys(served))


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e-9])
def test_an_error_that_is_no_small_number_fails(value):
    values = iter([0.0, value, 0.0])
    result = run_check(Check("key", "formula", "against", 1e-10, lambda rng: next(values)), 3, 0)
    assert result.verdict == "fail"
    assert result.largest_error == pytest.approx(value, nan_ok=True)


def test_difference_is_relative_where_values_are_large():
    assert difference(vector(1.5, 1000.0), vector(1.0, 1000.0)) == pytest.approx(0.5)
    assert difference(vector(0.25, 1010.0), vector(0.25, 1000.0)) == pytest.approx(0.01)
    assert difference(vector(0.002), vector(0.001)) == pytest.approx(0.001)
    assert math.isnan(differences([vector(0.0), vector(math.nan)], [vector(0.0), vector(0.0)]))


def test_tensors_that_would_broadcast_differ():
    assert difference(vector(1.0), vector(1.0, 1.0)) == math.inf


def test_finite_differences_of_a_polynomial():
    x, y = vector(1.0, -2.0), vector(3.0)
    by_x, by_y = finite_differences(lambda x, y: (x**2 * y).sum(), x, y)
    torch.testing.assert_close(by_x, vector(6.0, -12.0), atol=1e-8, rtol=0)
    torch.testing.assert_close(by_y, vector(5.0), atol=1e-8, rtol=0)
