"""What the tests of training programs share: runs in processes of their own, and a look at what they wrote."""

import subprocess
import sys
import time

import numpy as np
import torch

from semisup.calibration import fit_temperature
from semisup.dataset import read_class_names, read_images, read_labelled
from semisup.model_files import read_model
from semisup.model_format import about_model


def start(program, options):
    """Start a program in a process of its own; its log goes to a pipe."""
    return subprocess.Popen([sys.executable, program, *options], stderr=subprocess.PIPE, text=True)


def wait_for(path, process):
    """Wait until the process has made the file; it must still be at work then."""
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)


def assert_scores_are_the_models(folder, images, validation_rows):
    """Check that the model, read back, gives the scores that were written, and says how good and sure they are.

    validation_rows: of the labelled set.
    """
    model = read_model(folder / "model.h5")
    labelled = np.concatenate([read_images(images, split) for split in ("train", "validation")])
    parts = {"validation": labelled[validation_rows], "test": read_images(images, "test")}
    with np.load(folder / "scores.npz") as scores:
        np.testing.assert_array_equal(scores["validation_rows"], validation_rows)
        for name, part in parts.items():
            (expected,) = model.scores(iter([part]), torch.device("cpu"))
            assert scores[name].dtype == np.float32
            np.testing.assert_allclose(scores[name], expected, rtol=1e-4, atol=1e-5)
        assert model.about == about_model(images, model.about.run, validation_rows, scores["validation"])
        labels = read_labelled(images)[validation_rows]
        assert model.about.validation_accuracy == np.mean(scores["validation"].argmax(axis=1) == labels)
        assert model.about.temperature == fit_temperature(scores["validation"], labels, 1 / (len(labels) + 2))
        assert (model.channels, model.class_names) == (parts["test"].shape[1], read_class_names(images))
