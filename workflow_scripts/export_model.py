"""Write a trained network as ONNX for other programs: export_model.py --model model.h5 --output model.onnx.

The input `images` is a batch of any number of images (N, C, side, side): float32 in 0..1, or uint8 with --pixels uint8.
The output `scores` is float32 (N, classes). The file contains the normalisation, and the mean over each image and its
mirror image if the model uses it. The metadata contain class_names (JSON) and the temperature: softmax of scores /
temperature gives the probabilities of predict.py. Products are computed in float32, whatever `precision` is.
"""

import argparse
import json
import logging
import re
import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent))  # which PYTHONSAFEPATH leaves out

from semisup.cli import UserError, run_program
from semisup.files import atomic_path
from semisup.model_files import model_kind
from semisup.model_format import About, read_about
from semisup.models.network import NetworkModel, description, image_shape, read_model
from semisup.outputs import check_outputs, given
from semisup.scaling import to_pixels

BATCH = 2  # images of the example that the network is followed with; 1 would be taken for a fixed number


class PooledParts(nn.Module):
    """What AdaptiveMaxPool2d(parts) computes, in operations that ONNX has."""

    def __init__(self, parts: int) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return float (N, C, parts, parts), the maxima of parts of maps (N, C, H, W), which may overlap by a pixel."""
        rows, columns = (self.places(side) for side in maps.shape[2:])
        maxima = [maps[:, :, row, column].amax((2, 3)) for row in rows for column in columns]
        return torch.stack(maxima, 2).unflatten(2, (self.parts, self.parts))

    def places(self, side: int) -> list[slice]:
        """Return where the parts of a side lie."""
        return [slice(i * side // self.parts, -(-(i + 1) * side // self.parts)) for i in range(self.parts)]


class Scorer(nn.Module):
    """A finished model as one function of images."""

    def __init__(self, model: NetworkModel, pixels: str) -> None:
        super().__init__()
        self.network, self.average_flips, self.pixels = model.network, model.average_flips, pixels
        for parent in list(self.network.modules()):
            for name, module in parent.named_children():
                if isinstance(module, nn.AdaptiveMaxPool2d):
                    setattr(parent, name, PooledParts(module.output_size))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return float (N, classes) scores of images (N, C, side, side)."""
        images = to_pixels(images) if self.pixels == "uint8" else images
        scores = self.network(images)
        if self.average_flips:
            scores = (scores + self.network(images.flip(3))) / 2
        return scores


def metadata(model: NetworkModel, about: About) -> dict[str, str]:
    """Return what the file says of the model beside its computation."""
    facts = {"description": description(model), "class_names": json.dumps(model.class_names, ensure_ascii=False)}
    return facts | {name: str(value) for name, value in about._asdict().items()}


def write_onnx(path: str, model: NetworkModel, about: About, pixels: str) -> None:
    """Write the model as ONNX. Raises UserError where what makes ONNX is not installed, or lacks an operation."""
    if find_spec("onnxscript") is None:
        raise UserError(
            "onnxscript, which makes ONNX, is not installed: pip install -r requirements.txt -c constraints.txt, or "
            "make an environment from envs/export.yaml"
        )
    for name in ("onnxscript", "onnx_ir", "torch.onnx"):  # which count what they have simplified
        logging.getLogger(name).setLevel(logging.WARNING)
    channels, side = image_shape(model)
    dtype = torch.uint8 if pixels == "uint8" else torch.float32
    example = torch.zeros(BATCH, channels, side, side, dtype=dtype)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of the exporter, about itself
            made = torch.onnx.export(
                Scorer(model, pixels).eval(),
                (example,),
                dynamo=True,
                verbose=False,
                input_names=["images"],
                output_names=["scores"],
                dynamic_shapes={"images": {0: torch.export.Dim("images")}},
            )
    except torch.onnx.OnnxExporterError as error:
        found = re.findall(r"torch\.ops\.(\w+\.\w+)", str(error))
        raise UserError(
            f"the network {model.network.shape.network} cannot become ONNX ({found[-1] if found else error}): write "
            "that operation with other ones"
        ) from error
    for node in made.model.graph:
        node.metadata_props.clear()  # where in the sources of this machine it comes from
    made.model.metadata_props.clear()
    made.model.metadata_props.update(metadata(model, about))
    with atomic_path(path) as temporary:
        made.save(temporary, external_data=False)


FORMATS = {"onnx": write_onnx}


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=given, required=True, help="model.h5 of a run that trains a network on labels")
    parser.add_argument("--format", choices=FORMATS, default="onnx", help="default: onnx")
    parser.add_argument("--pixels", choices=("float", "uint8"), default="float", help="of the images (default: float)")
    parser.add_argument("--output", required=True, help="file to write")
    options = parser.parse_args(arguments)
    check_outputs([options.output], [options.model])
    kind = model_kind(options.model)
    if kind != "network":
        raise UserError(
            f"{options.model} is a model of kind {kind}, and only those of kind network can be exported: give one, or "
            "classify with predict.py, which takes every kind"
        )
    model = read_model(options.model)
    FORMATS[options.format](options.output, model, read_about(options.model), options.pixels)
    logging.info("%s written to %s", description(model), options.output)


if __name__ == "__main__":
    run_program(main)
