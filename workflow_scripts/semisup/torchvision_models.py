"""`torchvision.models`, also where torch and torchvision are of different builds.

A torchvision for CUDA beside a torch for the CPU cannot load its compiled operators, and its import then fails at their
names. The models use none of them, so it is enough to declare the names.
"""

import importlib.util
from pathlib import Path

import torch


def _declare_operators() -> torch.library.Library | None:
    """Declare the operators that the import of torchvision names, if its own cannot be loaded."""
    compiled = Path(importlib.util.find_spec("torchvision").origin).with_name("_C.so")
    try:
        torch.ops.load_library(compiled)
    except OSError:
        names = torch.library.Library("torchvision", "DEF")
        names.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        names.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return names
    return None


_OPERATORS = _declare_operators()  # they are there as long as the object is

from torchvision import models  # noqa: E402 (only after the operators are known)

__all__ = ["models"]
