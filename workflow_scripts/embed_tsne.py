"""Embed test images in the plane by t-SNE, by their pixels and by the layers of models.

Measures how well the classes cluster in the plane, and in the pixels or layers themselves. `evaluate` has drawn a
sample of test images; this program gets the labels of these images and no others.
"""

import argparse
import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import h5py
import numpy as np
from sklearn.manifold import TSNE, trustworthiness
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

from semisup.cli import UserError, name_pair, positive_int, run_program
from semisup.hdf5 import open_hdf5, read_rows
from semisup.layers import layer_features
from semisup.network import read_network, require_channels
from semisup.scaling import scale_all
from semisup.svm import fit_scaling, standardize
from semisup.tables import read_table, write_table

BLOCK = 128  # images that a network takes at once

Layers = Iterator[tuple[str, np.ndarray]]  # name and points, float32 (N, F), of each layer in turn


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


def sampled(data: h5py.Dataset, rows: np.ndarray) -> np.ndarray:
    """Return these rows, increasing, of the test images or of their features.

    Raises UserError if there is no such row.
    """
    if rows[-1] >= len(data):
        raise UserError(
            f"{data.file.filename} has {len(data)} test images, and the sample holds row {rows[-1]}: "
            "give the sample of the same data set"
        )
    return read_rows(data, rows)


def pixel_points(images: str, rows: np.ndarray) -> Layers:
    """Yield the first channel of these test images."""
    with open_hdf5(images) as file:
        pixels = sampled(file["test/images"], rows)
    yield "pixels", pixels[:, 0].reshape(len(rows), -1) / np.float32(255)


def feature_points(path: str, rows: np.ndarray) -> Layers:
    """Yield the features of a run for these test images, standardised."""
    with open_hdf5(path) as file:
        features = sampled(file["test"], rows)
    yield "features", standardize(features, fit_scaling(features))


def layer_points(path: str, rows: np.ndarray) -> Layers:
    """Yield the features of every layer of a network for these test images, standardised, from a file of layers."""
    with open_hdf5(path) as file:
        for name in file.attrs["layers"]:
            features = sampled(file[f"{name}/test"], rows)
            yield name, standardize(features, fit_scaling(features))


def network_points(path: str, images: str, rows: np.ndarray) -> Layers:
    """Yield the features of every layer of a network for these test images, standardised, computed on the CPU."""
    with open_hdf5(path) as file:
        network = read_network(file["network"])
        precision = str(file.attrs["precision"])
    with open_hdf5(images) as file:
        require_channels(network, file["test/images"].shape[1], path, images)
        pixels = scale_all(sampled(file["test/images"], rows), network.shape.size)
    blocks = (pixels[start : start + BLOCK] for start in range(0, len(pixels), BLOCK))
    features = list(layer_features(blocks, network, precision))
    for name in features[0]:
        values = np.concatenate([block[name] for block in features])
        yield name, standardize(values, fit_scaling(values))


def representations(options: argparse.Namespace, rows: np.ndarray) -> Iterator[tuple[str, str, Layers]]:
    """Yield the name, the file and the layers of everything that is mapped: pixels, features, and networks."""
    yield "pixels", options.images, pixel_points(options.images, rows)
    for name, path in options.features:
        yield name, path, feature_points(path, rows)
    for name, path in options.layers:
        yield name, path, layer_points(path, rows)
    for name, path in options.networks:
        yield name, path, network_points(path, options.images, rows)


def check_points(points: np.ndarray, name: str) -> None:
    """Raise UserError for points (N, F) that t-SNE cannot map: scikit-learn crashes on points that are all the same."""
    if not np.isfinite(points).all():
        raise UserError(f"{name}: not finite for some test images: delete the file and run again")
    if (points == points[0]).all():
        raise UserError(f"{name}: the same for all {len(points)} test images, nothing to map: check the images")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the embedding of each layer and its clustering."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--test-sample", required=True, help="table of evaluate (CSV): the images and their labels")
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    named = {"nargs": "*", "type": name_pair, "default": [], "metavar": "NAME=FILE"}
    parser.add_argument("--features", **named, help="features of a run (HDF5)")
    parser.add_argument("--layers", **named, help="features of every layer of a network (HDF5)")
    parser.add_argument("--networks", **named, help="model of a network (HDF5)")
    parser.add_argument("--perplexity", type=float, required=True)
    parser.add_argument("--neighbors", type=positive_int, required=True, help="k of the k-NN agreement")
    parser.add_argument("--embedding", required=True, help="table to write (CSV)")
    parser.add_argument("--clustering", required=True, help="table to write (CSV)")
    options = parser.parse_args(arguments)

    sample = read_table(options.test_sample)
    rows, labels = sample["row"].to_numpy(), sample["label"].to_numpy()
    if len(rows) <= max(options.perplexity, 2 * options.neighbors):
        raise UserError(
            f"perplexity {options.perplexity:g} and {options.neighbors} neighbors are too many for the {len(rows)} "
            f"images of {options.test_sample}: lower them, or raise evaluate's --sample-images"
        )
    embedding, clusterings = [], []
    for name, path, layers in representations(options, rows):
        results = {}
        for layer, points in layers:
            check_points(points, f"{layer} of {path}")
            plane = TSNE(perplexity=options.perplexity, random_state=0).fit_transform(points)
            results[layer] = clustering(points, plane, labels, options.neighbors)
            embedding += [
                {"representation": name, "layer": layer, "row": row, "label": label, "x": x, "y": y}
                for row, label, (x, y) in zip(rows, labels, plane, strict=True)
            ]
            logging.info("%s, %s: k-NN agreement %.3f", name, layer, results[layer].knn_agreement)
        best = max(results, key=lambda layer: results[layer].knn_agreement)  # of equals the first
        clusterings += [
            {"representation": name, "layer": layer, **result._asdict(), "best": layer == best}
            for layer, result in results.items()
        ]
    write_table(options.embedding, embedding)
    write_table(options.clustering, clusterings)


if __name__ == "__main__":
    run_program(main)
