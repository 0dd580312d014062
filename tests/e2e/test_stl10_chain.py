"""From a downloaded archive in the official layout to the comparison: a tiny STL-10 over a real HTTP server."""

import functools
import json
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest
import yaml

from fixtures_stl10 import make_stl10_archive
from semisup.files import file_checksum

ROOT = Path(__file__).resolve().parents[2]


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path):
    """The address and the folder of a running HTTP server."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}", folder
        httpd.shutdown()


def tiny_config(url: str, archive: Path, members: dict[str, str]) -> dict:
    """A study of the tiny archive; counts are those of `make_stl10_archive`'s defaults."""
    published = yaml.safe_load((ROOT / "config.yaml").read_text())["studies"]["stl10"]
    experiment = {"method": "kmeans", "image_size": 32, "patch_size": 6, "patch_images": 20, "centroids": 8}
    experiment |= {"iterations": 3, "stride": 6, "whitening_epsilon": [0.1], "svm_c": [0.001], "folds": True}
    return {
        "data": {
            "stl10": {
                "url": url,
                "files": {"stl10_binary.tar.gz": file_checksum(archive, "md5")},
                "members": members,
                "train_images": 40,
                "validation_images": 10,
                "unlabeled_images": "all",
                "test_images": "all",
            }
        },
        "evaluation": {"bootstrap_samples": 100},
        "figures": {"perplexity": 3.0, "neighbors": 2},
        "studies": {
            "mnist": None,
            "stl10": {
                "seeds": [0],
                "baseline": "coates",
                "experiments": {**dict.fromkeys(published["experiments"]), "coates": experiment},
            },
        },
    }


def run(folder: Path, config: dict) -> subprocess.CompletedProcess:
    """Run the workflow to the comparison."""
    path = folder / "tiny.json"
    path.write_text(json.dumps(config))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command += ["--cores", "2", "--workflow-profile", str(ROOT / "profiles/demo"), "--configfile", str(path)]
    return subprocess.run([*command, "--", "evaluated"], capture_output=True, text=True, check=False)


def test_download_to_comparison(tmp_path, server):
    url, served = server
    archive, members = make_stl10_archive(served)
    archive.rename(served / "stl10_binary.tar.gz")
    archive = served / "stl10_binary.tar.gz"
    config = tiny_config(url, archive, members)
    work = tmp_path / "work"
    work.mkdir()

    finished = run(work, config)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    table = pd.read_csv(work / "results/stl10/comparison.csv")
    assert table.loc[0, "folds_runs"] == 10

    # With the archive present nothing touches the network.
    archive.unlink()
    (work / "results/stl10/data/images.h5").unlink()
    finished = run(work, config)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_wrong_checksum_is_named_and_nothing_stays(tmp_path, server):
    url, served = server
    archive, members = make_stl10_archive(served)
    archive.rename(served / "stl10_binary.tar.gz")
    config = tiny_config(url, served / "stl10_binary.tar.gz", members)
    config["data"]["stl10"]["files"]["stl10_binary.tar.gz"] = "0" * 32
    work = tmp_path / "work"
    work.mkdir()
    finished = run(work, config)
    assert finished.returncode != 0
    assert "0" * 32 in finished.stdout + finished.stderr
    assert not (work / "resources/stl10/stl10_binary.tar.gz").exists()
