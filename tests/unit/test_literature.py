"""Our rows beside published ones: which experiments stand for a method, and what they use without labels."""

import pytest

from reporting.literature import literature_groups, our_rows, pool_text, representatives


def experiment(name, method="fixmatch", unlabeled="pseudo-labels", base=None, folds=None, validation=0.5, **options):
    seeds = {"labels": 4000, "runs": 3, "validation_accuracy_mean": validation}
    facts = {"name": name, "title": name, "method": method, "base": base, "options": options}
    return facts | {"facts": {"unlabeled": unlabeled}, "seeds": seeds, "folds": folds or {}}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (experiment("one", unlabeled=None), "none"),
        (experiment("one"), "20,000 of the data set"),
        (experiment("one", patch_images=10000), "10,000 of the data set"),
        (experiment("one", seed_patches=30000), "20,000 of the data set"),
        (experiment("one", unlabeled=None, base="views"), "500 of the data set"),
        (
            experiment("one", unlabeled_pool="hidden", labelled_in_pool=True, base="labels"),
            "labelled images that a run leaves, labels hidden, and the training images",
        ),
    ],
)
def test_images_without_labels(row, expected):
    """Those of a base count where the experiment has none of its own."""
    bases = (experiment("views", seed_patches=500), experiment("labels", unlabeled=None))
    assert pool_text(row, {other["name"]: other for other in bases}, 20000) == expected


def test_rows_are_those_of_the_curve_or_else_folds_and_seeds():
    row = experiment("one", folds={"labels": 1000, "runs": 10})
    assert [(line["labels"], line["kind"]) for line in our_rows(row, [])] == [(1000, "fold"), (4000, "seed")]
    curve = [
        {"name": name, "labels": labels, "protocol": protocol}
        for name, labels, protocol in (("one", 1000, "folds"), ("one", 250, "labels"), ("two", 250, "labels"))
    ]
    assert [(line["labels"], line["kind"]) for line in our_rows(row, curve)] == [(250, "seed"), (1000, "fold")]


def test_experiments_with_folds_stand_for_their_method_or_else_the_best_on_validation():
    rows = [experiment("a"), experiment("b", validation=0.7), experiment("c", validation=0.6)]
    assert [row["name"] for row in representatives(rows)] == ["b"]
    rows[0]["folds"] = {"labels": 1000, "runs": 10}
    assert [row["name"] for row in representatives(rows)] == ["a"]


def test_only_methods_with_published_rows_are_there():
    rows = [experiment("a", method="fixmatch"), experiment("b", method="kmeans")]
    published = [{"method": "kmeans", "labels": 1000}, {"method": "pixels", "labels": 1000}]
    (group,) = literature_groups(rows, [], published, 100)
    assert [row["title"] for row in group["ours"]] == ["b"]
    assert group["published"] == published[:1]
    assert group["ours"][0]["minutes"] is None, "no network"
