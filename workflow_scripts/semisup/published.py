"""Published accuracies that can stand beside our own: what report/published.yaml says of them."""

from typing import Any, NamedTuple


class PublishedPoint(NamedTuple):
    """A published accuracy in per cent, mean of `folds` folds of so many labels; cite: key of its source."""

    title: str
    cite: str
    labels: int
    folds: int
    accuracy: float


def published_points(published: dict[str, Any], data_set: str) -> list[PublishedPoint]:
    """Return what was measured on a kind of data set. published: the content of report/published.yaml."""
    log = published["exemplar_log"]
    rows = [*published["fold_rows"], log | {"accuracy": log["test_accuracy"]}]
    names = PublishedPoint._fields
    return [PublishedPoint(*(row[name] for name in names)) for row in rows if row["data_set"] == data_set]
