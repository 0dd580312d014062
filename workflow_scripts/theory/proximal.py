"""Proximal gradient descent for the lasso: minimise F(x) = |A x - b|^2 / 2 + penalty |x|_1 (ISTA, FISTA).

Beck and Teboulle 2009, "A fast iterative shrinkage-thresholding algorithm", sections 1 to 4. All tensors are float64:
A (M, N), b (M,), x (N,).
"""

import math

import torch


def soft_threshold(x: torch.Tensor, threshold: float) -> torch.Tensor:
    """Return the proximal operator of threshold * |.|_1: argmin_u |u - x|^2 / 2 + threshold |u|_1.

    Every entry goes towards zero by the threshold, and those within it become zero.
    """
    return x.sign() * (x.abs() - threshold).clamp(min=0)


def lasso_objective(matrix: torch.Tensor, target: torch.Tensor, penalty: float, x: torch.Tensor) -> torch.Tensor:
    """Return F(x), a scalar."""
    return ((matrix @ x - target) ** 2).sum() / 2 + penalty * x.abs().sum()


def lipschitz_constant(matrix: torch.Tensor) -> float:
    """Return L, the largest eigenvalue of A^T A: how fast the gradient of the smooth part can change."""
    return float(torch.linalg.matrix_norm(matrix, ord=2) ** 2)


def ista_step(matrix: torch.Tensor, target: torch.Tensor, penalty: float, x: torch.Tensor) -> torch.Tensor:
    """Return x after one step: a gradient step of the smooth part of size 1 / L, then soft thresholding by penalty / L.

    F falls by at least L / 2 times the squared length of the step.
    """
    size = 1 / lipschitz_constant(matrix)
    gradient = matrix.T @ (matrix @ x - target)
    return soft_threshold(x - size * gradient, penalty * size)


def ista(
    matrix: torch.Tensor, target: torch.Tensor, penalty: float, start: torch.Tensor, steps: int
) -> list[torch.Tensor]:
    """Return `start` and the points after each of the steps, (steps + 1) tensors (N,)."""
    points = [start]
    for _ in range(steps):
        points.append(ista_step(matrix, target, penalty, points[-1]))
    return points


def fista(
    matrix: torch.Tensor, target: torch.Tensor, penalty: float, start: torch.Tensor, steps: int
) -> list[torch.Tensor]:
    """Return `start` and the points after each of the steps of ISTA with Nesterov's momentum, (steps + 1) tensors (N,).

    Beck and Teboulle 2009, equations 4.1 to 4.3: each step begins where the last two points lead.
    """
    points, ahead, weight = [start], start, 1.0
    for _ in range(steps):
        points.append(ista_step(matrix, target, penalty, ahead))
        following = (1 + math.sqrt(1 + 4 * weight**2)) / 2
        ahead = points[-1] + (weight - 1) / following * (points[-1] - points[-2])
        weight = following
    return points
