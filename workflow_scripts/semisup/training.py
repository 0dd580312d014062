"""The training loop of every network: one plain loop that can be killed at any time and goes on where it was.

Every random number of a step (augmentation, dropout) comes from a generator seeded by (seed, epoch, step), and the
order of an epoch's images from (seed, epoch). So a checkpoint holds no generator, and a resumed run draws the same.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from semisup.checkpoint_files import HISTORY
from semisup.checkpoints import Checkpoint, deferred_stop, load_checkpoint, save_checkpoint
from semisup.cli import UserError, in_a_log, out_of_memory, peak_memory_gib, progress_settings, seldom
from semisup.constants import EPOCH_FACTOR
from semisup.device import fast_products
from semisup.network import Network
from semisup.tables import without_empty, write_table

# Columns of the history that losses fill.
SHOWN = ("train_loss", "train_accuracy", "unlabeled_loss", "unlabeled_weight", "accepted", "threshold")
EPOCH_LINE_SECONDS = 10.0  # between two lines of epochs in a log
CHECK_STEPS = 50  # steps between two looks at the losses, each of which waits for the device
RISE = 0.2  # of all steps: the way up of the one-cycle schedule
STEP_FRACTIONS = (0.6, 0.8)  # of all steps: where the step schedule multiplies the learning rate ...
STEP_FACTOR = 0.1  # ... by this

Weights = dict[str, torch.Tensor]


class Recipe(NamedTuple):
    """How a network is trained. The configuration describes each."""

    epochs: int
    steps_per_epoch: int  # 0: one pass over the training images
    batch_size: int
    optimizer: str
    learning_rate: float
    bias_rate: float
    momentum: float
    weight_decay: float
    schedule: str
    label_smoothing: float
    ema_decay: float
    patience: int
    precision: str


class Loss(Protocol):
    """A part of the loss; all parts add up, and the images of all go through the network together.

    count: the number of its images; batch_size: those of a step; batch_option, of: the option that says so and what
    images they are, for messages. in_parts: the loss of a batch is the mean of that of its parts.
    """

    count: int
    batch_size: int
    batch_option: str
    of: str
    in_parts: bool

    def begin_epoch(self, network: Network, epoch: int) -> None:
        """Prepare for an epoch, counted from 0."""

    def images(self, rows: torch.Tensor, epoch: int) -> torch.Tensor:
        """Return what the network is to see of these images, int64 (n,): float (n, versions, C, H, W) in 0..1.

        A loss that has no weight in this epoch returns no image.
        """

    def value(
        self, scores: torch.Tensor, rows: torch.Tensor, epoch: int
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the mean loss of these images, or of a part of them; scores: float32 (n, versions, classes).

        Then what the history shows, means too, as numbers on the device: columns of `EpochRow`, or others by name.
        """

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""


class EpochRow(NamedTuple):
    """A row of the history.

    learning_rate: of the epoch's last step; validation_accuracy: what was measured after it; images: labelled training
    images of the epoch, which are those of the first loss; peak_memory_gib: so far. All else are means over the steps
    of what the losses show: train_*, of the augmented images; and with a loss on unlabeled images (else None) that
    loss, its weight, the fraction of the images that count in it, and the confidence they must reach. Accuracies are
    fractions. further: what other losses show, by name.
    """

    epoch: int
    learning_rate: float
    train_loss: float | None
    train_accuracy: float | None
    validation_accuracy: float
    images: int
    seconds: float
    images_per_second: float
    peak_memory_gib: float
    unlabeled_loss: float | None = None
    unlabeled_weight: float | None = None
    accepted: float | None = None
    threshold: float | None = None
    further: dict[str, float] | None = None


@dataclass
class _Progress:
    """Where the training stands: what a checkpoint holds beside weights, optimiser and schedule."""

    epoch: int = 0  # epochs done
    step: int = 0  # steps done of the epoch under way, ...
    shown: dict[str, list[float]] = field(default_factory=dict)  # ... what the losses showed at each of them, ...
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
    losses: Sequence[Loss]


def train_network(
    network: Network,
    losses: Sequence[Loss],
    measure: Callable[[Network], float],
    recipe: Recipe,
    seed: int,
    checkpoint: Checkpoint,
) -> list[EpochRow]:
    """Train the network in place and return its history; go on from the checkpoint if there is one.

    losses: their sum is minimised; an epoch is one pass over the images of the first, without the incomplete batch.
    measure: gives the validation accuracy of a network, which it may leave in evaluation mode.
    Kept are the weights of the last epoch or, with patience, of the one that did best on validation; with an
    exponential moving average it is the average that is validated and kept.
    The history so far lies beside the checkpoint, and grows by a row when an epoch ends.

    Raises UserError for a loss that is not finite. SIGINT and SIGTERM save a checkpoint and raise SystemExit.
    """
    device = next(network.parameters()).device
    steps = recipe.steps_per_epoch or losses[0].count // losses[0].batch_size
    for loss in losses:
        if loss.batch_size > loss.count:
            raise UserError(f"{loss.batch_option} {loss.batch_size} is above the {loss.count} {loss.of}: lower it")
    saved = load_checkpoint(checkpoint)
    if saved and "finished" in saved:
        logging.info("this training has ended before: its weights are taken from the checkpoint")
        network.load_state_dict(saved["finished"])
        return [EpochRow(**row) for row in saved["history"]]

    learner, progress = _new_learner(network, recipe, steps, losses), _Progress()
    if saved:
        progress = _restore(learner, saved)
        logging.info("resumed after %d epochs and %d steps", progress.epoch, progress.step)
    _write_history(checkpoint.folder, progress)  # that of another run, or epochs that are lost, may lie there
    last_saved, is_due = time.perf_counter(), seldom(EPOCH_LINE_SECONDS)
    done = progress.epoch * steps + progress.step
    with (
        tqdm(total=recipe.epochs * steps, initial=done, unit=" steps", **progress_settings()) as bar,
        deferred_stop() as stop,
    ):
        logging.info("training: %d epochs of %d steps", recipe.epochs, steps)
        while not _has_ended(progress, recipe):
            rng = np.random.default_rng([seed, progress.epoch])
            batches = [_batches(rng, loss.count, loss.batch_size, steps, device) for loss in losses]
            if progress.step == 0:
                for loss in losses:
                    loss.begin_epoch(network, progress.epoch)
            unread: list[dict[str, torch.Tensor]] = []
            clock = time.perf_counter()
            while progress.step < steps:
                rows = [part[progress.step] for part in batches]
                unread.append(_take_step(learner, rows, recipe.precision, seed, progress))
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
            _close_epoch(learner, measure, recipe.patience, progress)
            _write_history(checkpoint.folder, progress)
            row = progress.history[-1]
            reached = f"loss {row['train_loss'] or 0:.3f}, validation {row['validation_accuracy']:.3f}"
            bar.set_postfix_str(f"epoch {row['epoch']}, {reached}", refresh=False)
            if in_a_log() and (_has_ended(progress, recipe) or is_due()):
                logging.info("epoch %d of %d: %s, %.1f s", row["epoch"], recipe.epochs, reached, row["seconds"])
    _check_weights(learner.network, progress)
    network.load_state_dict(progress.best_weights or _kept(learner).state_dict())
    save_checkpoint(checkpoint, {"finished": network.state_dict(), "history": progress.history})
    return [EpochRow(**row) for row in progress.history]


def history_table(history: list[EpochRow]) -> list[dict[str, float]]:
    """Return the rows as a table, without the columns that say nothing in any row."""
    return without_empty([row._asdict() | {"further": None} | (row.further or {}) for row in history])


def log_summary(result: str, history: list[EpochRow], device: torch.device) -> None:
    """Log what came out, with the mean speed of the epochs and the most memory held."""
    speed = np.mean([row.images_per_second for row in history])
    peak = max(device_peak_gib(device), *(row.peak_memory_gib for row in history))  # a resumed run had a life before
    logging.info("%s, %.0f images/s, peak memory %.2f GiB", result, speed, peak)


def chosen_epoch(history: list[EpochRow], patience: int) -> int:
    """Return the epoch whose weights `train_network` keeps: the last; with patience the best, of equals the first."""
    return max(history, key=lambda row: row.validation_accuracy).epoch if patience else history[-1].epoch


def _batches(rng: np.random.Generator, count: int, size: int, steps: int, device: torch.device) -> torch.Tensor:
    """Return the rows of an epoch's batches, int64 (steps, size): all `count` in random order, again and again."""
    passes = [rng.permutation(count) for _ in range(-(-steps * size // count))]
    return torch.from_numpy(np.concatenate(passes)[: steps * size].reshape(steps, size)).to(device)


def _new_learner(network: Network, recipe: Recipe, steps: int, losses: Sequence[Loss]) -> _Learner:
    """Return the network with a fresh average, optimiser and schedule; steps: of an epoch."""
    network.train()
    parameters = dict(network.named_parameters())
    weights = [p for p in parameters.values() if p.ndim > 1]
    factors = [p for name, p in parameters.items() if p.ndim <= 1 and not name.endswith("bias")]
    biases = [p for name, p in parameters.items() if name.endswith("bias")]
    # Decay would only shrink what biases and batch normalisation are there to set.
    groups = [  # The history tells the learning rate of the first.
        {"params": weights, "weight_decay": recipe.weight_decay},
        {"params": factors, "weight_decay": 0.0},
        {"params": biases, "weight_decay": 0.0, "lr": recipe.bias_rate * recipe.learning_rate},
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
            optimizer,
            [group["lr"] for group in optimizer.param_groups],
            total_steps=total,
            pct_start=rise,
            cycle_momentum=False,
        )
    elif recipe.schedule == "cosine":
        schedule = lr_scheduler.CosineAnnealingLR(optimizer, total)
    elif recipe.schedule == "exponential":
        schedule = lr_scheduler.LambdaLR(optimizer, lambda step: EPOCH_FACTOR ** (step // steps))
    else:
        schedule = lr_scheduler.MultiStepLR(optimizer, [int(total * part) for part in STEP_FRACTIONS], STEP_FACTOR)
    average = None
    if recipe.ema_decay:
        average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema_decay), use_buffers=True)
    return _Learner(network, average, optimizer, schedule, losses)


def _kept(learner: _Learner) -> Network:
    """Return the network that is validated and kept."""
    return learner.average.module if learner.average else learner.network


def _stateful(learner: _Learner) -> dict[str, Any]:
    """Return all that has a state, by name."""
    parts = learner._asdict()
    losses = {f"loss{number}": loss for number, loss in enumerate(parts.pop("losses"))}
    return {name: part for name, part in (parts | losses).items() if part is not None}


def _state(learner: _Learner, progress: _Progress) -> dict[str, Any]:
    """Return all that `_restore` needs."""
    return {name: part.state_dict() for name, part in _stateful(learner).items()} | {"progress": vars(progress)}


def _restore(learner: _Learner, state: dict[str, Any]) -> _Progress:
    for name, part in _stateful(learner).items():
        part.load_state_dict(state[name])
    return _Progress(**state["progress"])


def _take_step(
    learner: _Learner, rows: list[torch.Tensor], precision: str, seed: int, progress: _Progress
) -> dict[str, torch.Tensor]:
    """Take one optimiser step and return what the losses show, still on the device; rows: of the batch of each loss.

    Where memory runs out a batch is computed in twice as many parts, whose gradients add up to that of the whole.
    Raises UserError if parts of two images, the fewest that batch normalisation takes, are still too large, or if a
    loss cannot be computed in parts.
    """
    largest = max(loss.batch_size for loss in learner.losses)
    most_parts = max(1, largest // 2) if all(loss.in_parts for loss in learner.losses) else 1
    device = next(learner.network.parameters()).device
    states = [loss.state_dict() for loss in learner.losses]
    while True:
        torch.manual_seed(_step_seed(seed, progress))
        learner.network.zero_grad(set_to_none=True)
        try:
            shown = add_gradients(learner.network, learner.losses, rows, progress.epoch, precision, progress.parts)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            if progress.parts == most_parts:
                raise UserError(
                    f"out of memory with batches of {largest} in {most_parts} parts: "
                    "choose a smaller network or batch, or a machine with more memory"
                ) from error
        else:
            progress.learning_rate = learner.schedule.get_last_lr()[0]
            learner.optimizer.step()
            learner.schedule.step()
            if learner.average:
                learner.average.update_parameters(learner.network)
            return shown
        for loss, state in zip(learner.losses, states, strict=True):
            loss.load_state_dict(state)  # the step is taken again, and must find what it found
        progress.parts = min(2 * progress.parts, most_parts)
        if device.type != "cpu":
            getattr(torch, device.type).empty_cache()
        logging.warning("out of memory: batches of %d are computed in %d parts from now on", largest, progress.parts)


def add_gradients(
    network: Network, losses: Sequence[Loss], rows: Sequence[torch.Tensor], epoch: int, precision: str, parts: int = 1
) -> dict[str, torch.Tensor]:
    """Add the gradient of the sum of the losses to the network's, and return what they show.

    rows: of the batch of each loss, int64 (n,); parts: a batch is computed in so many. The images of all losses pass
    batch normalisation together, as in FixMatch (Sohn et al. 2020), so that its statistics are of all of them.
    """
    device = next(network.parameters()).device
    batches = [(loss, part, loss.images(part, epoch)) for loss, part in zip(losses, rows, strict=True)]
    shown: dict[str, torch.Tensor] = {}
    for part in range(parts):
        pieces = [
            (loss, batch.tensor_split(parts)[part], images.tensor_split(parts)[part], len(batch))
            for loss, batch, images in batches
        ]
        together = torch.cat([images.flatten(0, 1) for _, _, images, _ in pieces])
        with fast_products(device, precision):
            # Augmentation is fastest with channels first, convolution with channels last.
            scores = network(together.contiguous(memory_format=torch.channels_last)).float()
        total = torch.zeros((), device=device)
        each = scores.split([images.shape[0] * images.shape[1] for _, _, images, _ in pieces])
        for (loss, piece, images, whole), own in zip(pieces, each, strict=True):
            if len(piece):  # a small batch may have fewer images than there are parts
                share = len(piece) / whole
                value, tells = loss.value(own.view(*images.shape[:2], own.shape[1]), piece, epoch)
                total = total + share * value
                shown |= {name: shown.get(name, 0) + share * number for name, number in tells.items()}
        total.backward()
    return shown


def _step_seed(seed: int, progress: _Progress) -> int:
    sequence = np.random.SeedSequence([seed, progress.epoch, progress.step])
    return int(sequence.generate_state(1, np.uint64)[0])


def _read_losses(unread: list[dict[str, torch.Tensor]], progress: _Progress) -> None:
    """Add what the losses have shown to that of the epoch, and empty the list.

    Raises UserError if a number is not finite.
    """
    shown = {name: torch.stack([step[name] for step in unread]).cpu().double() for name in unread[0]}
    total = sum(shown.values())
    bad = (~torch.isfinite(total)).nonzero()
    if len(bad):
        batch = progress.step - len(unread) + int(bad[0]) + 1
        raise UserError(
            f"the loss is {total[int(bad[0])]:g} in epoch {progress.epoch + 1}, batch {batch}: lower learning_rate, "
            "or set precision to float32; the checkpoint before it stays"
        )
    for name, values in shown.items():
        progress.shown.setdefault(name, []).extend(values.tolist())
    unread.clear()


def _check_weights(network: Network, progress: _Progress) -> None:
    """Raise UserError if a weight is not finite: the step before may have left such, though its loss was finite."""
    if not all(bool(torch.isfinite(parameter).all()) for parameter in network.parameters()):
        raise UserError(
            f"the weights are not finite after {progress.epoch} epochs and {progress.step} batches: lower "
            "learning_rate, or set precision to float32; the checkpoint before it stays"
        )


def _close_epoch(learner: _Learner, measure: Callable[[Network], float], patience: int, progress: _Progress) -> None:
    """Validate, add the epoch's row to the history and begin the next epoch."""
    kept = _kept(learner)
    accuracy = measure(kept)
    learner.network.train()
    images = progress.step * learner.losses[0].batch_size
    progress.epoch += 1
    # Exact sums, so that it makes no difference where a training was stopped in between.
    means = {name: math.fsum(values) / progress.step for name, values in progress.shown.items()}
    row = EpochRow(
        epoch=progress.epoch,
        learning_rate=progress.learning_rate,
        validation_accuracy=accuracy,
        images=images,
        seconds=round(progress.seconds, 2),
        images_per_second=round(images / progress.seconds, 1),
        peak_memory_gib=round(device_peak_gib(next(kept.parameters()).device), 2),
        **{name: means.pop(name, None) for name in SHOWN},
        further=means or None,
    )
    if patience and accuracy > _best_accuracy(progress):
        progress.best_epoch = progress.epoch
        progress.best_weights = {name: value.clone() for name, value in kept.state_dict().items()}
    progress.history.append(row._asdict())
    progress.step, progress.shown, progress.seconds = 0, {}, 0.0


def _best_accuracy(progress: _Progress) -> float:
    return max((row["validation_accuracy"] for row in progress.history), default=-1.0)


def _has_ended(progress: _Progress, recipe: Recipe) -> bool:
    out_of_patience = 0 < recipe.patience <= progress.epoch - progress.best_epoch
    return out_of_patience or progress.epoch >= recipe.epochs


def _write_history(folder: Path, progress: _Progress) -> None:
    """Write the table of the epochs so far; without any, delete the one that is there."""
    if progress.history:
        write_table(folder / HISTORY, history_table([EpochRow(**row) for row in progress.history]))
    else:
        (folder / HISTORY).unlink(missing_ok=True)


def device_peak_gib(device: torch.device) -> float:
    """Return the most memory held so far, in GiB: the device's, or on the CPU the process's."""
    return torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else peak_memory_gib()
