"""The finished k-means model at work: images to scores."""

from collections.abc import Iterator

import numpy as np
import torch

from semisup.features import feature_blocks, on_device
from semisup.kmeans_files import KMeansModel, read_model
from semisup.svm import standardize, svm_scores

__all__ = ["image_channels", "image_scores", "read_model"]  # what a method's module has for semisup.models


def image_channels(model: KMeansModel) -> int:
    """Return the number of channels of the images that the model takes."""
    return model.dictionary.centroids.shape[1] // model.dictionary.patch_size**2


def image_scores(blocks: Iterator[np.ndarray], model: KMeansModel, device: torch.device) -> Iterator[np.ndarray]:
    """Yield float32 (n, classes) scores for blocks of uint8 images (n, C, H, W)."""
    for features in feature_blocks(blocks, on_device(model.dictionary, device), model.stride):
        yield svm_scores(standardize(features, model.scaling), model.svm)
