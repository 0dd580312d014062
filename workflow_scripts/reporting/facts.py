"""What the declarations of data sets and methods say of studies and experiments."""

from reporting.text import Values

PSEUDO_LABELS = "pseudo-labels"  # what unlabeled images are used for


def embedded_kinds(studies: Values) -> list[str]:
    """Return the kinds of data sets that come with the installed packages: with any, this is a demonstration.

    studies: the plans of all, by name.
    """
    return sorted({study["kind"] for study in studies.values() if study["embedded"]})


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
