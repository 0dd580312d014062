"""What the declaration of an experiment's method says of it."""

from reporting.text import Values

PSEUDO_LABELS = "pseudo-labels"  # what unlabeled images are used for


def with_pseudo_labels(row: Values) -> bool:
    """Tell whether an experiment gives labels to unlabeled images."""
    return row["facts"]["unlabeled"] == PSEUDO_LABELS


def beside_labels(row: Values) -> bool:
    """Tell whether unlabeled images take part where an experiment learns from labels, as pseudo-labels or otherwise."""
    return with_pseudo_labels(row) or (row["facts"]["training_curves"] and row["facts"]["unlabeled"] is not None)


def without_labels(row: Values) -> bool:
    """Tell whether an experiment learns from unlabeled images alone, before it is given any labels."""
    return row["facts"]["unlabeled"] is not None and not beside_labels(row)


def on_labels_alone(row: Values) -> bool:
    """Tell whether an experiment trains a network on labels, epoch by epoch, and on nothing beside them."""
    return row["facts"]["training_curves"] and row["facts"]["unlabeled"] is None
