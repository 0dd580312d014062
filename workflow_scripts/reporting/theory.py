"""Values of the theory in the report: derivations with their checks, and what the small experiments have found.

Nothing here says in advance how an experiment ends. Whatever is claimed of a difference follows from a t interval of
its paired values, one a seed; without an interval that excludes no difference, nothing is claimed.
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from semisup.cli import UserError
from semisup.tables import read_table
from theory import initialization
from theory.small_experiments import (
    CLASSICAL,
    CROWDING,
    DIGITS,
    DROPOUT,
    GAUSSIAN,
    INITIALIZATION,
    MOMENTUM,
    NESTEROV,
    STUDENT,
    WITH,
    WITHOUT,
)

Values = dict[str, Any]
TARGET = 1e-6  # of the first loss: how far a quadratic must be minimised
CHANGES = ("moderate_over_near", "class_separation", "neighbor_agreement")  # what the kernel may change
WHOLE = 0  # in the table of ensembles: the one network with all units


# Sections of the derivations by how the keys of their checks begin.
SECTIONS = {
    "activations": ("sigmoid", "tanh", "relu", "chain_rule"),
    "softmax": ("softmax", "cross_entropy", "output_weights", "weight", "bias", "certain"),
    "batchnorm": ("batch_norm", "shift"),
    "pooling": ("max_pool", "average_pool", "adaptive"),
    "convolution": ("convolution",),
    "topk": ("top_k",),
    "crowding": ("sne", "tsne"),
    "optimisation": ("descent", "momentum", "nesterov", "soft_threshold", "ista", "fista", "lipschitz"),
    "dropout": ("dropout",),
    "initialisation": ("heuristic", "glorot", "he_"),
}
WORDS = {"variance": r"\sigma^{2}", "mean": r"\mu", "epsilon": r"\varepsilon"}  # in a derivative


# How values are written


def scientific(value: float) -> str:
    """3.14e-12 -> 3.1 times a power of ten; 0 stays 0, and numbers from 0.01 to 1000 have no power."""
    if value == 0 or 0.01 <= abs(value) < 1000:  # noqa: PLR2004 - where a power of ten is no help
        return f"${rounded(value, 2)}$"
    mantissa, exponent = f"{value:.1e}".split("e")
    power = f"10^{{{int(exponent)}}}"
    return f"${power}$" if float(mantissa) == 1 else rf"${mantissa}\cdot{power}$"


def rounded(value: float, digits: int) -> str:
    """Return a number without an exponent, with so many significant digits or with all before the point."""
    exponent = int(f"{value:.{digits - 1}e}".split("e")[1])
    return f"{value:.{max(digits - 1 - exponent, 0)}f}" if value else "0"


def significant(value: float, digits: int = 3) -> str:
    """0.104993 -> 0.105, -12.04 -> -12.0 with a minus sign, 25.0 -> 25, 0.0000123 -> 1.2 times a power of ten."""
    if value and not 1e-4 <= abs(value) < 1e6:  # noqa: PLR2004 - longer ones are hard to read
        return scientific(value)
    return f"${value:.0f}$" if value == round(value) else f"${rounded(value, digits)}$"


def place(text: str) -> str:
    """Return a number, point or formula with the signs of mathematics: x = -1 in italics and with a minus."""
    text = re.sub(r"\b([A-Za-z])(?='? =)", r"$\1$", text.replace(")-(", ")--(")).replace(" = ", "~=~")
    text = re.sub(r"\bx(\d)\b", r"$x_\1$", text)
    text = re.sub(r"\bdE/d(variance|mean|epsilon)\b", lambda found: rf"$\partial E / \partial {WORDS[found[1]]}$", text)
    text = re.sub(r"\bd(E|l|f)/d(x|X|W|b|y)\b", r"$\\partial \1 / \\partial \2$", text)
    text = re.sub(r"\bW x\b|(?<=square of )x\b|(?<=example's )F\b", r"$\g<0>$", text)
    text = re.sub(r"(?<![\w)])-(?=\d)", "$-$", text)
    return re.sub(r"(?<!\w)(-?)beta( x\b)?", lambda found: rf"${found[1]}\beta{found[2] or ''}$", text)


def section(key: str) -> str:
    """Return the section of the derivations that a check belongs to. Raises UserError if none is known."""
    for name, beginnings in SECTIONS.items():
        if key.startswith(beginnings):
            return name
    raise UserError(
        f"reporting/theory.py knows no section of the check {key!r} of derivations.csv: add one to SECTIONS"
    )


def matrix(rows: Sequence[Sequence[float]]) -> str:
    """Return a matrix for a formula; whole numbers without decimals."""
    lines = r" \\ ".join(" & ".join(f"{value:g}" for value in row) for row in rows)
    return rf"\begin{{pmatrix}} {lines} \end{{pmatrix}}"


def initializer(name: str) -> str:
    """Return an initialisation as in a sentence."""
    return "the heuristic" if name == "heuristic" else f"{name}'s weights"


def networks(count: int) -> str:
    """1 -> one network, 100 -> 100 networks."""
    return "one network" if count == 1 else f"{count} networks"


FILTERS: dict[str, Callable[..., str]] = {
    "initializer": initializer,
    "networks": networks,
    "scientific": scientific,
    "digits": rounded,
    "significant": significant,
    "hundredths": lambda value: f"{value:.2f}",
    "matrix": matrix,
    "place": place,
    "section": section,
}


# Intervals


class Interval(NamedTuple):
    """A mean over seeds and the ends of its t interval."""

    mean: float
    low: float
    high: float


def t_interval(values: Sequence[float], confidence: float) -> Interval:
    """Return the mean of two or more numbers and its t interval. Raises ValueError for fewer, or for infinite ones."""
    numbers = np.asarray(values, dtype=np.float64)
    if len(numbers) < 2 or not np.isfinite(numbers).all():  # noqa: PLR2004 - one number has no spread
        raise ValueError(f"no interval of {numbers.tolist()}: two or more finite numbers are needed")
    margin = stdtrit(len(numbers) - 1, (1 + confidence) / 2) * numbers.std(ddof=1) / math.sqrt(len(numbers))
    return Interval(numbers.mean(), numbers.mean() - margin, numbers.mean() + margin)


def verdict(interval: Interval) -> str:
    """Say whether a difference is more or less than zero, or neither: its interval includes zero."""
    if interval.low > 0:
        return "more"
    return "less" if interval.high < 0 else "undecided"


def compared(differences: Sequence[float], confidence: float) -> Values:
    """Return the interval of paired differences and its verdict."""
    interval = t_interval(differences, confidence)
    return {**interval._asdict(), "verdict": verdict(interval)}


def compared_ratios(ratios: Sequence[float], confidence: float) -> Values:
    """Return the geometric mean of paired ratios, its interval, and the verdict: whether they are more than one.

    Raises ValueError unless all are positive.
    """
    if not (np.asarray(ratios) > 0).all():
        raise ValueError(f"no geometric mean of {list(ratios)}")
    interval = t_interval(np.log(ratios), confidence)
    return {**Interval(*map(math.exp, interval))._asdict(), "verdict": verdict(interval)}


# Derivations


def no_text(key: str) -> NoReturn:
    """Raise UserError: the template has no formula for an error of the sources."""
    raise UserError(f"report/derivations.tex has no formula for the error {key!r} of source_errors.csv: add one")


def number_if_any(value: float) -> str:
    """Return a number for the text, nothing for an empty cell."""
    return "" if pd.isna(value) else significant(value)


def with_differences(ensemble: Values) -> Values:
    """Return the example of dropout with what the report says of it: how far both means are from the one network."""
    scaled = np.array(ensemble["scaled_weights"])
    differences = {
        f"{mean}_difference": float(np.abs(np.array(ensemble[f"{mean}_mean"]) - scaled).max())
        for mean in ("geometric", "arithmetic")
    }
    return ensemble | differences | {"classes": len(scaled)}


def derivation_values(folder: Path, points: int) -> Values:
    """Return the checks, the errors of the sources and the worked examples; points: random inputs of each check."""
    checks = read_table(folder / "derivations.csv")
    # A point such as "0" is text, and a cell without one is empty.
    errors = pd.read_csv(folder / "source_errors.csv", dtype={"point": str, "equation": str}, keep_default_na=True)
    rows = errors.assign(point=errors["point"].fillna("")).to_dict("records")
    examples = json.loads((folder / "examples.json").read_text())
    return {
        "points": points,
        "checks": checks.to_dict("records"),
        "errors": [row | {name: number_if_any(row[name]) for name in ("printed", "right")} for row in rows],
        "examples": examples | {"dropout_ensemble": with_differences(examples["dropout_ensemble"])},
    }


# Momentum


def steps_to(losses: pd.Series, target: float) -> int | None:
    """Return the first step from which on the loss (indexed by steps) stays at or below the target; None if never."""
    above = losses.index[~(losses <= target)]
    if above.empty:
        return int(losses.index[0])
    after = losses.index[losses.index > above[-1]]
    return None if after.empty else int(after[0])


def quadratic_values(rows: pd.DataFrame) -> Values:
    """Return how many steps each method needs on a quadratic, and its last loss.

    reached: methods with their steps, missed: those that do not get there; of the two kinds of momentum, first: which
    needs fewer steps, None if they need as many or neither gets there, and lower: which has the lower loss at the end.
    """
    curves = {method: part.set_index("step")["loss"] for method, part in rows.groupby("method", sort=False)}
    steps = {method: steps_to(losses, TARGET * losses.iloc[0]) for method, losses in curves.items()}
    last = {method: losses.iloc[-1] for method, losses in curves.items()}
    needed = {method: math.inf if steps[method] is None else steps[method] for method in (CLASSICAL, NESTEROV)}
    return {
        "reached": [{"method": method, "steps": count} for method, count in steps.items() if count is not None],
        "missed": [method for method, count in steps.items() if count is None],
        "first": min(needed, key=needed.get) if len(set(needed.values())) > 1 else None,
        "lower": min((CLASSICAL, NESTEROV), key=last.get),
        "losses": last,
        "constants": {method: part.iloc[0][["rate", "momentum"]].to_dict() for method, part in rows.groupby("method")},
        "last_step": int(rows["step"].max()),
    }


def momentum_values(folder: Path, confidence: float) -> Values:
    """Return the steps on the quadratics, and the ratios of the network's last losses, paired by seed."""
    table = read_table(folder / "momentum.csv")
    problems = dict(iter(table.groupby("problem")))
    best, same = (quadratic_values(problems[name]) for name in ("quadratic", "quadratic_same_momentum"))
    network = problems["network"]
    last_step = network["step"].max()
    last = network[network["step"] == last_step].pivot_table(index="seed", columns="method", values="loss")
    constants = network.groupby("method", sort=False)[["rate", "momentum"]].first()
    pairs = list(zip(constants.index[1:], constants.index[:-1], strict=True))
    return {
        "target": TARGET,
        "condition": MOMENTUM.condition,
        "best": best,
        "same": same,
        "momentum": same["constants"][CLASSICAL]["momentum"],
        "network": {
            "images": MOMENTUM.images,
            "sizes": [str(size) for size in MOMENTUM.sizes],
            "tried": [f"{rate:g}" for rate in MOMENTUM.rates],
            "steps": int(last_step),
            "seeds": len(last),
            "momentum": constants["momentum"].max(),
            "rates": [{"method": method, "rate": row["rate"]} for method, row in constants.iterrows()],
            "comparisons": [
                {"one": one, "other": other, **compared_ratios(last[one] / last[other], confidence)}
                for one, other in pairs
            ],
        },
    }


# Initialisation


def rectified_factor(name: str) -> float:
    """Return by what factor a wide rectified layer of equally many inputs and outputs multiplies the variance."""
    units = INITIALIZATION.width
    variances = {
        "heuristic": initialization.uniform_variance(initialization.heuristic_bound(units)),
        "Glorot": initialization.uniform_variance(initialization.glorot_bound(units, units)),
        "He": initialization.he_deviation(units) ** 2,
    }
    return initialization.layer_gain(units, variances[name], rectified=True)


def kept_best(logs: pd.DataFrame, confidence: float) -> Values:
    """Return which initialisation changes a variance least, and whether the next one is worse.

    logs: logarithms of the factors by which the variance changes, a seed a row and an initialisation a column.
    """
    sizes = logs.abs()
    best, second, *_ = sizes.mean().sort_values(kind="stable").index
    return {"best": best, "second": second, **compared(sizes[second] - sizes[best], confidence)}


def initialization_values(folder: Path, confidence: float) -> Values:
    """Return the factors by which variances change along the chain of layers.

    responses: from the first layer to the last; gradients: from the last to the first; both geometric means over the
    seeds with their intervals. predicted: both of rectified layers, in theory.
    """
    table = read_table(folder / "initialization.csv")
    first, last = (table[table["layer"] == layer].copy() for layer in (table["layer"].min(), table["layer"].max()))
    keys = ["activation", "initialization", "seed"]
    first, last = (part.set_index(keys) for part in (first, last))
    factors = pd.DataFrame(
        {
            "responses": last["variance"] / first["variance"],
            "gradients": first["gradient_variance"] / last["gradient_variance"],
        }
    )
    layers = int(table["layer"].max())
    rows = [
        {
            "activation": activation,
            "initialization": name,
            **{column: compared_ratios(part[column], confidence) for column in factors},
            "predicted": rectified_factor(name) ** (layers - 1) if activation == "rectifier" else None,
        }
        for (activation, name), part in factors.groupby(level=keys[:2], sort=False)
    ]
    logs = np.log(factors).unstack("initialization")
    kept = {
        activation: {column: kept_best(part[column], confidence) for column in factors}
        for activation, part in logs.groupby(level="activation", sort=False)
    }
    return {
        "images": INITIALIZATION.images,
        "width": INITIALIZATION.width,
        "layers": layers,
        "seeds": table["seed"].nunique(),
        "rows": rows,
        "kept": kept,
    }


# Dropout


def dropout_values(folder: Path, confidence: float) -> Values:
    """Return what dropout changes after the last epoch, paired by seed, and how the ensemble of thinned networks does.

    validation: difference of the validation accuracy, with dropout less without; loss: ratio of the training losses,
    with dropout over without; grown: difference of the ensemble of the most networks less one thinned network; scaled:
    of the network with all units less that ensemble.
    """
    table = read_table(folder / "dropout.csv")
    last = table[table["epoch"] == table["epoch"].max()]
    accuracy, loss = (
        last.pivot_table(index="seed", columns="dropout", values=column)
        for column in ("validation_accuracy", "train_loss")
    )
    ensemble = read_table(folder / "dropout_ensemble.csv").pivot_table(
        index="seed", columns="networks", values="validation_accuracy"
    )
    fewest, *_, most = sorted(size for size in ensemble.columns if size != WHOLE)
    return {
        "images": DROPOUT.images,
        "choice_images": DROPOUT.choice_images,
        "validation_images": DIGITS - DROPOUT.images - DROPOUT.choice_images,
        "width": DROPOUT.width,
        "tried": [f"{rate:g}" for rate in DROPOUT.rates],
        "pixels": DROPOUT.pixels,
        "units": DROPOUT.units,
        "epochs": int(table["epoch"].max()),
        "seeds": len(accuracy),
        "means": {
            name: {"validation_accuracy": accuracy[value].mean()}
            for name, value in (("without", WITHOUT), ("with", WITH))
        },
        "validation": compared(accuracy[WITH] - accuracy[WITHOUT], confidence),
        "loss": compared_ratios(loss[WITH] / loss[WITHOUT], confidence),
        "fewest": int(fewest),
        "most": int(most),
        "ensemble": {size: ensemble[size].mean() for size in (fewest, most, WHOLE)},
        "grown": compared(ensemble[most] - ensemble[fewest], confidence),
        "scaled": compared(ensemble[WHOLE] - ensemble[most], confidence),
    }


# Crowding


def crowding_values(folder: Path, confidence: float) -> Values:
    """Return the measures of each map, mean and standard deviation over the seeds, and what the kernel changes.

    changes: of each measure of CHANGES the paired difference, Student-t less Gaussian kernel; kernels: mean distances
    of near and of moderate pairs with each.
    """
    table = read_table(folder / "crowding.csv")
    measures = ["near", "moderate", "far", *CHANGES]
    groups = {name: part.set_index("seed")[measures] for name, part in table.groupby("map", sort=False)}
    return {
        "rows": [
            {"map": name, **{column: {"mean": part[column].mean(), "std": part[column].std()} for column in measures}}
            for name, part in groups.items()
        ],
        "changes": {name: compared(groups[STUDENT][name] - groups[GAUSSIAN][name], confidence) for name in CHANGES},
        "kernels": {
            name: {column: groups[kernel][column].mean() for column in ("near", "moderate")}
            for name, kernel in (("gaussian", GAUSSIAN), ("student", STUDENT))
        },
        "seeds": table["seed"].nunique(),
        "images": CROWDING.images,
        "steps": CROWDING.steps,
        "momentum": CROWDING.momentum,
        "tried": [f"{rate:g}" for rate in CROWDING.rates],
        "neighbors": CROWDING.neighbors,
        "perplexity": CROWDING.perplexity,
    }


# The whole


def theory_values(plan: Values, folder: Path) -> Values:
    """Return the values of each part that the plan names, None for the others.

    plan: what the workflow passes on, here its keys "theory" (parts, points, seeds; may be missing) and "evaluation"
    (confidence); folder: results of the theory. experiments: whether there is any part beside the derivations.
    """
    asked = plan.get("theory", {"parts": []})
    parts = asked["parts"]
    confidence = plan["evaluation"]["confidence"]
    experiments = {
        "momentum": momentum_values,
        "dropout": dropout_values,
        "initialization": initialization_values,
        "crowding": crowding_values,
    }
    return {
        "derivations": derivation_values(folder, asked["points"]) if "derivations" in parts else None,
        "experiments": any(name in parts for name in experiments),
        "no_text": no_text,
        **{name: values(folder, confidence) if name in parts else None for name, values in experiments.items()},
    }
