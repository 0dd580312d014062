"""What the page says in sentences: the best experiment, whether unlabelled images helped, how far seeds differ."""

from reporting.answers import different_options, unlabeled_answers
from reporting.figures import best_on_validation
from reporting.page_rows import measured
from reporting.text import Values


def findings(experiments: list[Values]) -> Values:
    """Return what the sentences of a study are made of: see the functions below."""
    return {"best": best_on_validation(experiments), "help": help_values(experiments), "spread": spread(experiments)}


def help_values(experiments: list[Values]) -> Values | None:
    """Return what unlabelled images gain over the baselines that use them less; None without such a comparison.

    compared: comparisons of several runs, the only ones with a verdict; single: comparisons of one run; better, worse,
    undecided: how many of those compared are; most: the one of the largest gain that is better, None without any;
    otherwise: how many of those that are better are also trained with other options than their baseline.
    """
    answers = unlabeled_answers(experiments)
    if answers is None:
        return None
    judged = [row for row in answers["rows"] if row["verdict"] != "none"]
    better = [row for row in judged if row["verdict"] == "better"]
    by_title = {row["title"]: row for row in experiments}
    return {
        "compared": len(judged),
        "single": len(answers["rows"]) - len(judged),
        **{name: answers["verdicts"][name] for name in ("better", "worse", "undecided")},
        "most": max(better, key=lambda row: row["difference"], default=None),
        "otherwise": sum(_otherwise(by_title[row["title"]], by_title[row["baseline"]]) for row in better),
    }


def _otherwise(row: Values, baseline: Values) -> bool:
    """Tell whether both train a network on labels, epoch by epoch, and with different options."""
    alike = all(one["facts"]["training_curves"] for one in (row, baseline))
    return alike and bool(different_options(row, baseline))


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
