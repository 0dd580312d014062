"""The runs of an experiment, and what they have chosen."""

from pathlib import Path

from reporting.text import Values, short
from semisup.tables import read_table


def seed_runs(runs: list[str]) -> list[str]:
    """Return the runs that are seeds."""
    return [run for run in runs if run.startswith("seed")]


def chosen_settings(folder: Path, runs: list[str], names: dict[str, str]) -> Values:
    """Return what the seeds' runs have chosen, and which of it lies at the edge of several candidates.

    names: column of selection.csv -> its name in the text.
    """
    chosen: Values = {key: [] for key in names}
    edge = set()
    for run in seed_runs(runs):
        table = read_table(folder / run / "selection.csv")
        best = table[table["chosen"]].iloc[0]
        for key, name in names.items():
            chosen[key].append(short(best[key]))
            candidates = table[key].unique()
            if len(candidates) > 1 and best[key] in (candidates.min(), candidates.max()):
                edge.add(name)
    return {"chosen": chosen, "edge": sorted(edge)}
