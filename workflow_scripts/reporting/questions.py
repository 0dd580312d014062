"""The questions of the paper: which experiments answer each, and what their differences say."""

from collections.abc import Callable

from reporting.augmentation import changed_alone
from reporting.comparisons import compared_groups
from reporting.figures import best_on_validation
from reporting.text import Values, emphasized
from semisup.run_names import COMPARED

SHOWN_FILTERS = 2  # networks beside the centroids


def asked(experiments: list[Values]) -> dict[str, Callable[[Values], bool]]:
    """Return for each question which of the experiments answer it; each of them answers one."""

    def augments(row: Values) -> bool:
        return changed_alone(row, experiments)

    def with_svm(row: Values) -> bool:
        return bool(row["facts"]["in_rounds"]) and not row["network_file"]

    families = {
        "labels": lambda row: row["family"] == "labels",
        "features": lambda row: row["family"] == "features",
        "pseudo": lambda row: row["family"] == "beside" and not with_svm(row),
        "kmeans_pseudo": lambda row: row["family"] == "beside" and with_svm(row),
    }
    questions = {name: lambda row, fits=fits: bool(fits(row)) and not augments(row) for name, fits in families.items()}
    return questions | {"augmentations": augments}


def question_values(experiments: list[Values]) -> Values:
    """Return for each question its experiments and what their differences say.

    names: of the experiments; best: that one of them with the highest validation accuracy; groups: by protocol as of
    `compared_groups`; labels: by protocol.
    """
    found = {}
    for question, fits in asked(experiments).items():
        rows = [row for row in experiments if fits(row)]
        found[question] = {
            "names": [emphasized(row["title"]) for row in rows],
            "best": best_on_validation(rows) if rows else None,
            "groups": {protocol: compared_groups(experiments, protocol, fits) for protocol in COMPARED},
            "labels": {
                protocol: next((row[protocol]["labels"] for row in rows if "difference" in row[protocol]), 0)
                for protocol in COMPARED
            },
        }
    return found


def seen_filters(experiments: list[Values], shown: Values) -> list[Values]:
    """Return whose centroids and filters stand side by side, with the kind of their figure.

    Centroids come first, then networks. fixed: whether the filters are centroids that are not trained.
    """
    centroids = [row | {"kind": "centroids", "fixed": False} for row in shown["centroids"][-1:]]
    networks = [
        row | {"kind": "filters", "fixed": row["options"].get("first_layer") == "centroids"}
        for row in sorted(shown["filters"], key=lambda row: row["options"].get("first_layer") == "centroids")
    ]
    return centroids + networks[:SHOWN_FILTERS]


def over_studies(studies: list[Values]) -> Values:
    """Return which questions any study answers, and the first one with a solver that is followed."""
    names = studies[0]["questions"]
    return {
        **{name: any(study["questions"][name]["names"] for study in studies) for name in names},
        "helped": any(study["help"] for study in studies),
        "filters": any(study["seen"] for study in studies),
        "samples": any(study["shown"]["augmentations"] or study["shown"]["surrogates"] for study in studies),
        "followed": next((study["name"] for study in studies if study["followed"]), None),
    }


def limits(experiments: list[Values]) -> Values:
    """Return what limits the results: the largest spread over seeds, and choices at the edge of their candidates.

    single_runs: the kinds of runs that are one, so that their differences have no verdict.
    """
    spread = [row for row in experiments if "test_accuracy_std" in row["seeds"]]
    widest = max(spread, key=lambda row: row["seeds"]["test_accuracy_std"], default=None)
    return {
        "largest_spread": widest and {"title": widest["title"], "value": widest["seeds"]["test_accuracy_std"]},
        "edges": [f"{emphasized(row['title'])} ({', '.join(row['edge'])})" for row in experiments if row["edge"]],
        "single_runs": [
            protocol[:-1]
            for protocol in COMPARED
            if any(row[protocol].get("difference_runs") == 1 for row in experiments)
        ],
        "several_runs": any(row[protocol].get("runs", 1) > 1 for row in experiments for protocol in COMPARED),
    }
