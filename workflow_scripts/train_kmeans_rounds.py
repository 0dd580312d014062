"""Fit a support vector machine on k-means features in rounds, with more unlabelled images that it labels each time."""

import argparse
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import h5py
import numpy as np
import torch

from declarations.command_line import add_options
from methods.rounds import Rounds
from semisup.checkpoints import locked_checkpoint, new_fingerprint
from semisup.cli import UserError, peak_memory_gib, run_program
from semisup.dataset import image_count, image_shape, read_class_names, read_labelled, run_rows
from semisup.device import leased_device
from semisup.dictionary import read_labelled_features
from semisup.features import feature_blocks, on_device
from semisup.hdf5 import open_hdf5, read_rows
from semisup.kmeans_files import KMeansModel, read_model, write_model
from semisup.model_files import model_kind
from semisup.model_format import about_model
from semisup.models.kmeans import image_shape as model_shape
from semisup.pseudo_labels import draw_candidates, rule_of, split_held_out
from semisup.rounds import RoundFit, Setting, run_rounds
from semisup.rounds_tables import write_round_tables
from semisup.run_options import (
    add_checkpoint_options,
    add_output_options,
    add_round_tables,
    add_run_options,
    result_options,
)
from semisup.scores import write_scores
from semisup.svm import DualModel, LinearModel, feature_products, fit_svm, linear_model, standardize, svm_scores
from semisup.tables import read_table

BLOCK = 128  # images


class SvmRounds:
    """A support vector machine that takes part in rounds; see semisup.rounds.Classifier.

    The Gram matrix of the images so far is kept: a round adds the rows and columns of its new images, and the solver
    starts from the solution of the round before.
    """

    def __init__(
        self,
        model: KMeansModel,
        c: float,
        labelled: np.ndarray,
        labels: np.ndarray,
        train: np.ndarray,
        unlabeled: h5py.Dataset,
        device: torch.device,
    ) -> None:
        """Take the base's model and C; features float32 (N, F), labels (N,) and train rows of the labelled set."""
        self.model = model
        self.dictionary = on_device(model.dictionary, device)
        self.c = c
        self.labelled = standardize(labelled, model.scaling)
        self.labels = labels
        self.train = train
        self.unlabeled = unlabeled
        self.svm = model.svm
        self.features = self.labelled[train]
        self.gram = feature_products(self.features, self.features, self.c)
        self.sizes: list[int] = []  # images that each round has added
        self.dual: DualModel | None = None

    def fit(self, number: int, images: np.ndarray, labels: np.ndarray) -> RoundFit:
        """Fit to the labelled images and these, starting from the last solution."""
        self._add(self._unlabeled_features(images[sum(self.sizes) :]))
        targets = np.concatenate([self.labels[self.train], labels])
        self.dual, _ = fit_svm(
            self.gram, targets, len(self.model.class_names), self.c, _longer(self.dual, len(self.gram))
        )
        self.svm = linear_model(self.features, self.dual)
        return RoundFit()

    def labelled_scores(self, rows: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) scores of rows of the labelled set."""
        return svm_scores(self.labelled[rows], self.svm)

    def unlabeled_scores(self, rows: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) scores of rows of the unlabeled images."""
        return svm_scores(self._unlabeled_features(rows), self.svm)

    def accepted_scores(self, images: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) scores of the images of the last fit."""
        return svm_scores(self.features[len(self.train) :][: len(images)], self.svm)

    def peak_memory_gib(self) -> float:
        """Return the most memory held so far, in GiB."""
        return peak_memory_gib()

    def checkpointed(self) -> None:
        """Nothing becomes possible."""

    def state_dict(self) -> dict[str, Any]:
        """Return the features of the accepted images, and the solution."""
        state: dict[str, Any] = {
            "sizes": self.sizes,
            "features": torch.from_numpy(self.features[len(self.train) :].copy()),
            "svm": [torch.from_numpy(part) for part in self.svm],
        }
        return state | {"dual": [torch.from_numpy(part) for part in self.dual] if self.dual else None}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Add the images round by round, as before: the Gram matrix then has the same bits."""
        features = state["features"].numpy()
        for size, end in zip(state["sizes"], np.cumsum(state["sizes"]), strict=True):
            self._add(features[end - size : end])
        self.svm = LinearModel(*(part.numpy() for part in state["svm"]))
        self.dual = DualModel(*(part.numpy() for part in state["dual"])) if state["dual"] else None

    def _add(self, features: np.ndarray) -> None:
        """Add images to the Gram matrix; features: float32 (n, F), standardised."""
        across = feature_products(self.features, features, self.c)
        self.gram = np.block([[self.gram, across], [across.T, feature_products(features, features, self.c)]])
        self.features = np.concatenate([self.features, features])
        self.sizes.append(len(features))

    def _unlabeled_features(self, rows: np.ndarray) -> np.ndarray:
        """Return the standardised features of unlabeled images, float32 (n, F)."""
        if not len(rows):
            return np.zeros((0, self.features.shape[1]), np.float32)
        blocks = feature_blocks(_image_blocks(self.unlabeled, rows), self.dictionary, self.model.stride)
        return standardize(np.concatenate(list(blocks)), self.model.scaling)


def _longer(dual: DualModel | None, count: int) -> DualModel | None:
    """Return the dual model with coefficients of zero for new images, so that it has `count`."""
    if dual is None:
        return None
    missing = count - len(dual.coefficients)
    return dual._replace(coefficients=np.pad(dual.coefficients, ((0, missing), (0, 0))))


def _image_blocks(images: h5py.Dataset, rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), BLOCK):
        yield read_rows(images, rows[start : start + BLOCK])


def read_base(path: str, images: str, features: np.ndarray) -> KMeansModel:
    """Read the model that the rounds begin with; features: of the labelled set, float32 (N, F), as it sees them.

    Raises UserError if it is of another method, or not for these images and features.
    """
    kind = model_kind(path)
    if kind != "kmeans":
        raise UserError(
            f"{path} is a model of the kind {kind}, not of k-means: give the model.h5 of a kmeans experiment"
        )
    model = read_model(path)
    of_data = read_class_names(images), image_shape(images)[0], (len(read_labelled(images)), len(model.scaling.mean))
    if of_data != (model.class_names, model_shape(model)[0], features.shape):
        raise UserError(
            f"{path} or the features are not of the data set {images}: give those of an experiment of the same study"
        )
    return model


def chosen_c(path: str) -> float:
    """Return the C that the base has chosen. Raises UserError if the table has none."""
    table = read_table(path)
    if not {"c", "chosen"} <= set(table) or not table["chosen"].any():
        raise UserError(f"{path} names no chosen C: give the selection.csv of a kmeans experiment")
    return float(table.loc[table["chosen"], "c"].iloc[0])


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, run the rounds, and write model, scores and tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, Rounds)
    parser.add_argument("--features", required=True, help="features of the base's run (HDF5)")
    parser.add_argument("--base-model", required=True, help="model of the base's run (HDF5)")
    parser.add_argument("--base-selection", required=True, help="table in which the base's run has chosen C (CSV)")
    add_run_options(parser)
    add_checkpoint_options(parser)
    add_output_options(parser)
    add_round_tables(parser)
    options = parser.parse_args(arguments)

    available = image_count(options.images, "unlabeled")
    candidates = draw_candidates(available, options.rounds, options.candidates, options.seed)
    labels, classes = read_labelled(options.images), len(read_class_names(options.images))
    train, validation = run_rows(options.images, options.run)
    validation, held_out = split_held_out(validation, labels, options.held_out, options.seed)
    features = read_labelled_features(options.features)
    model, c = read_base(options.base_model, options.images, features), chosen_c(options.base_selection)
    setting = Setting(
        rule=rule_of(options),
        relabel=options.relabel,
        calibrate=True,
        candidates=candidates,
        validation=validation,
        held_out=held_out,
        labels=labels,
        labelled=len(train),
        classes=classes,
    )
    with open_hdf5(options.images) as file:
        pixels = _image_blocks(file["unlabeled/images"], np.sort(candidates, axis=None))
        learned = [*model.dictionary[-3:], *model.scaling, *model.svm]
        fingerprint = new_fingerprint(
            result_options(options, Rounds) | {"c": c, "stride": model.stride},
            chain([features, labels, train], map(np.asarray, learned), pixels),
            options.code,
        )
    with (
        locked_checkpoint(options.checkpoint, fingerprint, options.checkpoint_seconds) as checkpoint,
        leased_device(options.gpu) as device,
        open_hdf5(options.images) as images,
        open_hdf5(options.features) as base,
    ):
        classifier = SvmRounds(model, c, features, labels, train, images["unlabeled/images"], device)
        rounds = run_rounds(classifier, setting, checkpoint)
        test = svm_scores(standardize(base["test"][:], model.scaling), classifier.svm)
    scores = classifier.labelled_scores(validation)
    write_scores(options.scores, scores, validation, test)
    about = about_model(options.images, options.run, validation, scores)
    write_model(options.model, model._replace(svm=classifier.svm), about)
    write_round_tables(options, rounds)


if __name__ == "__main__":
    run_program(main)
