"""What the declaration of an experiment's method says of it."""

from reporting.text import Values

PSEUDO_LABELS = "pseudo-labels"  # what unlabeled images are used for


def with_pseudo_labels(row: Values) -> bool:
    """Tell whether an experiment gives labels to unlabeled images."""
    return row["facts"]["unlabeled"] == PSEUDO_LABELS


def without_labels(row: Values) -> bool:
    """Tell whether an experiment learns from unlabeled images without any labels."""
    return row["facts"]["unlabeled"] is not None and not with_pseudo_labels(row)


def on_labels_alone(row: Values) -> bool:
    """Tell whether an experiment trains a network on labels, epoch by epoch, and on nothing beside them."""
    return row["facts"]["training_curves"] and row["facts"]["unlabeled"] is None
