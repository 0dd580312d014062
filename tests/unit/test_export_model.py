"""Exported networks: another program gets the scores that the model gives."""

import json

import numpy as np
import onnxruntime
import pytest
import torch

import export_model
from fixtures_kmeans import command_line
from fixtures_training import ABOUT, exemplar_network
from semisup.cli import UserError
from semisup.model_files import read_model
from semisup.models.network import NetworkModel, write_model
from semisup.models.pixels import PixelsModel
from semisup.models.pixels import write_model as write_pixels_model
from semisup.network import Shape, new_network, set_normalization
from semisup.svm import LinearModel, Scaling

NAMES = ["left", "größer | right"]


def images_of(side, channels, count=5):
    return np.random.default_rng(0).integers(0, 256, (count, channels, side, side), dtype=np.uint8)


@pytest.mark.parametrize(
    ("network", "average_flips", "pixels"),
    [
        (exemplar_network(size=16), True, "float"),  # its head pools quadrants, which overlap
        (new_network(Shape("digits", 1, 9, 2, 0.5), 0), False, "uint8"),
    ],
)
def test_onnx_gives_the_scores_of_the_model(tmp_path, network, average_flips, pixels):
    side, channels = network.shape.size, network.shape.channels
    images = images_of(side, channels)
    set_normalization(network, images // 2)
    write_model(tmp_path / "model.h5", NetworkModel(network, average_flips, "float32", NAMES), ABOUT, "{}")
    options = {"model": tmp_path / "model.h5", "output": tmp_path / "model.onnx", "pixels": pixels, "format": "onnx"}
    export_model.main(command_line(**options))
    (expected,) = read_model(tmp_path / "model.h5").scores(iter([images]), torch.device("cpu"))
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    given = images if pixels == "uint8" else images.astype(np.float32) / 255
    (scores,) = session.run(["scores"], {"images": given})
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)
    assert np.ptp(expected) > 1e-3
    said = session.get_modelmeta().custom_metadata_map
    assert json.loads(said["class_names"]) == NAMES
    assert float(said["temperature"]) == ABOUT.temperature
    assert b"workflow_scripts" not in (tmp_path / "model.onnx").read_bytes()  # no places in the sources


class Pooled(torch.nn.Module):
    """A layer with an operation that the exporter does not know."""

    def forward(self, maps):
        return torch.nn.functional.adaptive_max_pool2d(maps, 2)


def test_operation_that_onnx_has_not_is_named(tmp_path):
    network = exemplar_network(size=16)
    network.layers.append(Pooled())
    model = NetworkModel(network, False, "float32", NAMES)
    with pytest.raises(UserError, match=r"exemplar_small cannot become ONNX \(aten.adaptive_max_pool2d\)"):
        export_model.write_onnx(tmp_path / "model.onnx", model, ABOUT, "float")
    assert list(tmp_path.iterdir()) == []


def test_missing_exporter_is_named_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(export_model, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"^onnxscript, which makes ONNX, is not installed.*envs/export.yaml$"):
        export_model.write_onnx(tmp_path / "model.onnx", None, ABOUT, "float")


def test_model_is_not_written_over(tmp_path):
    (tmp_path / "model.h5").write_bytes(b"model")
    with pytest.raises(UserError, match=r"model\.h5 is read too: name another"):
        export_model.main(command_line(model=tmp_path / "model.h5", output=tmp_path / "model.h5"))
    assert (tmp_path / "model.h5").read_bytes() == b"model"


def test_what_is_no_network_is_refused(tmp_path):
    linear = LinearModel(np.zeros((192, 2), np.float32), np.zeros(2, np.float32))
    scaling = Scaling(np.zeros(192, np.float32), np.ones(192, np.float32))
    write_pixels_model(tmp_path / "model.h5", PixelsModel(3, 8, scaling, linear, NAMES), ABOUT)
    with pytest.raises(UserError, match=r"model.h5 is a model of kind pixels, and only those of kind network"):
        export_model.main(command_line(model=tmp_path / "model.h5", output=tmp_path / "model.onnx"))
    assert not (tmp_path / "model.onnx").exists()
