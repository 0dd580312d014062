"""What the source documents claim, and what became of it: reproduced, contradicted, or why neither can be said."""

from collections.abc import Iterable, Iterator

from reporting.augmentation import changed_alone
from reporting.comparisons import verdict
from reporting.text import Values, percent, points

# By the verdict on a difference, for a claim that there is a gain, and for one that there is none.
GAIN = {"better": "reproduced", "worse": "contradicted", "undecided": "undecided", "none": "one run"}
NO_GAIN = {"better": "contradicted", "worse": "reproduced", "undecided": "undecided", "none": "one run"}
NOT_TESTED = "not testable"


def claim(document: str, text: str, outcome: str, found: str) -> Values:
    """Return a row of the table: who claims what, what became of it, and the number that says so."""
    return {"document": document, "text": text, "outcome": outcome, "found": found}


def difference_found(row: Values) -> tuple[str, str]:
    """Return the verdict on an experiment and its difference with the interval; of the protocol with more runs."""
    summaries = [row[protocol] for protocol in ("folds", "seeds") if "difference" in row[protocol]]
    summary = max(summaries, key=lambda part: part["difference_runs"])
    value, low, high = (points(summary[f"difference{key}"]) for key in ("", "_low", "_high"))
    return verdict(summary), rf"\emph{{{row['title']}}}: {value} [{low}, {high}]"


def of_difference(document: str, text: str, rows: Iterable[Values], outcomes: dict[str, str]) -> Values:
    """Return a claim that the difference of an experiment decides, the first of those that have one."""
    row = next((row for row in rows if any("difference" in row[protocol] for protocol in ("seeds", "folds"))), None)
    if row is None:
        return claim(document, text, NOT_TESTED, "no such experiment on these data in this report")
    decided, found = difference_found(row)
    return claim(document, text, outcomes[decided], f"{found} points")


def experiments_on(studies: list[Values], kind: str) -> Iterator[Values]:
    """Yield the experiments of all studies on a kind of data set."""
    for study in studies:
        if study["kind"] == kind:
            yield from study["experiments"]


def solver_claim(table: Values) -> Values:
    """Return the claim of the table of solver iterations. table: as of `source.source_table_facts`."""
    text = f"k-means features reach {table['last_test']} per cent on the test images of STL-10"
    if table["study"] is None:
        return claim("report", text, NOT_TESTED, "no such experiment on these data in this report")
    return claim("report", text, "contradicted", rf"{percent(table['ours'])}\,\%")


def claims(studies: list[Values], source_table: Values, seed_setting: Values, theory: Values) -> list[Values]:
    """Return the claims of the source documents in the order of the documents."""
    stl10 = list(experiments_on(studies, "stl10"))
    mnist = list(experiments_on(studies, "mnist"))
    rounds = [row for row in stl10 if row["method"] == "pseudo_label_rounds" and not row["control"]]
    copied = [row for row in mnist if row["facts"]["training_curves"] and changed_alone(row, mnist)]
    loss = [row for row in mnist if row["method"] == "pseudo_label_loss"]
    given, patches = seed_setting["patch_size"], seed_setting["patches"]
    found = [
        claim(
            "report",
            f"patches of {given} pixels with gap {seed_setting['gap']} are {patches} in an image",
            "reproduced",
            f"stride {seed_setting['stride']}: {patches}",
        ),
        solver_claim(source_table),
        of_difference("report", "pseudo-labels in rounds do not help", rounds, NO_GAIN),
        claim("report", "most centroids are sharp edges and blobs of colour", NOT_TESTED, "no measure is named"),
        claim("report", "surrogate classes as a method", NOT_TESTED, "no accuracy is given"),
        of_difference("homework", "augmentation by copies raises the accuracy slightly", copied, GAIN),
        of_difference("homework", "pseudo-labels in the loss raise the accuracy", loss, GAIN),
    ]
    if theory["derivations"]:
        wrong = len(theory["derivations"]["errors"])
        listed = rf"{wrong} are wrong: Table~\ref{{tab:errors}}"
        found.append(claim("all", "the formulas as printed", "contradicted in part", listed))
    return found
