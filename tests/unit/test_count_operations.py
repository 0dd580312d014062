"""Operations of a forward pass: those of a network by hand, those of features by their sizes, each part once."""

import numpy as np
import pandas as pd

import count_operations
from fixtures_kmeans import command_line
from fixtures_training import ABOUT, exemplar_network
from semisup.dictionary import Dictionary
from semisup.kmeans_files import KMeansModel
from semisup.kmeans_files import write_model as write_kmeans_model
from semisup.models.network import NetworkModel, write_model
from semisup.models.pixels import PixelsModel
from semisup.models.pixels import write_model as write_pixels_model
from semisup.models.probe import ProbeModel
from semisup.models.probe import write_model as write_probe_model
from semisup.network import Shape, new_network
from semisup.svm import LinearModel, Scaling

NAMES = ["left", "right"]
# digits on images of 8 by 8: convolutions of 5, 3 and 2 pixels at 8, 4 and 3 pixels a side, then one pixel to 2 classes
DIGITS = 2 * (64 * 25 * 32 + 16 * 32 * 9 * 64 + 9 * 64 * 4 * 128 + 128 * 2)
EXEMPLAR = 2 * (64 * 75 * 64 + 16 * 64 * 25 * 64 + 64 * 4 * 128)  # one of patches of 8, its layers on a patch


def operations(folder, *experiments):
    """What the program counts of models in a folder, by experiment."""
    models = [folder / name / "seed0" / "model.h5" for name in experiments]
    count_operations.main(command_line(models=models, operations=folder / "operations.csv"))
    return pd.read_csv(folder / "operations.csv").set_index("experiment")["operations"].to_dict()


def linear(features):
    return LinearModel(np.zeros((features, 2), np.float32), np.zeros(2, np.float32))


def test_a_forward_pass_is_counted_once_whatever_the_kind_of_model(tmp_path):
    for name in ("digits", "probe", "pixels"):
        (tmp_path / name / "seed0").mkdir(parents=True)
    network = new_network(Shape("digits", 1, 8, 2, 0.5), 0)
    write_model(tmp_path / "digits/seed0/model.h5", NetworkModel(network, True, "float32", NAMES), ABOUT, "{}")
    probe = ProbeModel(exemplar_network(classes=7), 8, "float32", np.ones(1024, np.float32), linear(1024), NAMES)
    write_probe_model(tmp_path / "probe/seed0/model.h5", probe, ABOUT)
    scaling = Scaling(np.zeros(48, np.float32), np.ones(48, np.float32))
    write_pixels_model(tmp_path / "pixels/seed0/model.h5", PixelsModel(3, 4, scaling, linear(48), NAMES), ABOUT)
    found = operations(tmp_path, "digits", "probe", "pixels")
    assert found == {"digits": DIGITS, "probe": EXEMPLAR + 2 * 1024 * 2, "pixels": 2 * 48 * 2}


def test_operations_of_features_follow_from_their_sizes(tmp_path):
    """Whitening and distances of each of 4 x 4 patches of 3 x 3 x 3 values, and a machine on 4 x 5 features."""
    (tmp_path / "kmeans" / "seed0").mkdir(parents=True)
    arrays = np.zeros(27, np.float32), np.eye(27, dtype=np.float32), np.zeros((5, 27), np.float32)
    scaling = Scaling(np.zeros(20, np.float32), np.ones(20, np.float32))
    model = KMeansModel(Dictionary(10, 3, 10.0, 0.1, *arrays), 2, scaling, linear(20), NAMES)
    write_kmeans_model(tmp_path / "kmeans" / "seed0" / "model.h5", model, ABOUT)
    assert operations(tmp_path, "kmeans") == {"kmeans": 16 * 2 * (27 * 27 + 27 * 5) + 2 * 20 * 2}


def test_a_study_without_models_has_an_empty_table(tmp_path):
    assert operations(tmp_path) == {}
