"""The training loop of every network: one plain loop that can be killed at any time and goes on where it was.

Every random number of a step (augmentation, dropout) comes from a generator seeded by (seed, epoch, step), and the
order of an epoch's images from (seed, epoch). So a checkpoint holds no generator, and a resumed run draws the same.
"""

import logging
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from semisup.augmentation import Augment
from semisup.checkpoints import Checkpoint, deferred_stop, load_checkpoint, save_checkpoint
from semisup.cli import UserError, out_of_memory, peak_memory_gib, progress_settings
from semisup.device import fast_products
from semisup.networks import Network, network_scores, to_pixels

VALIDATION_IMAGES = 1000  # of the validation images, those looked at after every epoch
CHECK_STEPS = 50  # steps between two looks at the losses, each of which waits for the device
RISE = 0.2  # of all steps: the way up of the one-cycle schedule
STEP_FRACTIONS = (0.6, 0.8)  # of all steps: where the step schedule multiplies the learning rate ...
STEP_FACTOR = 0.1  # ... by this

Weights = dict[str, torch.Tensor]


class Recipe(NamedTuple):
    """How a network is trained. The configuration describes each."""

    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    momentum: float
    weight_decay: float
    schedule: str
    label_smoothing: float
    ema_decay: float
    patience: int
    precision: str


class Examples(NamedTuple):
    """Images uint8 (N, C, H, W) and their labels int64 (N,), on one device."""

    images: torch.Tensor
    labels: torch.Tensor


class EpochRow(NamedTuple):
    """A row of the history.

    learning_rate: of the epoch's last step; train_*: means over the epoch's augmented images; validation_accuracy: on
    at most VALIDATION_IMAGES of the validation images, as they are; accuracies are fractions; peak_memory_gib: so far.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_accuracy: float
    seconds: float
    images_per_second: float
    peak_memory_gib: float


@dataclass
class _Progress:
    """Where the training stands: what a checkpoint holds beside weights, optimiser and schedule."""

    epoch: int = 0  # epochs done
    step: int = 0  # steps done of the epoch under way, ...
    loss: float = 0.0  # ... the sum of their losses, ...
    correct: int = 0  # ... the number of images they had right, ...
    seconds: float = 0.0  # ... and the time they took
    learning_rate: float = 0.0  # of the last step
    parts: int = 1  # a batch is computed in so many parts, for want of memory
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best_weights: Weights = field(default_factory=dict)  # kept only where there is patience


class _Learner(NamedTuple):
    """What changes at every step."""

    network: Network
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    schedule: lr_scheduler.LRScheduler


def train_network(
    network: Network,
    train: Examples,
    validation: Examples,
    augment: Augment,
    recipe: Recipe,
    seed: int,
    checkpoint: Checkpoint,
) -> list[EpochRow]:
    """Train the network in place and return its history; go on from the checkpoint if there is one.

    Kept are the weights of the last epoch or, with patience, of the one that did best on validation; with an
    exponential moving average it is the average that is validated and kept. An epoch's incomplete batch is left out.

    Raises UserError for a loss that is not finite. SIGINT and SIGTERM save a checkpoint and raise SystemExit.
    """
    device = train.images.device
    steps = len(train.labels) // recipe.batch_size
    if steps == 0:
        raise UserError(f"batch_size {recipe.batch_size} is above the {len(train.labels)} training images: lower it")
    looked_at = _evenly_spaced(validation, VALIDATION_IMAGES)
    saved = load_checkpoint(checkpoint)
    if saved and "finished" in saved:
        logging.info("this training has ended before: its weights are taken from the checkpoint")
        network.load_state_dict(saved["finished"])
        return [EpochRow(**row) for row in saved["history"]]

    learner, progress = _new_learner(network, recipe, steps), _Progress()
    if saved:
        progress = _restore(learner, saved)
        logging.info("resumed after %d epochs and %d steps", progress.epoch, progress.step)
    last_saved = time.perf_counter()
    done = progress.epoch * steps + progress.step
    with (
        tqdm(total=recipe.epochs * steps, initial=done, unit=" steps", **progress_settings()) as bar,
        deferred_stop() as stop,
    ):
        logging.info("training: %d epochs of %d steps", recipe.epochs, steps)
        while progress.epoch < recipe.epochs and not _out_of_patience(progress, recipe.patience):
            order = torch.from_numpy(np.random.default_rng([seed, progress.epoch]).permutation(len(train.labels)))
            order = order.to(device)
            unread: list[tuple[torch.Tensor, torch.Tensor]] = []
            clock = time.perf_counter()
            while progress.step < steps:
                rows = order[progress.step * recipe.batch_size :][: recipe.batch_size]
                batch = Examples(train.images[rows], train.labels[rows])
                unread.append(_take_step(learner, batch, augment, recipe, seed, progress))
                progress.step += 1
                bar.update()
                signal_number = stop()
                save = signal_number or time.perf_counter() - last_saved >= checkpoint.seconds
                if save or progress.step == steps or len(unread) == CHECK_STEPS:
                    _read_losses(unread, progress)
                progress.seconds += time.perf_counter() - clock
                if save:
                    _check_weights(learner.network, progress)
                    save_checkpoint(checkpoint, _state(learner, progress))
                    last_saved = time.perf_counter()
                if signal_number:
                    logging.info("stopped by signal %d; the same command goes on from here", signal_number)
                    raise SystemExit(128 + signal_number)
                clock = time.perf_counter()
            _close_epoch(learner, looked_at, recipe, progress)
            row = progress.history[-1]
            bar.set_postfix_str(
                f"epoch {row['epoch']}, loss {row['train_loss']:.3f}, validation {row['validation_accuracy']:.3f}",
                refresh=False,
            )
    _check_weights(learner.network, progress)
    network.load_state_dict(progress.best_weights or _kept(learner).state_dict())
    save_checkpoint(checkpoint, {"finished": network.state_dict(), "history": progress.history})
    return [EpochRow(**row) for row in progress.history]


def log_summary(result: str, history: list[EpochRow], device: torch.device) -> None:
    """Log what came out, with the mean speed of the epochs and the most memory held."""
    speed = np.mean([row.images_per_second for row in history])
    peak = max(device_peak_gib(device), *(row.peak_memory_gib for row in history))  # a resumed run had a life before
    logging.info("%s, %.0f images/s, peak memory %.2f GiB", result, speed, peak)


def chosen_epoch(history: list[EpochRow], patience: int) -> int:
    """Return the epoch whose weights `train_network` keeps: the last; with patience the best, of equals the first."""
    return max(history, key=lambda row: row.validation_accuracy).epoch if patience else history[-1].epoch


def _evenly_spaced(examples: Examples, count: int) -> Examples:
    """Return at most `count` of the examples, spread over the whole."""
    every = -(-len(examples.labels) // count)
    return Examples(examples.images[::every], examples.labels[::every])


def _new_learner(network: Network, recipe: Recipe, steps: int) -> _Learner:
    """Return the network with a fresh average, optimiser and schedule; steps: of an epoch."""
    network.train()
    parameters = list(network.parameters())
    groups = [  # Decay would only shrink what biases and batch normalisation are there to set.
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        optimizer = torch.optim.SGD(
            groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0
        )
    else:
        optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate)
    total = recipe.epochs * steps
    if recipe.schedule == "one_cycle":
        # With so few steps that the way up is one of them, torch divides by its length, zero.
        rise = RISE if RISE * total > 1 else 0.0
        schedule = lr_scheduler.OneCycleLR(
            optimizer, recipe.learning_rate, total_steps=total, pct_start=rise, cycle_momentum=False
        )
    elif recipe.schedule == "cosine":
        schedule = lr_scheduler.CosineAnnealingLR(optimizer, total)
    else:
        schedule = lr_scheduler.MultiStepLR(optimizer, [int(total * part) for part in STEP_FRACTIONS], STEP_FACTOR)
    average = None
    if recipe.ema_decay:
        average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema_decay), use_buffers=True)
    return _Learner(network, average, optimizer, schedule)


def _kept(learner: _Learner) -> Network:
    """Return the network that is validated and kept."""
    return learner.average.module if learner.average else learner.network


def _state(learner: _Learner, progress: _Progress) -> dict[str, Any]:
    """Return all that `_restore` needs."""
    parts = {name: part.state_dict() for name, part in learner._asdict().items() if part is not None}
    return {**parts, "progress": vars(progress)}


def _restore(learner: _Learner, state: dict[str, Any]) -> _Progress:
    for name, part in learner._asdict().items():
        if part is not None:
            part.load_state_dict(state[name])
    return _Progress(**state["progress"])


def _take_step(
    learner: _Learner, batch: Examples, augment: Augment, recipe: Recipe, seed: int, progress: _Progress
) -> tuple[torch.Tensor, torch.Tensor]:
    """Take one optimiser step; return the batch's mean loss and its number of right images, still on the device.

    Where memory runs out the batch is computed in twice as many parts, whose gradients add up to that of the whole.
    Raises UserError if parts of two images, the fewest that batch normalisation takes, are still too large.
    """
    most_parts = max(1, recipe.batch_size // 2)
    while True:
        torch.manual_seed(_step_seed(seed, progress))
        try:
            loss, correct = _backward(learner.network, batch, augment, recipe, progress.parts)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            if progress.parts == most_parts:
                raise UserError(
                    f"out of memory with batches of {recipe.batch_size} in {most_parts} parts: "
                    "choose a smaller network, or a machine with more memory"
                ) from error
        else:
            progress.learning_rate = learner.schedule.get_last_lr()[0]
            learner.optimizer.step()
            learner.schedule.step()
            if learner.average:
                learner.average.update_parameters(learner.network)
            return loss, correct
        progress.parts = min(2 * progress.parts, most_parts)
        if batch.images.device.type == "cuda":
            torch.cuda.empty_cache()
        logging.warning(
            "out of memory: batches of %d are computed in %d parts from now on", recipe.batch_size, progress.parts
        )


def _step_seed(seed: int, progress: _Progress) -> int:
    sequence = np.random.SeedSequence([seed, progress.epoch, progress.step])
    return int(sequence.generate_state(1, np.uint64)[0])


def _backward(
    network: Network, batch: Examples, augment: Augment, recipe: Recipe, parts: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Leave the gradient of the batch's mean loss in the network; return that loss and the number of right images."""
    network.zero_grad(set_to_none=True)
    device, count = batch.images.device, len(batch.labels)
    # Augmentation is fastest with channels first, convolution with channels last.
    images = augment(to_pixels(batch.images)).contiguous(memory_format=torch.channels_last)
    losses, correct = [], []
    for part, labels in zip(images.tensor_split(parts), batch.labels.tensor_split(parts), strict=True):
        with fast_products(device, recipe.precision):
            scores = network(part)
        loss = functional.cross_entropy(scores.float(), labels, label_smoothing=recipe.label_smoothing, reduction="sum")
        (loss / count).backward()
        losses.append(loss.detach() / count)
        correct.append((scores.argmax(dim=1) == labels).sum())
    return torch.stack(losses).sum(), torch.stack(correct).sum()


def _read_losses(unread: list[tuple[torch.Tensor, torch.Tensor]], progress: _Progress) -> None:
    """Add the steps' losses and right images to the epoch's sums, and empty the list.

    Raises UserError if a loss is not finite.
    """
    losses = torch.stack([loss for loss, _ in unread]).double().cpu()
    bad = (~torch.isfinite(losses)).nonzero()
    if len(bad):
        batch = progress.step - len(unread) + int(bad[0]) + 1
        raise UserError(
            f"the loss is {losses[int(bad[0])]:g} in epoch {progress.epoch + 1}, batch {batch}: lower learning_rate, "
            "or set precision to float32; the checkpoint before it stays"
        )
    progress.loss += float(losses.sum())
    progress.correct += int(torch.stack([correct for _, correct in unread]).sum())
    unread.clear()


def _check_weights(network: Network, progress: _Progress) -> None:
    """Raise UserError if a weight is not finite: the step before may have left such, though its loss was finite."""
    if not all(bool(torch.isfinite(parameter).all()) for parameter in network.parameters()):
        raise UserError(
            f"the weights are not finite after {progress.epoch} epochs and {progress.step} batches: lower "
            "learning_rate, or set precision to float32; the checkpoint before it stays"
        )


def _close_epoch(learner: _Learner, validation: Examples, recipe: Recipe, progress: _Progress) -> None:
    """Validate, add the epoch's row to the history and begin the next epoch."""
    device, kept = validation.images.device, _kept(learner)
    scores = network_scores(kept, validation.images, recipe.precision, False, device)
    learner.network.train()
    accuracy = float(np.mean(scores.argmax(axis=1) == validation.labels.cpu().numpy()))
    images = progress.step * recipe.batch_size
    progress.epoch += 1
    row = EpochRow(
        epoch=progress.epoch,
        learning_rate=progress.learning_rate,
        train_loss=progress.loss / progress.step,
        train_accuracy=progress.correct / images,
        validation_accuracy=accuracy,
        seconds=round(progress.seconds, 2),
        images_per_second=round(images / progress.seconds, 1),
        peak_memory_gib=round(device_peak_gib(device), 2),
    )
    if recipe.patience and accuracy > _best_accuracy(progress):
        progress.best_epoch = progress.epoch
        progress.best_weights = {name: value.clone() for name, value in kept.state_dict().items()}
    progress.history.append(row._asdict())
    progress.step, progress.loss, progress.correct, progress.seconds = 0, 0.0, 0, 0.0


def _best_accuracy(progress: _Progress) -> float:
    return max((row["validation_accuracy"] for row in progress.history), default=-1.0)


def _out_of_patience(progress: _Progress, patience: int) -> bool:
    return patience > 0 and progress.epoch - progress.best_epoch >= patience


def device_peak_gib(device: torch.device) -> float:
    """Return the most memory held so far, in GiB: the device's, or on the CPU the process's."""
    return torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else peak_memory_gib()
