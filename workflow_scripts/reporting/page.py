"""What the page shows: of each study its findings, its tables, and a card for each experiment."""

import os
from pathlib import Path

from reporting.page_charts import chart_svg, history_chart
from reporting.page_findings import findings
from reporting.page_pictures import inline_svg, small_pictures
from reporting.page_rows import (
    best_layers,
    class_accuracies,
    class_confusions,
    compared_values,
    experiment_rows,
    image_counts,
    measured,
    option_rows,
    own_options,
    published_rows,
    runs_title,
    seconds_of,
    table_rows,
)
from reporting.questions import asked
from reporting.runs import seed_runs
from reporting.text import Values
from semisup.published import literature
from semisup.tables import read_table

Picture = tuple[str, str, str]  # study, kind, experiment


def link(path: Path, page: Path) -> str:
    """Return the path of a result as the page links it, which lies in a folder beside the studies."""
    return Path(os.path.relpath(path, page.parent)).as_posix()


def picture_files(studies: Values, results: Path) -> dict[Picture, Path]:
    """Return the file of every figure that the cards show, kind by kind. studies: the plans of all."""
    kinds = dict.fromkeys(kind for plan in studies.values() for kind in plan["figures"])
    return {
        (study, kind, name): results / study / "figures" / kind / f"{name}.png"
        for kind in kinds
        for study, plan in studies.items()
        for name in plan["experiments"]
        if name in plan["figures"].get(kind, [])
    }


def picture_values(files: dict[Picture, Path], page: Path) -> dict[Picture, Values]:
    """Return how the page shows each figure.

    data: the picture; None where it is left out for its size, and where it equals another one, which `same` names.
    file: the whole picture, as the page links it.
    """
    owners: dict[bytes, Picture] = {}
    same = {place: owners.setdefault(path.read_bytes(), place) for place, path in files.items()}
    data = small_pictures([files[place] for place in owners.values()])
    return {
        place: {
            "data": data.get(path) if same[place] == place else None,
            "same": None if same[place] == place else same[place],
            "file": link(path, page),
        }
        for place, path in files.items()
    }


def curve_values(row: Values, folder: Path) -> Values | None:
    """Return the learning curve of an experiment, its seeds together; None where its history has none.

    folder: of the study's results. kinds: of its lines; of: what the training learns from, where it is not that of
    the scores but comes before.
    """
    table = row["facts"]["network_history"] if row["network_file"] else "history.csv"
    runs = seed_runs(row["runs"])
    chart = history_chart([read_table(folder / row["name"] / run / table) for run in runs])
    if chart is None:
        return None
    before = row["facts"]["learns_from"] if table != "history.csv" else None
    return {"svg": chart_svg(chart), "kinds": chart.kinds, "runs": len(runs), "of": before}


def run_files(row: Values, folder: Path, page: Path) -> list[Values]:
    """Return the files and folders of the first run of an experiment that a reader looks for."""
    run = Path(row["name"]) / row["runs"][0]
    files = {"model": "model.h5"} if row["model"] else {}
    files |= {"scores": "scores.npz", "history": "history.csv", "choices": "selection.csv"}
    places = {words: folder / run / file for words, file in files.items()}
    places["logs"] = folder.parent / "logs" / folder.name / run
    return [{"words": words, "path": str(path), "file": link(path, page)} for words, path in places.items()]


def card_values(row: Values, by_name: dict[str, Values], plan: Values, folder: Path, page: Path) -> Values:
    """Return what the card of an experiment shows, beside pictures and classes.

    plan: of the study; folder: of its results. questions: of the paper, that the experiment answers.
    """
    questions = [question for question, fits in asked(list(by_name.values())).items() if fits(row)]
    baseline = by_name[row["baseline"]]
    return {
        **{key: row[key] for key in ("name", "short", "title", "method", "family", "facts", "seeds")},
        "figures": [kind for kind, names in plan["figures"].items() if row["name"] in names],
        "questions": questions,
        "summaries": [summary | {"title": runs_title(summary)} for summary in measured(row)],
        "base": by_name[row["base"]] if row["base"] else None,
        "baseline": None if baseline is row else baseline,
        "curve": curve_values(row, folder),
        "options": option_rows(row, baseline),
        "own_options": own_options(row, baseline),
        "target": str(folder / row["name"] / row["runs"][0] / "scores.npz"),
        "files": run_files(row, folder, page),
    }


def study_page(name: str, plan: Values, results: Path, timings: Path, published: Values, page: Path) -> Values:
    """Return what the page shows of one study. published: the content of report/published.yaml."""
    folder = results / name
    experiments = experiment_rows(plan, folder)
    by_name = {row["name"]: row for row in experiments}
    methods = {row["method"] for row in experiments}
    seconds = seconds_of(timings, name)
    classes = class_accuracies(folder / "per_class.csv")
    return {
        "name": name,
        **{key: plan[key] for key in ("title", "kind", "embedded", "about", "licence", "seeds")},
        "counts": image_counts(folder / "near_copy_counts.csv"),
        "findings": findings(experiments),
        "experiments": len(experiments),
        "forest": inline_svg(folder / "figures" / "forest.svg", f"forest-{name}", f"Forest plot of {plan['title']}"),
        "rows": table_rows(experiments, seconds),
        "published": published_rows(literature(published, plan["kind"]), methods),
        "cards": [card_values(row, by_name, plan, folder, page) for row in experiments],
        "classes": classes,
        "confusions": class_confusions(folder / "confusion.csv"),
        "best_layers": best_layers(folder / "clustering.csv"),
        "compared": {"experiments": compared_values(experiments, classes)},
        "seconds": sum(seconds.values()),
        "folder": link(folder, page),
    }
