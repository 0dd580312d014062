"""Time the heavy steps against what one would use instead, in one run: make bench. Run it on an idle machine.

Prints a table, row by row as they come. Ratio: the seconds of a work's first row to those of this row. Part of the
peak: the work's floating-point operations, done in the plain way, a second, to those of the fastest product measured
in the same format; bounds that save operations may bring it above 1. faiss-cpu and superkmeans are for this comparison
only: pip install --no-deps faiss-cpu superkmeans; what is not there is left out.
"""

import argparse
from collections.abc import Iterator
from importlib import metadata

import torch

from bench.accuracy import accuracy_rows
from bench.features import features_rows
from bench.fixmatch import fixmatch_rows
from bench.kmeans import kmeans_rows
from bench.rows import CPU, Row, best, format_name, formats
from bench.surrogates import surrogates_rows
from bench.svm import svm_rows
from bench.training import training_rows
from semisup.cli import positive_number
from semisup.machine import processor_name

# Training comes last: what frees memory is changed from then on.
BENCHES = {
    "kmeans": kmeans_rows,
    "features": features_rows,
    "svm": svm_rows,
    "surrogates": surrogates_rows,
    "training": training_rows,
    "fixmatch": fixmatch_rows,
    "accuracy": accuracy_rows,
}
PACKAGES = ("torch", "numpy", "scikit-learn", "kornia", "torchvision", "faiss-cpu", "superkmeans")
# A block of patches of 22 pixels with 1,600 centroids; on a GPU what it needs to be full.
PRODUCT = {"cpu": (4096, 1452, 1600), "cuda": (8192, 8192, 8192)}
PRODUCTS = 10  # of which the fastest counts


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=BENCHES, default=list(BENCHES), help="these benches")
    parser.add_argument("--part", type=positive_number, default=1.0, help="part of each size, default 1")
    options = parser.parse_args()
    print(f"{processor_name()}, {torch.get_num_threads()} threads")
    print(", ".join(f"{name} {version(name)}" for name in PACKAGES), flush=True)
    products = list(product_rows())
    peaks = {row.dtype: row.flop / row.seconds for row in products}
    print_rows(iter(products), peaks)
    for name, bench_rows in BENCHES.items():
        if name in options.only:
            print_rows(bench_rows(options.part), peaks)


def version(package: str) -> str:
    """Return the installed version of a package of pip."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def product_rows(device: torch.device = CPU) -> Iterator[Row]:
    """Time a product of matrices in each format that the device has."""
    rows, inner, columns = PRODUCT[device.type]
    flop = 2.0 * rows * inner * columns
    for dtype in formats(device):
        left, right = (torch.rand(shape, device=device).to(dtype) for shape in ((rows, inner), (inner, columns)))
        torch.mm(left, right)  # what a first call makes is made
        seconds = best(lambda left=left, right=right: torch.mm(left, right), PRODUCTS, device)
        speed = f"{flop / seconds / 1e9:.1f} GFLOP/s"
        yield Row(
            f"product, {rows:,} x {inner:,} x {columns:,}",
            f"torch.mm, {format_name(dtype)}",
            seconds,
            speed,
            flop,
            dtype,
        )


def print_rows(rows: Iterator[Row], peaks: dict[torch.dtype, float]) -> None:
    """Print rows as they come, below a line for each work. peaks: floating-point operations a second."""
    first = None
    for row in rows:
        if first is None or row.work != first.work:
            first = row
            print(f"\n{row.work}\n  {'':40s}{'seconds':>9s}{'ratio':>8s}{'of peak':>9s}")
        part = f"{row.flop / row.seconds / peaks[row.dtype]:.2f}" if row.flop else ""
        ratio = first.seconds / row.seconds
        print(f"  {row.who:40s}{row.seconds:9.3f}{ratio:8.2f}{part:>9s}  {row.quality}".rstrip(), flush=True)


if __name__ == "__main__":
    main()
