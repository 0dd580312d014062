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

    compared: comparisons with a verdict, which are of several runs that differ in the unlabelled images alone; better,
    worse, undecided: how many of them are; most: the one of the largest gain that is better, None without any; single:
    comparisons of one run; otherwise: those that are also trained with other options than their baseline.
    """
    answers = unlabeled_answers(experiments)
    if answers is None:
        return None
    verdicts = answers["verdicts"]
    better = [row for row in answers["rows"] if row["verdict"] == "better"]
    judged = ("better", "worse", "undecided")
    return {
        "compared": sum(verdicts[name] for name in judged),
        **{name: verdicts[name] for name in judged},
        "single": verdicts["none"],
        "otherwise": verdicts[OTHERWISE],
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
