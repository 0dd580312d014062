"""Steps of the resnet on 96-pixel images: as this project takes them, and as a plain loop in float32 does."""

from collections.abc import Callable, Iterator

import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.rows import Row, format_name, formats, scaled, timed
from semisup.device import keep_freed_memory
from semisup.network import Shape, new_network

BATCH = 64
STEPS = 20
LEARNING_RATE = 0.01

Step = Callable[[torch.Tensor, torch.Tensor], None]  # of pixels, float32 (BATCH, 3, 96, 96), and labels


def training_rows(part: float) -> Iterator[Row]:
    """Time steps after a first one; the plain loop goes first, as what frees memory stays changed."""
    pixels, labels = torch.rand(BATCH, 3, 96, 96), torch.randint(0, 10, (BATCH,))
    steps = scaled(STEPS, part)
    work = f"training of the resnet, {steps} steps of {BATCH} images of 96 px"
    with FlopCounterMode(display=False) as counter:
        plain_step()(pixels, labels)
    flop = float(steps * counter.get_total_flops())

    def row(who: str, step: Step, dtype: torch.dtype) -> Row:
        step(pixels, labels)
        seconds, _ = timed(lambda: [step(pixels, labels) for _ in range(steps)])
        return Row(work, who, seconds, f"{BATCH * steps / seconds:.0f} images/s", flop, dtype)

    yield row("plain loop, float32", plain_step(), torch.float32)
    for dtype in formats():
        yield row(f"this project, {format_name(dtype)}", our_step(dtype), dtype)


def plain_step() -> Step:
    """Return a step of a new network in float32, channels first."""
    return _step(torch.float32, torch.contiguous_format)


def our_step(dtype: torch.dtype) -> Step:
    """Return a step of a new network with products in dtype, channels last; freed memory is kept from now on."""
    keep_freed_memory()
    return _step(dtype, torch.channels_last)


def _step(dtype: torch.dtype, layout: torch.memory_format) -> Step:
    network = new_network(Shape("resnet", 3, 96, 10, 0.3), seed=0).to(memory_format=layout)
    optimizer = torch.optim.SGD(network.parameters(), LEARNING_RATE, momentum=0.9, nesterov=True)

    def step(pixels: torch.Tensor, labels: torch.Tensor) -> None:
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            scores = network(pixels.contiguous(memory_format=layout))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(scores.float(), labels).backward()
        optimizer.step()

    return step
