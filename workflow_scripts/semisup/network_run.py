"""What the programs that train a network on a run's labels share: options, data, and the files they write."""

import argparse
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from declarations.options import Options
from semisup.augmentation import Augment, augment_function
from semisup.checkpoints import locked_checkpoint, new_fingerprint
from semisup.cli import UserError
from semisup.copies import changed_copies
from semisup.dataset import read_class_names, read_images, read_labelled, resolved_size, run_rows
from semisup.device import computed_on, keep_freed_memory, leased_device
from semisup.first_layer import learn_first_layer
from semisup.labelled_loss import Examples, LabelledLoss, accuracy_on
from semisup.model_files import model_kind
from semisup.model_format import about_model
from semisup.models.network import NetworkModel, read_model, write_model
from semisup.network import (
    Network,
    Shape,
    first_convolution,
    network_scores,
    new_network,
    set_normalization,
)
from semisup.run_options import add_checkpoint_options, add_output_options, add_run_options, result_options
from semisup.scaling import scale_all
from semisup.scores import write_scores
from semisup.tables import write_table
from semisup.training import (
    EpochRow,
    Loss,
    chosen_epoch,
    history_table,
    log_summary,
    train_network,
)
from semisup.training_options import augmentation_of, recipe_of


class LabelledRun(NamedTuple):
    """The labelled images of a run.

    images uint8 (N, C, size, size) and labels int64 (N,): the whole labelled set; train, validation, hidden: int64 rows
    of it, the last those that are in neither, whose labels count as unknown.
    """

    class_names: list[str]
    images: np.ndarray
    labels: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    hidden: np.ndarray


def add_files_and_device(parser: argparse.ArgumentParser) -> None:
    """Add what a program that trains from the labels of a run has beside its declared options."""
    add_run_options(parser)
    add_checkpoint_options(parser)
    add_output_options(parser)


def read_run(images: str, run: str, image_size: int | None) -> LabelledRun:
    """Read the labelled images of a run, scaled to a side of so many pixels; image_size None: as they are."""
    train, validation = run_rows(images, run)
    size = resolved_size(images, image_size)
    both = np.concatenate([read_scaled(images, split, size) for split in ("train", "validation")])
    hidden = np.setdiff1d(np.arange(len(both)), np.concatenate([train, validation]))
    return LabelledRun(read_class_names(images), both, read_labelled(images), train, validation, hidden)


def read_pool(options: argparse.Namespace, run: LabelledRun) -> np.ndarray:
    """Read the images that are used without labels, uint8 (M, C, size, size).

    Raises UserError if there are none.
    """
    parts = {
        "unlabeled": lambda: read_scaled(options.images, "unlabeled", run.images.shape[-1]),
        "hidden": lambda: run.images[run.hidden],
    }
    pool = [read() for name, read in parts.items() if options.unlabeled_pool in (name, "both")]
    labelled = run.train if getattr(options, "labelled_in_pool", False) else run.train[:0]
    images = np.concatenate([*pool, run.images[labelled]])
    if not len(images):
        raise UserError(
            f"--unlabeled-pool {options.unlabeled_pool}: the run {options.run} has no such images; choose another "
            "pool, or a data set whose folds validate on fewer images"
        )
    return images


def read_scaled(images: str, split: str, size: int) -> np.ndarray:
    """Read all images of a split, scaled to uint8 (N, C, size, size)."""
    return scale_all(read_images(images, split), size)


def read_base(path: str, run: LabelledRun) -> NetworkModel:
    """Read a network that a training begins with.

    Raises UserError if it is no network, or not for the classes and the images of the run.
    """
    kind = model_kind(path)
    if kind != "network":
        raise UserError(
            f"{path} is a model of the kind {kind}, not a network: give the model.h5 of a supervised experiment"
        )
    model = read_model(path)
    shape = model.network.shape
    if (shape.channels, shape.size, model.class_names) != (*run.images.shape[1:3], run.class_names):
        raise UserError(
            f"{path} is a network for {len(model.class_names)} classes and images of {shape.channels} x {shape.size} x "
            f"{shape.size}, not for this data set: give the model of an experiment of the same study and image_size"
        )
    return model


def run_shape(options: argparse.Namespace, run: LabelledRun) -> Shape:
    """Return the shape of the network of `options`, for the classes and the images of the run."""
    _, channels, _, size = run.images.shape
    shape = Shape(options.network, channels, size, len(run.class_names), options.dropout)
    return shape._replace(first_layer=options.first_layer)


def random_network(shape: Shape, run: LabelledRun, seed: int) -> Network:
    """Return a network for the training images of the run, with random weights."""
    return network_for(run.images[run.train], shape, seed)


def network_for(images: np.ndarray, shape: Shape, seed: int) -> Network:
    """Return a network for images uint8 (N, C, H, W): with their mean and std, and random weights.

    A first layer of centroids is learned from them.
    """
    network = new_network(shape, seed)
    set_normalization(network, images)
    if shape.first_layer == "centroids":
        learn_first_layer(network, images, seed)
    return network


def decisive_weights(network: Network) -> list[np.ndarray]:
    """Return parameters and buffers that a training depends on, for the fingerprint of its checkpoint.

    Not a learned first layer: images and seed decide it, and another number of threads would round it otherwise.
    """
    learned = first_convolution(network).weight if network.shape.first_layer == "centroids" else None
    state = network.state_dict(keep_vars=True).values()
    return [value.detach().cpu().numpy() for value in state if value is not learned]


def train_run(
    options: argparse.Namespace,
    group: type[Options],
    run: LabelledRun,
    network: Network,
    data: list[np.ndarray],
    new_unlabeled_loss: Callable[[torch.device, Augment], Loss] | None = None,
) -> None:
    """Train the network on the run as the options say, and write model, scores and tables.

    group: the declared options of the program.
    new_unlabeled_loss: makes the loss on unlabeled images from the device and the augmentation, if there is one;
    data: what it was made from.
    """
    keep_freed_memory()
    recipe, augmentation = recipe_of(options), augmentation_of(options)
    decisive = result_options(options, group) | network.shape._asdict()
    del decisive["average_flips"]  # it decides on scores, not on weights
    fingerprint = new_fingerprint(
        decisive,
        [run.images, run.labels, run.train, *decisive_weights(network), *data],
        options.code,
    )
    augment = labelled_augment = augment_function(augmentation, network.shape.size)
    alternate = options.flip and options.alternate_flips
    if alternate:  # the loss mirrors
        labelled_augment = augment_function(augmentation._replace(flip=False), network.shape.size)
    with (
        locked_checkpoint(options.checkpoint, fingerprint, options.checkpoint_seconds) as checkpoint,
        leased_device(options.gpu) as device,
    ):
        network.to(device)
        images, labels = torch.from_numpy(run.images).to(device), torch.from_numpy(run.labels).to(device)
        train, validation = (
            Examples(images, labels[rows], rows)
            for rows in (torch.from_numpy(part).to(device) for part in (run.train, run.validation))
        )
        if options.copies:
            train = Examples(*changed_copies(images[train.rows], train.labels, options.copies, options.seed))
        flip_seed = options.seed if alternate else None
        losses: list[Loss] = [LabelledLoss(train, labelled_augment, recipe, options.progressive_resizing, flip_seed)]
        if new_unlabeled_loss:
            losses.append(new_unlabeled_loss(device, augment))
        measure = accuracy_on(validation, recipe.precision)
        history = train_network(network, losses, measure, recipe, options.seed, checkpoint)
        chosen = chosen_epoch(history, recipe.patience)
        accuracy = write_network_run(options, run.validation, run, network, options.average_flips, device)
        log_summary(f"kept epoch {chosen}: validation accuracy {accuracy:.4f}", history, device)
    write_table(options.history, history_table(history))
    write_table(options.selection, [selection_row(row) | {"chosen": row.epoch == chosen} for row in history])


def write_network_run(
    options: argparse.Namespace,
    validation_rows: np.ndarray,
    run: LabelledRun,
    network: Network,
    average_flips: bool,
    device: torch.device,
) -> float:
    """Write scores and model of a trained network; return its accuracy on these validation rows."""
    validation, test = (
        network_scores(network, torch.from_numpy(part), options.precision, average_flips, device)
        for part in (run.images[validation_rows], read_scaled(options.images, "test", network.shape.size))
    )
    write_scores(options.scores, validation, validation_rows, test)
    model = NetworkModel(network.cpu(), average_flips, options.precision, run.class_names)
    about = about_model(options.images, options.run, validation_rows, validation)
    write_model(options.model, model, about, computed_on(device, options.precision))
    return about.validation_accuracy


def selection_row(row: EpochRow) -> dict[str, float]:
    """Return what the table of candidates says of an epoch."""
    return {
        "epoch": row.epoch,
        "train_accuracy": row.train_accuracy,
        "validation_accuracy": row.validation_accuracy,
    }
