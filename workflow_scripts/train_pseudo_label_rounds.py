"""Continue to train a network in rounds, with more unlabelled images that it labels itself each time."""

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from declarations.command_line import add_options
from methods.rounds import PseudoLabelRoundsTraining
from semisup.augmentation import Augment, augment_function
from semisup.checkpoints import Checkpoint, locked_checkpoint, new_fingerprint
from semisup.cli import run_program
from semisup.dataset import image_count
from semisup.device import keep_freed_memory, leased_device
from semisup.hdf5 import open_hdf5
from semisup.labelled_loss import Examples, LabelledLoss, accuracy_on
from semisup.network import SCORING_BATCH, Network, network_scores
from semisup.network_run import (
    LabelledRun,
    add_files_and_device,
    decisive_weights,
    random_network,
    read_base,
    read_run,
    write_network_run,
)
from semisup.pseudo_labels import draw_candidates, rule_of, split_held_out
from semisup.rounds import RoundFit, Setting, run_rounds
from semisup.rounds_tables import write_round_tables
from semisup.run_options import add_round_tables, result_options
from semisup.scaling import scale_all
from semisup.training import Recipe, device_peak_gib, train_network
from semisup.training_options import augmentation_of, recipe_of


class Pool(NamedTuple):
    """All images that the rounds may look at: uint8 (M, C, H, W), the labelled set and behind it the candidates.

    labelled: how many are labelled; candidates: int64, increasing, the rows of the others among the unlabeled images.
    """

    images: torch.Tensor
    labelled: int
    candidates: np.ndarray

    def positions(self, rows: np.ndarray) -> np.ndarray:
        """Return where rows of the unlabeled images lie in the pool."""
        return self.labelled + np.searchsorted(self.candidates, rows)


@dataclass
class NetworkRounds:
    """A network that takes part in rounds; see semisup.rounds.Classifier.

    validation: int64, the labelled rows that choose. alternate_flips: `augment` mirrors nothing, the loss does.
    """

    network: Network
    pool: Pool
    run: LabelledRun
    validation: np.ndarray
    recipe: Recipe
    augment: Augment
    alternate_flips: bool
    average_flips: bool
    restart: bool
    seed: int
    checkpoint: Checkpoint

    def fit(self, number: int, images: np.ndarray, labels: np.ndarray) -> RoundFit:
        """Train on the labelled images and these, from the weights of the round before or from random ones."""
        device = self.pool.images.device
        seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
        if self.restart:
            self.network = random_network(self.network.shape, self.run, seed).to(device)
        rows = np.concatenate([self.run.train, self.pool.positions(images)])
        labels = np.concatenate([self.run.labels[self.run.train], labels])
        train, validation = (
            Examples(self.pool.images, *(torch.from_numpy(part).to(device) for part in pair))
            for pair in ((labels, rows), (self.run.labels[self.validation], self.validation))
        )
        weights = decisive_weights(self.network)
        outer = self.checkpoint.fingerprint
        options = {"round": number, "images": outer["data"]}
        fingerprint = outer | new_fingerprint(options, [rows, labels, *weights], outer["code"])
        folder = self.checkpoint.folder / f"round-{number}"
        with locked_checkpoint(folder, fingerprint, self.checkpoint.seconds) as inner:
            loss = LabelledLoss(train, self.augment, self.recipe, flip_seed=seed if self.alternate_flips else None)
            measure = accuracy_on(validation, self.recipe.precision)
            history = train_network(self.network, [loss], measure, self.recipe, seed, inner)
        return RoundFit(
            history[-1].train_loss,
            history[-1].train_accuracy,
            float(np.mean([row.images_per_second for row in history])),
        )

    def labelled_scores(self, rows: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) scores of rows of the labelled set."""
        images = self.pool.images
        blocks = torch.from_numpy(rows).to(images.device).split(SCORING_BATCH)  # never a copy of all these images
        scores = [
            network_scores(self.network, images[block], self.recipe.precision, self.average_flips, images.device)
            for block in blocks
        ]
        return np.concatenate(scores)

    def unlabeled_scores(self, rows: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) scores of rows of the unlabeled images."""
        return self.labelled_scores(self.pool.positions(rows))

    accepted_scores = unlabeled_scores

    def peak_memory_gib(self) -> float:
        """Return the most memory held so far, in GiB."""
        return device_peak_gib(self.pool.images.device)

    def checkpointed(self) -> None:
        """Delete the checkpoints of the trainings of the rounds so far."""
        for folder in self.checkpoint.folder.glob("round-*"):
            shutil.rmtree(folder)

    def state_dict(self) -> dict[str, Any]:
        """Return the weights."""
        return self.network.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the weights."""
        self.network.load_state_dict(state)


def read_candidates(path: str, run: LabelledRun, candidates: np.ndarray) -> Pool:
    """Read the images of the labelled set and of all candidates, uint8, once."""
    rows = np.sort(candidates, axis=None)
    images = np.empty((len(run.images) + len(rows), *run.images.shape[1:]), np.uint8)
    images[: len(run.images)] = run.images
    with open_hdf5(path) as file:
        for position, row in enumerate(rows, start=len(run.images)):
            images[position] = scale_all(file["unlabeled/images"][row : row + 1], images.shape[-1])[0]
    return Pool(torch.from_numpy(images), len(run.images), rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, run the rounds, and write model, scores and tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, PseudoLabelRoundsTraining)
    parser.add_argument("--base-model", required=True, help="network that the first round begins with (HDF5)")
    add_files_and_device(parser)
    add_round_tables(parser)
    options = parser.parse_args(arguments)
    keep_freed_memory()

    available = image_count(options.images, "unlabeled")
    candidates = draw_candidates(available, options.rounds, options.candidates, options.seed)
    run = read_run(options.images, options.run, options.image_size)
    validation, held_out = split_held_out(run.validation, run.labels, options.held_out, options.seed)
    base = read_base(options.base_model, run)
    pool = read_candidates(options.images, run, candidates)
    setting = Setting(
        rule=rule_of(options),
        relabel=options.relabel,
        calibrate=False,
        candidates=candidates,
        validation=validation,
        held_out=held_out,
        labels=run.labels,
        labelled=len(run.train),
        classes=len(run.class_names),
    )
    recipe = recipe_of(options)
    random_flips = options.flip and not options.alternate_flips
    fingerprint = new_fingerprint(
        result_options(options, PseudoLabelRoundsTraining) | {"average_flips": base.average_flips},
        [pool.images.numpy(), run.labels, run.train, *(value.numpy() for value in base.network.state_dict().values())],
        options.code,
    )
    with (
        locked_checkpoint(options.checkpoint, fingerprint, options.checkpoint_seconds) as checkpoint,
        leased_device(options.gpu) as device,
    ):
        classifier = NetworkRounds(
            base.network.to(device),
            pool._replace(images=pool.images.to(device)),
            run,
            validation,
            recipe,
            augment_function(augmentation_of(options)._replace(flip=random_flips), base.network.shape.size),
            options.flip and options.alternate_flips,
            base.average_flips,
            options.restart,
            options.seed,
            checkpoint,
        )
        rounds = run_rounds(classifier, setting, checkpoint)
        write_network_run(options, validation, run, classifier.network, base.average_flips, device)
    write_round_tables(options, rounds)


if __name__ == "__main__":
    run_program(main)
