"""Steps of FixMatch: as this project takes them, and as a plain loop does.

The plain loop passes labelled, weakly and strongly changed images one after the other, as float32 with channels first.
Both change the same images in the same ways on the device.
"""

from collections.abc import Callable, Iterator

import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

import train_fixmatch
from bench.rows import CPU, Row, format_name, formats, scaled, timed
from methods.fixmatch import FixMatchTraining
from semisup.augmentation import Augment, augment_function
from semisup.device import keep_freed_memory
from semisup.fixmatch import FixMatchLoss
from semisup.labelled_loss import Examples, LabelledLoss
from semisup.network import Network, Shape, new_network
from semisup.scaling import to_pixels
from semisup.training import add_gradients
from semisup.training_options import augmentation_of, recipe_of

STEPS = 3
SIDE, CLASSES = 96, 10
LEARNING_RATE = 0.03
RECIPE = recipe_of(FixMatchTraining)  # the defaults
UNLABELED = FixMatchTraining.unlabeled_batch_size

Step = Callable[[], None]


def fixmatch_rows(part: float, device: torch.device = CPU) -> Iterator[Row]:
    """Time steps after a first one, the plain loop first. The operations that count are those of the plain loop."""
    steps = scaled(STEPS, part)
    examples = Examples(_images(RECIPE.batch_size, device), torch.arange(RECIPE.batch_size, device=device) % CLASSES)
    pool = _images(UNLABELED, device)
    work = f"FixMatch, {steps} steps of {RECIPE.batch_size} and {UNLABELED} images of {SIDE} px"
    plain = plain_step(examples, pool, device)
    with FlopCounterMode(display=False) as counter:
        plain()
    flop = float(steps * counter.get_total_flops())

    def row(who: str, step: Step, dtype: torch.dtype) -> Row:
        step()
        seconds, _ = timed(lambda: [step() for _ in range(steps)], device)
        return Row(work, who, seconds, f"{1000 * seconds / steps:.1f} ms a step", flop, dtype)

    yield row("plain loop, float32", plain, torch.float32)
    keep_freed_memory()
    for dtype in formats(device):
        yield row(f"this project, {format_name(dtype)}", our_step(examples, pool, dtype, device), dtype)


def plain_step(examples: Examples, pool: torch.Tensor, device: torch.device) -> Step:
    """Return a step of a new network in float32, channels first."""
    network, optimizer = _new_network(device, torch.contiguous_format)
    weak, strong = _changes()

    def step() -> None:
        labelled, unlabeled = to_pixels(examples.images), to_pixels(pool)
        loss = functional.cross_entropy(network(weak(labelled)), examples.labels)
        with torch.no_grad():
            confidence, guesses = network(weak(unlabeled)).softmax(dim=1).max(dim=1)
        losses = functional.cross_entropy(network(strong(unlabeled)), guesses, reduction="none")
        optimizer.zero_grad()
        (loss + (losses * (confidence >= FixMatchTraining.threshold)).mean()).backward()
        optimizer.step()

    return step


def our_step(examples: Examples, pool: torch.Tensor, dtype: torch.dtype, device: torch.device) -> Step:
    """Return a step of a new network with products in dtype, with the losses of the programs."""
    network, optimizer = _new_network(device, torch.channels_last)
    weak, strong = _changes()
    settings = (FixMatchTraining.threshold, False, FixMatchTraining.prediction_decay, None, 1.0)
    losses = [
        LabelledLoss(examples, weak, RECIPE),
        FixMatchLoss(pool, UNLABELED, CLASSES, *settings, weak, strong),
    ]
    rows = [torch.arange(loss.count, device=device) for loss in losses]
    precision = "float32" if dtype == torch.float32 else "auto"

    def step() -> None:
        optimizer.zero_grad()
        add_gradients(network, losses, rows, 0, precision)
        optimizer.step()

    return step


def _images(count: int, device: torch.device) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, SIDE, SIDE), dtype=torch.uint8, device=device)


def _new_network(device: torch.device, layout: torch.memory_format) -> tuple[Network, torch.optim.Optimizer]:
    network = new_network(Shape("resnet", 3, SIDE, CLASSES, 0.0), seed=0).to(device)
    network.to(memory_format=layout)
    return network, torch.optim.SGD(network.parameters(), LEARNING_RATE, momentum=0.9, nesterov=True)


def _changes() -> tuple[Augment, Augment]:
    """Return the weak and the strong change of images."""
    augmentations = augmentation_of(FixMatchTraining), train_fixmatch.strong_augmentation(FixMatchTraining)
    return tuple(augment_function(augmentation, SIDE) for augmentation in augmentations)
