"""Shared by methods whose networks learn without labels: their layers are the features of a support vector machine."""

from methods.declare import Method
from methods.shared import ImageSize, Precision, Runs, Svm


class Layers(ImageSize, Precision):
    """Options of `extract_layers`."""


class Probe(Svm, Precision):
    """Options of `train_probe`."""


class Pretraining(Layers, Probe, Runs, Method):
    """A network that has learned without labels."""

    model = True
    network_file = "pretrained_network.h5"
    mapped = "layers.h5"
    network_history = "pretraining_history.csv"
    tables = ("pretraining_history",)
