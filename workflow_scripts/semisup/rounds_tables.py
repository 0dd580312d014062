"""The tables that rounds of pseudo-labels write."""

import argparse
import logging

import numpy as np

from semisup.pseudo_labels import Accepted, HeldOut
from semisup.rounds import Rounds
from semisup.tables import without_empty, write_table

OF_NETWORKS = ("train_loss", "train_accuracy", "images_per_second")  # columns that only networks fill


def write_round_tables(options: argparse.Namespace, rounds: Rounds) -> None:
    """Write history, selection, accepted and held-out images to the files that the options name; log a summary."""
    last = rounds.rows[-1]
    history = without_empty([row._asdict() for row in rounds.rows], set(last._fields) - set(OF_NETWORKS))
    write_table(options.history, history)
    chosen = [name for name in ("round", "train_accuracy", "validation_accuracy") if name in history[0]]
    write_table(
        options.selection,
        [{name: row[name] for name in chosen} | {"chosen": row is history[-1]} for row in history],
    )
    for path, rows, kind in (
        (options.accepted_table, rounds.accepted, Accepted),
        (options.held_out_table, rounds.held_out, HeldOut),
    ):
        write_table(path, [row._asdict() for row in rows], columns=list(kind._fields))
    speeds = [row.images_per_second for row in rounds.rows if row.images_per_second is not None]
    logging.info(
        "last round: validation accuracy %.4f%s, peak memory %.2f GiB",
        last.validation_accuracy,
        f", {np.mean(speeds):.0f} images/s" if speeds else "",
        last.peak_memory_gib,
    )
