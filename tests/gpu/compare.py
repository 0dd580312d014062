"""How far apart two files are that a program wrote on two devices."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from fixtures_training import TIMED


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    """Return the numbers of a file by name: data sets, arrays, or columns without those that a clock fills."""
    if path.suffix == ".h5":
        found = _arrays_of_hdf5(path)
    elif path.suffix == ".npz":
        with np.load(path) as file:
            found = dict(file)
    else:
        table = pd.read_csv(path)
        found = {name: table[name].to_numpy() for name in table.columns if name not in TIMED}
    return {name: array for name, array in found.items() if np.asarray(array).dtype.kind in "biuf"}


def _arrays_of_hdf5(path: Path) -> dict[str, np.ndarray]:
    """Return data sets by name; all weights of a network as one array, since some of its tensors are nearly zero."""
    found, weights = {}, {}

    def take(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            (weights if name.startswith("network/") else found)[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(take)
    flat = [np.ravel(array).astype(np.float64) for array in weights.values()]
    return found | ({"network": np.concatenate(flat)} if flat else {})


def apart(expected: Path, found: Path) -> float:
    """Return the largest |a - b| / |a| of two files' arrays of one name; infinite if one is lacking."""
    first, second = arrays_of(expected), arrays_of(found)
    if first.keys() != second.keys():
        return np.inf
    return max((distance(first[name], second[name]) for name in first), default=0.0)


def distance(expected: np.ndarray, found: np.ndarray) -> float:
    """Return |a - b| / |a| of two arrays; what is missing in both counts as alike, another shape as infinite."""
    if expected.shape != found.shape:
        return np.inf
    a, b = (np.asarray(array, np.float64) for array in (expected, found))
    difference = np.where(np.isnan(a) & np.isnan(b), 0.0, a - b)
    size = np.linalg.norm(np.nan_to_num(a))
    return float(np.linalg.norm(difference) / size) if size else float(np.linalg.norm(difference))


def last(path: Path, column: str) -> float:
    """Return the last number of a column."""
    return float(pd.read_csv(path)[column].iloc[-1])


def columns_of(path: Path) -> set[str]:
    """Return the names of a table's columns."""
    return set(pd.read_csv(path, nrows=0).columns)
