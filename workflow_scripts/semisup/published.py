"""Published accuracies that can stand beside our own: what report/published.yaml says of them."""

from typing import Any, NamedTuple


class PublishedPoint(NamedTuple):
    """A published accuracy in per cent, with so many labels; cite: key of its source."""

    title: str
    cite: str
    labels: int
    accuracy: float


def literature(published: dict[str, Any], data_set: str) -> list[dict[str, Any]]:
    """Return the rows on a kind of data set. published: the content of report/published.yaml."""
    return [row for row in published["literature"] if row["data_set"] == data_set]


def published_points(published: dict[str, Any], data_set: str) -> list[PublishedPoint]:
    """Return those of them that are drawn beside curves of accuracy against labels."""
    names = PublishedPoint._fields
    return [
        PublishedPoint(*(row[name] for name in names)) for row in literature(published, data_set) if row.get("cross")
    ]
