"""Our accuracies beside published ones of the same methods."""

from reporting.text import Values, count

POOLS = {  # by the option unlabeled_pool
    "unlabeled": "{} of the data set",
    "hidden": "labelled images that a run leaves, labels hidden",
    "both": "{} of the data set, and labelled images that a run leaves, labels hidden",
}
DRAWN = ("patch_images", "seed_patches")  # options that say how many of the unlabeled images are used


def our_rows(experiment: Values, curve: list[Values]) -> list[Values]:
    """Return what an experiment comes to with each number of labels, the fewest first; kind: of its runs.

    curve: the rows of the curves of accuracy against labels.
    """
    rows = [row for row in curve if row["name"] == experiment["name"]]
    rows = rows or [
        experiment[protocol] | {"protocol": protocol} for protocol in ("folds", "seeds") if experiment[protocol]
    ]
    kinds = [row | {"kind": "fold" if row["protocol"] == "folds" else "seed"} for row in rows]
    return sorted(kinds, key=lambda row: row["labels"])


def representatives(experiments: list[Values]) -> list[Values]:
    """Return the experiments of one method that stand for it: those with folds; else the best one on validation."""
    with_folds = [row for row in experiments if row["folds"]]
    return with_folds or [max(experiments, key=lambda row: row["seeds"]["validation_accuracy_mean"])]


def pool_text(experiment: Values, by_name: dict[str, Values], unlabeled: int) -> str:
    """Return which images an experiment, or else its base, uses without labels.

    by_name: all experiments; unlabeled: how many unlabeled images the data set has.
    """
    options = experiment["options"]
    if experiment["facts"]["unlabeled"] is None:
        return pool_text(by_name[experiment["base"]], by_name, unlabeled) if experiment["base"] else "none"
    drawn = min(unlabeled, *(options[name] for name in DRAWN if name in options), unlabeled)
    text = POOLS[options.get("unlabeled_pool", "unlabeled")].format(count(drawn))
    return f"{text}, and the training images" if options.get("labelled_in_pool") else text


def literature_groups(
    experiments: list[Values], curve: list[Values], published: list[Values], unlabeled: int
) -> list[Values]:
    """Return, for each method of which something is published, our rows and the published ones.

    experiments: of the study; curve: the rows of its curves of accuracy against labels; unlabeled: its unlabeled
    images. minutes: of one training of a network; None of what is no network.
    """
    groups, by_name = [], {row["name"]: row for row in experiments}
    for method in dict.fromkeys(row["method"] for row in experiments):
        theirs = [row for row in published if row["method"] == method]
        ours = [
            {
                "title": row["title"],
                "rows": our_rows(row, curve),
                "network": row["options"].get("network"),
                "minutes": row["training"]["minutes"] / row["training"]["runs"] if "training" in row else None,
                "pool": pool_text(row, by_name, unlabeled),
            }
            for row in representatives([row for row in experiments if row["method"] == method])
        ]
        groups += [{"ours": ours, "published": theirs}] if theirs else []
    return groups
