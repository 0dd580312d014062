"""What the report says of near copies between the splits of a study."""

from pathlib import Path

import pandas as pd

from reporting.text import Values
from semisup.dataset import SPLITS
from semisup.left_out import left_out_images
from semisup.tables import read_table


def split_row(counts: pd.DataFrame, split: str) -> Values:
    """Return the row of a split: its images, and how many have a near copy in each split; None: not looked for."""
    own = counts[counts["split"] == split].set_index("beside")
    found = own["with_copies"].to_dict()
    return {"split": split, "images": own["images"].iloc[0], "with_copies": {name: found.get(name) for name in SPLITS}}


def copies_values(folder: Path, images: Path) -> Values:
    """Return what the text says of the near copies of a study. images: path of its data set.

    rows: one for each split; of_test: how many test images have a near copy in each split; left_out: how many unlabeled
    images were left out, None where copies were to stay.
    """
    counts = read_table(folder / "near_copy_counts.csv")
    rows = [split_row(counts, split) for split in SPLITS]
    (of_test,) = (row["with_copies"] for row in rows if row["split"] == "test")
    return {
        "rows": rows,
        "of_test": of_test,
        "any_of_test": any(of_test.values()),
        "any": bool(counts["pairs"].any()),
        "left_out": left_out_images(images),
        "correlation": counts["least_correlation"].iloc[0],
    }


def copies_rows(studies: list[Values]) -> list[Values]:
    """Return the rows of all studies; only the first one of a study has its title and its correlation."""
    rows = []
    for study in studies:
        first, *others = study["copies"]["rows"]
        rows.append(first | {"study": study["title"], "correlation": study["copies"]["correlation"]})
        rows += [row | {"study": "", "correlation": ""} for row in others]
    return rows
