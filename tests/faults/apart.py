"""The programs that are not among the jobs of the demonstration, and what to run each of them on."""

import gzip
import hashlib
import random
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

import download
import export_model
import prepare_cifar10
import prepare_folder
import prepare_mnist
import prepare_mnist5k
import prepare_stl10
import take_external_scores
import typeset_report
import write_crate
from fixtures_cifar10 import cifar10_archive, cifar10_content
from fixtures_kmeans import command_line
from fixtures_stl10 import make_stl10_archive
from fixtures_training import ABOUT, exemplar_network
from semisup import mnist
from semisup.models.network import NetworkModel, write_model

SIZES = {"train_images": 100, "validation_images": 100, "unlabeled_images": 100, "test_images": 100}


class Task(NamedTuple):
    """A program, its arguments and the files that it writes."""

    main: Callable
    arguments: list[str]
    outputs: list[Path]


def download_task(source, folder):
    """The source is a file of this machine."""
    content = random.Random(0).randbytes(10**6)
    (source / "source").write_bytes(content)
    options = {"url": (source / "source").as_uri(), "md5": hashlib.md5(content).hexdigest()}
    options |= {"partial": folder / "results/part", "output": folder / "results/file"}
    return Task(download.main, command_line(**options), [options["output"]])


def data_set_task(program, folder, **options):
    outputs = {"images": folder / "results/images.h5", "test_labels": folder / "results/test_labels.h5"}
    return Task(program.main, command_line(**options, **outputs), list(outputs.values()))


def prepare_stl10_task(source, folder):
    archive, checksums = make_stl10_archive(source)
    members = [f"{name}={md5}" for name, md5 in checksums.items()]
    sizes = {"train_images": 40, "validation_images": 10, "unlabeled_images": "all", "test_images": "all"}
    return data_set_task(prepare_stl10, folder, archive=archive, member_md5=members, **sizes)


def prepare_mnist_task(source, folder):
    rng = np.random.default_rng(0)
    options, members = {}, []
    for part, count in {"train": 400, "test": 100}.items():
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = rng.permutation(np.arange(count) % 10).astype(np.uint8)
        contents = {
            "images": struct.pack(">4i", 2051, *images.shape) + images.tobytes(),
            "labels": struct.pack(">2i", 2049, count) + labels.tobytes(),
        }
        for kind, content in contents.items():
            name = getattr(mnist, f"{part}_{kind}".upper())
            options[f"{part}_{kind}_file"] = source / f"{name}.gz"
            options[f"{part}_{kind}_file"].write_bytes(gzip.compress(content, 1, mtime=0))
            members.append(f"{name}={hashlib.md5(content).hexdigest()}")
    return data_set_task(prepare_mnist, folder, **options, member_md5=members, **SIZES)


def prepare_mnist5k_task(source, folder):
    return data_set_task(prepare_mnist5k, folder, **SIZES)


def prepare_cifar10_task(source, folder):
    sizes = {"train_images": 20, "validation_images": 10, "test_images": 10}
    return data_set_task(prepare_cifar10, folder, archive=cifar10_archive(source, cifar10_content()), **sizes)


def prepare_folder_task(source, folder):
    for name in ("cat", "dog"):
        for number in range(10):
            path = source / "pictures" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (40, 30), (20 * number, 0, 0)).save(path)
    return data_set_task(prepare_folder, folder, pictures=source / "pictures")


def take_external_scores_task(source, folder):
    prepared = prepare_mnist5k_task(source, source)
    prepared.main(prepared.arguments)
    rng, external = np.random.default_rng(0), source / "external.npz"
    scores = {name: rng.normal(size=(100, 10)) for name in ("validation", "test")}
    np.savez(external, validation_rows=np.arange(100, 200), **scores)
    outputs = {"scores": "scores.npz", "selection": "selection.csv", "history": "history.csv"}
    files = {name: folder / "results" / file for name, file in outputs.items()}
    options = {"images": source / "results/images.h5", "run": "seed0", "external": external}
    return Task(take_external_scores.main, command_line(**options, **files), list(files.values()))


def export_model_task(source, folder):
    model, output = source / "model.h5", folder / "results/model.onnx"
    write_model(model, NetworkModel(exemplar_network(), False, "float32", ["one", "two"]), ABOUT, "{}")
    return Task(export_model.main, command_line(model=model, output=output), [output])


def typeset_report_task(source, folder):
    tex, pdf = source / "report.tex", folder / "results/report.pdf"
    tex.write_text("\\documentclass{article}\\begin{document}A report.\\end{document}\n")
    return Task(typeset_report.main, command_line(tex=tex, pdf=pdf), [pdf])


def write_crate_task(source, folder):
    """Of a clone without sources beside its Snakefile."""
    subprocess.run(["git", "init", "--quiet", str(source)], check=True)
    (source / "Snakefile").write_text("rule all:\n")
    subprocess.run(["git", "-C", str(source), "add", "Snakefile"], check=True)
    (source / "config.yaml").write_text("{}\n")
    report = source / "results/report"
    report.mkdir(parents=True)
    (report / "report.pdf").write_bytes(random.Random(0).randbytes(10**5))
    (report / "provenance.json").write_text('{"commit": null, "system": "Linux", "processor": "one"}')
    options = {"repository": source, "results": source / "results", "config": source / "config.yaml"}
    crate = folder / "results/crate"
    return Task(
        write_crate.main, command_line(**options, crate=crate), [crate / "ro-crate-metadata.json", crate / "Snakefile"]
    )


# By program: (a folder for its sources, that of its results) -> its task.
TASKS = {
    "download": download_task,
    "export_model": export_model_task,
    "prepare_cifar10": prepare_cifar10_task,
    "prepare_folder": prepare_folder_task,
    "prepare_mnist": prepare_mnist_task,
    "prepare_mnist5k": prepare_mnist5k_task,
    "prepare_stl10": prepare_stl10_task,
    "take_external_scores": take_external_scores_task,
    "typeset_report": typeset_report_task,
    "write_crate": write_crate_task,
}
DATA_SETS = sorted(name for name in TASKS if name.startswith("prepare_"))
