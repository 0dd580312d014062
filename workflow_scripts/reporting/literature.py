"""Our accuracies beside published ones of the same methods."""

from reporting.text import Values, count

POOLS = {  # by the option unlabeled_pool
    "unlabeled": "{} of the data set",
    "hidden": "labelled ones, labels hidden",
    "both": "{} of the data set, and labelled ones, labels hidden",
}


def our_rows(experiment: Values, curve: list[Values]) -> list[Values]:
    """Return what an experiment comes to with each number of labels, the fewest first.

    curve: the rows of the curves of accuracy against labels.
    """
    summaries = [row for row in curve if row["name"] == experiment["name"]]
    summaries = summaries or [experiment[protocol] for protocol in ("folds", "seeds") if experiment[protocol]]
    return sorted(summaries, key=lambda row: row["labels"])


def representatives(experiments: list[Values]) -> list[Values]:
    """Return the experiments of one method that stand for it: those with folds; else the best one on validation."""
    with_folds = [row for row in experiments if row["folds"]]
    return with_folds or [max(experiments, key=lambda row: row["seeds"]["validation_accuracy_mean"])]


def pool_text(experiment: Values, unlabeled: int) -> str:
    """Return which images an experiment uses without labels; unlabeled: how many the data set has."""
    if experiment["facts"]["unlabeled"] is None:
        return "none"
    return POOLS[experiment["options"].get("unlabeled_pool", "unlabeled")].format(count(unlabeled))


def literature_groups(
    experiments: list[Values], curve: list[Values], published: list[Values], unlabeled: int
) -> list[Values]:
    """Return, for each method of which something is published, our rows and the published ones.

    experiments: of the study; curve: the rows of its curves of accuracy against labels; unlabeled: its unlabeled
    images. minutes: of one training of a network; None of what is no network.
    """
    groups = []
    for method in dict.fromkeys(row["method"] for row in experiments):
        theirs = [row for row in published if row["method"] == method]
        ours = [
            {
                "title": row["title"],
                "rows": our_rows(row, curve),
                "network": row["options"].get("network"),
                "minutes": row["training"]["minutes"] / row["training"]["runs"] if "training" in row else None,
                "pool": pool_text(row, unlabeled),
            }
            for row in representatives([row for row in experiments if row["method"] == method])
        ]
        groups += [{"ours": ours, "published": theirs}] if theirs else []
    return groups
