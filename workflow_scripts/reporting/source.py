"""What the source of the study prints: what arithmetic says of it, and its numbers beside our own."""

import pandas as pd

from reporting.text import Values, count


def source_values(published: Values, studies: list[Values]) -> Values:
    """Return what the text says of the source's tables and settings."""
    homework = published["homework"]
    return {
        "source_table": source_table_facts(published["solver_table"], studies),
        "seed_setting": seed_setting(published["seed_setting"]),
        "source_rounds": source_rounds(published["pseudo_label_rounds"]),
        "source_copies": homework["augmented_images"] // homework["images"],
    }


def attainable(value: float, images: int) -> bool:
    """Say whether some whole number of right answers out of `images` is `value` per cent, to two decimals."""
    nearest = round(value * images / 100)
    return any(round(100 * right / images, 2) == value for right in (nearest - 1, nearest, nearest + 1))


def source_table_facts(table: Values, studies: list[Values]) -> Values:
    """Return what arithmetic says of the published table of solver iterations, and the study it stands beside."""
    train = sorted({row["train"] for row in table["rows"]})
    fits = {size: all(attainable(value, size) for value in train) for size in table["other_counts"]}
    impossible = {
        size: [f"{value:.2f}" for value in train if not attainable(value, size)] for size in table["stl10_counts"]
    }
    equal_last_rows = sum(
        (row["train"], row["test"]) == (table["rows"][-1]["train"], table["rows"][-1]["test"]) for row in table["rows"]
    )
    beside = [
        (study, study["followed"][0]) for study in studies if study["kind"] == table["data_set"] and study["followed"]
    ]
    place = {"study": None}
    if beside:
        study, experiment = beside[0]
        ours = experiment["solver"][-1]["test_accuracy"]
        place = {"study": study["name"], "experiment": experiment["name"], "ours": ours}
    return {
        **place,
        "impossible": [{"count": size, "percents": values} for size, values in impossible.items() if values],
        "equal_last_rows": equal_last_rows,
        "last_test": f"{table['rows'][-1]['test']:.2f}",
        "fitting_counts": [count(size) for size, fit in fits.items() if fit],
        "inverted_rows": sum(row["test"] > row["train"] for row in table["rows"]),
        "rows": len(table["rows"]),
    }


def solver_rows(table: pd.DataFrame, experiment: str, published: Values) -> list[Values]:
    """Return the mean accuracies by steps, the exact solution last, beside what the source prints."""
    means = table[table["experiment"] == experiment].groupby("steps").mean(numeric_only=True)
    printed = {row["steps"]: row for row in published["rows"]}
    rows = []
    for steps in [*means.index[means.index > 0], 0]:
        source = printed.get(steps)
        rows.append(
            {
                "steps": steps,
                **means.loc[steps].to_dict(),
                "source_train": f"{source['train']:.2f}" if source else "--",
                "source_test": f"{source['test']:.2f}" if source else "--",
            }
        )
    return rows


def seed_setting(setting: Values) -> Values:
    """Return how many patches the source's setting gives, by the right reading of its gap and by the wrong one."""
    span = setting["image_size"] - setting["patch_size"]
    stride = setting["patch_size"] + setting["gap"]
    patches, misread = ((span // step + 1) ** 2 for step in (stride, setting["gap"]))
    return setting | {"stride": stride, "patches": patches, "misread_patches": misread}


def source_rounds(setting: Values) -> Values:
    """Return how many rounds and epochs the source's pseudo-labels take from its first to its last training set."""
    rounds = (setting["end"] - setting["start"]) // setting["accepted"]
    return setting | {
        "rounds": rounds,
        "all_epochs": rounds * setting["epochs"],
        "all_candidates": rounds * setting["candidates"],
    }
