import numpy as np
import pandas as pd
import pytest
import torch

import train_rotation
from fixtures_kmeans import command_line, write_striped_dataset
from fixtures_programs import assert_scores_are_the_models
from fixtures_training import RECIPE, exemplar_network, network_options, two_classes
from semisup.labelled_loss import LabelledLoss
from semisup.network import cut_head, network_scores, widen_head
from semisup.rotation import ROTATIONS, RotationLoss
from semisup.scaling import to_pixels
from semisup.training import add_gradients

IMAGES = two_classes(20, seed=2).images
ROWS = torch.tensor([3, 17, 4, 11])
CPU = torch.device("cpu")


def darker(images):
    return images * 0.9


def wide_network():
    network = exemplar_network(seed=4)
    widen_head(network, ROTATIONS)
    return network


def test_images_are_shown_in_four_rotations():
    shown = RotationLoss(IMAGES, 4, 1.0, darker).images(ROWS, 0)
    assert shown.shape == (4, 4, 3, 8, 8)
    for row, versions in zip(ROWS, shown, strict=True):
        for turns, version in enumerate(versions):
            expected = np.rot90(0.9 * IMAGES[row].numpy() / 255, turns, axes=(1, 2))
            np.testing.assert_allclose(version, expected, rtol=1e-5)


@pytest.mark.parametrize("parts", [1, 2])
def test_loss_and_gradient_are_those_of_a_loop(parts):
    """Beside the labelled images, whose loss sees the scores of the classes alone."""
    network, naive, labelled = wide_network(), wide_network(), two_classes(8)
    losses = [LabelledLoss(labelled, darker, RECIPE, classes=2), RotationLoss(IMAGES, 4, 2.0, darker)]
    shown = add_gradients(network, losses, [torch.arange(8), ROWS], 0, "float32", parts)

    scores = naive(darker(to_pixels(labelled.images)))[:, :2].log_softmax(dim=1)
    own = scores[torch.arange(8), labelled.labels]
    labelled_loss = -(0.95 * own + 0.05 * scores.mean(dim=1)).mean()
    total, right = 0.0, 0
    for row in ROWS:
        for turns in range(ROTATIONS):
            turned = np.rot90(0.9 * IMAGES[row].numpy() / 255, turns, axes=(1, 2)).astype(np.float32)
            found = naive(torch.from_numpy(turned.copy())[None])[0, 2:]
            total = total - found.log_softmax(dim=0)[turns] / 16
            right += int(found.argmax() == turns)
    (labelled_loss + 2.0 * total).backward()
    for value, expected in zip(network.parameters(), naive.parameters(), strict=True):
        torch.testing.assert_close(value.grad, expected.grad, rtol=1e-4, atol=1e-6)
    assert network.head[-1].weight.grad[2:].abs().max() > 1e-3
    assert shown["unlabeled_loss"].item() == pytest.approx(total.item(), rel=1e-5)
    assert shown["train_loss"].item() == pytest.approx(labelled_loss.item(), rel=1e-5)
    assert shown["rotation_accuracy"].item() == pytest.approx(right / 16)


def test_outputs_beside_the_classes():
    """They come and go, and no score of a class changes."""
    network = exemplar_network(seed=4)
    before = network_scores(network, IMAGES, "float32", False, CPU)
    widen_head(network, ROTATIONS)
    assert network(to_pixels(IMAGES)).shape == (20, 6)
    np.testing.assert_allclose(network_scores(network, IMAGES, "float32", False, CPU), before, rtol=1e-5)
    cut_head(network)
    assert network(to_pixels(IMAGES)).shape == (20, 2)
    assert np.array_equal(network_scores(network, IMAGES, "float32", False, CPU), before)


@pytest.mark.parametrize("ema_decay", [0.0, 0.5])
def test_program(ema_decay, tmp_path):
    images = write_striped_dataset(tmp_path, size=8)[0]
    options = network_options(images, tmp_path) | {"network": "digits", "ema_decay": ema_decay}
    train_rotation.main(command_line(**options, unlabeled_batch_size=5, unlabeled_weight=0.5))
    assert_scores_are_the_models(tmp_path, images, np.arange(40, 64))
    rows = pd.read_csv(tmp_path / "history.csv")
    assert rows["unlabeled_weight"].tolist() == [0.5, 0.5]
    assert rows["rotation_accuracy"].between(0, 1).all()
