"""The finished k-means model at work: images to scores."""

from collections.abc import Iterator

import numpy as np
import torch

from semisup.features import feature_blocks, on_device
from semisup.kmeans_files import KMeansModel, read_model
from semisup.svm import standardize, svm_scores

__all__ = ["description", "image_scores", "image_shape", "read_model"]  # what each module of semisup.models has


def description(model: KMeansModel) -> str:
    """Say in a few words what the model is."""
    return f"support vector machine on features of {len(model.dictionary.centroids)} k-means centroids"


def image_shape(model: KMeansModel) -> tuple[int, int]:
    """Return the channels of the images that the model takes, and the side that it scales them to."""
    dictionary = model.dictionary
    return dictionary.centroids.shape[1] // dictionary.patch_size**2, dictionary.image_size


def image_scores(blocks: Iterator[np.ndarray], model: KMeansModel, device: torch.device) -> Iterator[np.ndarray]:
    """Yield float32 (n, classes) scores for blocks of uint8 images (n, C, H, W)."""
    for features in feature_blocks(blocks, on_device(model.dictionary, device), model.stride):
        yield svm_scores(standardize(features, model.scaling), model.svm)
