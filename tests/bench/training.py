"""Steps of training networks: as this project takes them, and as a plain loop in float32 does.

The resnet on 96-pixel images is made of large products. The small network for digits waits for its many small works.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.rows import CPU, Row, format_name, formats, scaled, timed
from semisup.device import fast_products, keep_freed_memory
from semisup.network import Shape, new_network

LEARNING_RATE = 0.01

Step = Callable[[torch.Tensor, torch.Tensor], None]  # of pixels, float32 (batch, channels, side, side), and labels


class Size(NamedTuple):
    """A network, its images and their side in pixels; images of a step, and steps that are timed."""

    network: str
    channels: int
    side: int
    batch: int
    steps: int


RESNET, DIGITS = Size("resnet", 3, 96, 64, 20), Size("digits", 1, 28, 128, 200)


def training_rows(part: float, device: torch.device = CPU) -> Iterator[Row]:
    """Time steps after a first one; the plain loop goes first, as what frees memory stays changed."""
    for size in (RESNET, DIGITS):
        yield from step_rows(size, scaled(size.steps, part), device)


def step_rows(size: Size, steps: int, device: torch.device) -> Iterator[Row]:
    """Time so many steps of one network."""
    pixels = torch.rand(size.batch, size.channels, size.side, size.side, device=device)
    labels = torch.randint(0, 10, (size.batch,), device=device)
    work = f"training of the {size.network}, {steps} steps of {size.batch} images of {size.side} px"
    with FlopCounterMode(display=False) as counter:
        plain_step(size, device)(pixels, labels)
    flop = float(steps * counter.get_total_flops())

    def row(who: str, step: Step, dtype: torch.dtype) -> Row:
        step(pixels, labels)
        seconds, _ = timed(lambda: [step(pixels, labels) for _ in range(steps)], device)
        said = f"{size.batch * steps / seconds:,.0f} images/s, {1000 * seconds / steps:.2f} ms a step"
        return Row(work, who, seconds, said, flop, dtype)

    yield row("plain loop, float32", plain_step(size, device), torch.float32)
    for dtype in formats(device):
        yield row(f"this project, {format_name(dtype)}", our_step(dtype, size, device), dtype)


def plain_step(size: Size, device: torch.device) -> Step:
    """Return a step of a new network in float32, channels first."""
    return _step(size, device, "float32", torch.contiguous_format)


def our_step(dtype: torch.dtype, size: Size = RESNET, device: torch.device = CPU) -> Step:
    """Return a step of a new network with products in dtype, channels last; freed memory is kept from now on."""
    keep_freed_memory()
    return _step(size, device, "float32" if dtype == torch.float32 else "auto", torch.channels_last)


def _step(size: Size, device: torch.device, precision: str, layout: torch.memory_format) -> Step:
    network = new_network(Shape(size.network, size.channels, size.side, 10, 0.3), seed=0).to(device)
    network.to(memory_format=layout)
    optimizer = torch.optim.SGD(network.parameters(), LEARNING_RATE, momentum=0.9, nesterov=True)

    def step(pixels: torch.Tensor, labels: torch.Tensor) -> None:
        with fast_products(device, precision):
            scores = network(pixels.contiguous(memory_format=layout))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(scores.float(), labels).backward()
        optimizer.step()

    return step
