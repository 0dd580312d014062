"""Embed validation images in the plane by t-SNE, and measure how well the classes cluster."""

import argparse
import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.manifold import TSNE, trustworthiness
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

from semisup.cli import UserError, positive_int, run_program
from semisup.dataset import read_images, read_labels
from semisup.hdf5 import open_hdf5
from semisup.svm import fit_scaling, standardize
from semisup.tables import write_table


class Clustering(NamedTuple):
    """How well classes cluster: k-NN agreement and silhouette, in the plane and in the space that was embedded."""

    images: int
    knn_agreement: float
    silhouette: float
    knn_agreement_before: float
    silhouette_before: float
    trustworthiness: float


def knn_agreement(points: np.ndarray, labels: np.ndarray, neighbors: int) -> float:
    """Return the mean fraction of a point's `neighbors` nearest other points that share its label."""
    nearest = NearestNeighbors(n_neighbors=neighbors).fit(points).kneighbors(return_distance=False)
    return float(np.mean(labels[nearest] == labels[:, None]))


def clustering(points: np.ndarray, plane: np.ndarray, labels: np.ndarray, neighbors: int) -> Clustering:
    """Measure the clustering of points (N, F) and of their embedding, plane (N, 2)."""
    return Clustering(
        len(labels),
        knn_agreement(plane, labels, neighbors),
        float(silhouette_score(plane, labels)),
        knn_agreement(points, labels, neighbors),
        float(silhouette_score(points, labels)),
        float(trustworthiness(points, plane, n_neighbors=neighbors)),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the embedding and its clustering."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    parser.add_argument("--features", help="features of its validation images (HDF5); without: first-channel pixels")
    parser.add_argument("--tsne-images", type=positive_int, required=True, help="the first so many, or all if fewer")
    parser.add_argument("--perplexity", type=float, required=True)
    parser.add_argument("--neighbors", type=positive_int, required=True, help="k of the k-NN agreement")
    parser.add_argument("--embedding", required=True, help="table to write (CSV)")
    parser.add_argument("--clustering", required=True, help="table to write (CSV)")
    options = parser.parse_args(arguments)

    labels = read_labels(options.images, "validation")[: options.tsne_images]
    if len(labels) <= options.perplexity:
        raise UserError(
            f"perplexity {options.perplexity:g} needs more than the {len(labels)} images there are: lower it"
        )
    if options.features:
        with open_hdf5(options.features) as file:
            features = file["validation"][: len(labels)]
        points = standardize(features, fit_scaling(features))
    else:
        points = read_images(options.images, "validation")[: len(labels), 0].reshape(len(labels), -1) / np.float32(255)
    plane = TSNE(perplexity=options.perplexity, random_state=0).fit_transform(points)
    result = clustering(points, plane, labels, options.neighbors)
    write_table(
        options.embedding, [{"label": label, "x": x, "y": y} for label, (x, y) in zip(labels, plane, strict=True)]
    )
    write_table(options.clustering, [result])
    logging.info("k-NN agreement %.3f, silhouette %.3f", result.knn_agreement, result.silhouette)


if __name__ == "__main__":
    run_program(main)
