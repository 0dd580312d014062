"""Did the unlabeled images help? What pretraining without labels gains, and what unlabeled images gain in any way."""

from reporting.comparisons import verdict
from reporting.facts import on_labels_alone, without_labels
from reporting.rounds import ACCEPTANCE, fewer_steps
from reporting.text import Values, code, emphasized, listed, with_interval, with_points
from semisup.comparability import RUNS, adds_unlabeled, different_options, not_comparable, otherwise, unlabeled_uses
from semisup.run_names import COMPARED

OTHERWISE = "not comparable"  # the verdict where more differs than the unlabeled images
LONGER = 1.5  # times as many training images as the baseline, or 1 / LONGER: worth a sentence


def is_pretrained(row: Values, by_name: dict[str, Values]) -> bool:
    """Tell whether an experiment trains on labels alone, from a network that was learned without any."""
    base = by_name.get(row["base"])
    return on_labels_alone(row) and base is not None and without_labels(base) and base["network_file"] is not None


def pretraining_answers(experiments: list[Values]) -> list[Values]:
    """Return what each network that was pretrained without labels gains over the same network from random weights.

    Only experiments whose baseline is that network are answered for. alike: it is also trained in the same way.
    """
    by_name = {row["name"]: row for row in experiments}
    answers = []
    for row in experiments:
        twin = by_name[row["baseline"]]
        if not is_pretrained(row, by_name) or not on_labels_alone(twin) or twin["base"]:
            continue
        if twin["options"].get("network") != row["options"].get("network"):
            continue
        results = [
            {"runs_name": protocol, "verdict": verdict(row[protocol]), **row[protocol]}
            for protocol in COMPARED
            if "difference" in row[protocol]
        ]
        answers.append(
            {
                "title": row["title"],
                "base": by_name[row["base"]]["title"],
                "twin": twin["title"],
                "alike": not different_options(row, twin),
                "epochs": twin["options"]["epochs"],
                "results": results,
            }
        )
    return [answer for answer in answers if answer["results"]]


def times_as_many_images(row: Values, by_name: dict[str, Values]) -> float | None:
    """Return how many times as many images an experiment's network is trained on as that of its baseline."""
    totals = []
    for one in (row, by_name[row["baseline"]]):
        images = one.get("training", {}).get("images")
        if images is None:
            return None
        goes_on = one["facts"]["in_rounds"] and not one["options"]["restart"]
        totals.append(images + (by_name[one["base"]]["training"]["images"] or 0 if goes_on else 0))
    return totals[0] / totals[1]


def unlabeled_answers(experiments: list[Values]) -> Values | None:
    """Return what unlabeled images gain: each experiment that uses them against a baseline that does so less.

    rows: one for each experiment and kind of run; groups: for each kind of run a sentence of those that are better,
    worse and undecided; verdicts: how many rows are, and how many have none; most: the largest gain that can be
    claimed; longer, shorter: experiments that are also
    trained on more or on fewer images; otherwise: those that are also trained with other options; controls: what rounds
    gain over a control; elsewhere: names of those whose baseline uses unlabeled images in a way of its own, which so
    answer another question; remarks: whether any of this is to be said. Nothing if there is no such comparison.
    """
    by_name = {row["name"]: row for row in experiments}
    apart = not_comparable(by_name)
    rows, elsewhere, answering = [], [], []
    for row in experiments:
        uses, of_baseline = (unlabeled_uses(one, by_name) for one in (row, by_name[row["baseline"]]))
        compared = [protocol for protocol in COMPARED if "difference" in row[protocol]]
        if not uses or not compared:
            continue
        if not adds_unlabeled(row, by_name):
            elsewhere += [emphasized(row["title"])] if of_baseline != uses else []
            continue
        rows += [
            {
                "title": row["title"],
                "baseline": by_name[row["baseline"]]["title"],
                "first": protocol == compared[0],
                "runs_name": protocol,
                "verdict": OTHERWISE if row["name"] in apart else verdict(row[protocol]),
                **row[protocol],
            }
            for protocol in compared
        ]
        answering.append(row)
    groups = [answer_group([row for row in rows if row["runs_name"] == protocol]) for protocol in COMPARED]
    names = ("better", "worse", "undecided", "none", OTHERWISE)
    verdicts = {name: sum(row["verdict"] == name for row in rows) for name in names}
    answers = {"rows": rows, "groups": [group for group in groups if group], "verdicts": verdicts}
    reservations = {
        "most": largest_gain(rows),
        **training_lengths(answering, by_name),
        "otherwise": otherwise_trained(answering, by_name),
        "controls": control_differences(answering, experiments),
        "elsewhere": elsewhere,
    }
    remarks = any([*reservations.values(), *answers["groups"]])
    return answers | reservations | {"remarks": remarks} if rows else None


def largest_gain(rows: list[Values]) -> str | None:
    """Return the row with the largest gain of those that are better, with its interval; None if none is."""
    better = [row for row in rows if row["verdict"] == "better"]
    best = max(better, key=lambda row: row["difference"], default=None)
    return with_interval(best["title"], best) if best else None


def training_lengths(rows: list[Values], by_name: dict[str, Values]) -> dict[str, list[str]]:
    """Return which experiments are trained on far more images than their baselines, and which on far fewer."""
    times = [(emphasized(row["title"]), times_as_many_images(row, by_name)) for row in rows]
    known = [(title, value) for title, value in times if value is not None]
    return {
        "longer": [f"{title} ({value:.1f} times)" for title, value in known if value >= LONGER],
        "shorter": [f"{title} ({value:.2g} times)" for title, value in known if value <= 1 / LONGER],
    }


def otherwise_trained(rows: list[Values], by_name: dict[str, Values]) -> list[str]:
    """Return the experiments trained on labels with other options than their baselines, by the options that differ."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        different = otherwise(row, by_name)
        if different:
            groups.setdefault(tuple(different), []).append(emphasized(row["title"]))
    return [f"{listed(titles)} ({', '.join(map(code, different))})" for different, titles in groups.items()]


def control_differences(rows: list[Values], experiments: list[Values]) -> list[Values]:
    """Return by how much the test accuracies of rounds differ from those of the control beside them, means of seeds.

    A control is beside them if it has the same base and is trained alike; title: the control's; differences: of each;
    steps: whether the control takes fewer. What has the control as its baseline has an interval too, and is left out.
    """
    controls = [row for row in experiments if row["facts"]["in_rounds"] and row.get("control")]
    answers = []
    for control in controls:
        beside = [
            row
            for row in rows
            if (row["method"], row["base"]) == (control["method"], control["base"])
            and row["baseline"] != control["name"]
            and not different_options(row, control, (*ACCEPTANCE, *RUNS))
        ]
        gains = [row["seeds"]["test_accuracy_mean"] - control["seeds"]["test_accuracy_mean"] for row in beside]
        differences = [with_points(row["title"], gain) for row, gain in zip(beside, gains, strict=True)]
        if differences:
            answers.append({"title": control["title"], "steps": fewer_steps(control), "differences": differences})
    return answers


def answer_group(rows: list[Values]) -> Values:
    """Return what the comparisons of one kind of run say together, in a sentence without its end.

    Nothing if there are none, or none of several runs.
    """
    rows = [row for row in rows if row["verdict"] not in ("none", OTHERWISE)]
    titles: dict[str, list[str]] = {"better": [], "worse": [], "undecided": []}
    for row in rows:
        titles[row["verdict"]].append(emphasized(row["title"]))
    parts = []
    if titles["better"]:
        parts.append(f"unlabelled images helped {listed(titles['better'])}")
    if titles["worse"]:
        parts.append(f"{'they' if parts else 'unlabelled images'} did harm to {listed(titles['worse'])}")
    if titles["undecided"]:
        images = "they" if parts else "unlabelled images"
        parts.append(f"it cannot be said whether {images} helped {listed(titles['undecided'])}")
    first = rows[0] if rows else {}
    return {"labels": first["labels"], "runs_name": first["runs_name"], "sentence": "; ".join(parts)} if rows else {}
