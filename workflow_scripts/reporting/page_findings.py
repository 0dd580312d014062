"""What the page says in sentences: the best experiment, whether unlabelled images helped, how far seeds differ."""

from reporting.answers import OTHERWISE, unlabeled_answers
from reporting.figures import best_on_validation
from reporting.page_rows import measured
from reporting.text import Values


def findings(experiments: list[Values]) -> Values:
    """Return what the sentences of a study are made of: see the functions below."""
    return {"best": best_on_validation(experiments), "help": help_values(experiments), "spread": spread(experiments)}


def help_values(experiments: list[Values]) -> Values | None:
    """Return what unlabelled images gain over the baselines that use them less; None without such a comparison.

    compared: comparisons of several runs that differ in nothing else, the only ones with a verdict; better, worse,
    undecided: how many of them are; single: comparisons of one run; otherwise: those that are also trained with other
    options; most: the one of the largest gain that is better, None without any.
    """
    answers = unlabeled_answers(experiments)
    if answers is None:
        return None
    counts = {name: answers["verdicts"][name] for name in ("better", "worse", "undecided")}
    better = [row for row in answers["rows"] if row["verdict"] == "better"]
    return {
        **counts,
        "compared": sum(counts.values()),
        "single": answers["verdicts"]["none"],
        "otherwise": answers["verdicts"][OTHERWISE],
        "most": max(better, key=lambda row: row["difference"], default=None),
    }


def spread(experiments: list[Values]) -> Values | None:
    """Return the experiment whose seeds differ most, with the standard deviation of their test accuracies.

    compared: how many experiments have several seeds with all labels; None without any.
    """
    rows = [
        {"short": row["short"], "runs": summary["runs"], "std": summary["test_accuracy_std"]}
        for row in experiments
        for summary in measured(row)
        if summary["protocol"] == "seeds" and summary["runs"] > 1
    ]
    most = max(rows, key=lambda row: row["std"], default=None)
    return most and most | {"compared": len(rows)}
