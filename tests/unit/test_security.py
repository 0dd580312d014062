"""What no program of the workflow may do, found by reading the code: run foreign data, use a shell, use the network."""

import ast
import re
import socket
from pathlib import Path

import pytest

import prepare_mnist5k
import prepare_photos
from fixtures_kmeans import command_line

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "workflow_scripts").rglob("*.py"))
NETWORK_MODULES = {
    "aiohttp",
    "ftplib",
    "http",
    "httpx",
    "imaplib",
    "paramiko",
    "pooch",
    "poplib",
    "requests",
    "smtplib",
}
NETWORK_MODULES |= {"socket", "socketserver", "ssl", "telnetlib", "urllib3", "websockets", "xmlrpc"}
NETWORK_MODULES |= {"urllib.request", "urllib.error", "urllib.response"}
# Downloads that libraries offer; each is known by the last part of its name.
DOWNLOADS = {"load_state_dict_from_url", "download_url", "urlopen", "urlretrieve", "hub", "get_weight"}
MAY_USE_NETWORK = {"semisup/fetch.py"}
MAY_FETCH = {"download.py"}
# Modules whose loading runs whatever the data says.
PICKLES = {"cloudpickle", "cPickle", "dill", "joblib", "marshal", "shelve"}
LOADS_CODE = {"torch.jit.load", "torch.export.load", "torch.package.PackageImporter"}
RUNS_TEXT = {"eval", "exec", "compile", "__import__", "execfile"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
SHELLS |= {"asyncio.create_subprocess_shell"}
STARTS_PROCESSES = {"run", "Popen", "call", "check_call", "check_output"}


def name_of(path):
    return path.relative_to(ROOT / "workflow_scripts").as_posix()


def imported(tree):
    """Return the full names of all that is imported."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def full_names(tree):
    """Return what each name that an import binds stands for: of `import numpy as np`, {"np": "numpy"}."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def calls(tree):
    """Yield (the full dotted name that is called, whatever it was imported as; the call)."""
    names = full_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            first, dot, rest = ast.unparse(node.func).partition(".")
            yield names.get(first, first) + dot + rest, node


def addresses(call):
    """Return the addresses on the network that are written out in the arguments of a call."""
    given = [*call.args, *(given.value for given in call.keywords)]
    texts = [node.value for argument in given for node in ast.walk(argument) if isinstance(node, ast.Constant)]
    return [text for text in texts if isinstance(text, str) and re.match(r"(https?|ftp)://", text, re.IGNORECASE)]


def keyword(call, name):
    """Return the source of a keyword argument; None if it is not given."""
    return next((ast.unparse(given.value) for given in call.keywords if given.arg == name), None)


def mistakes(text, name="program.py"):
    """Return what of a program's text is not allowed, each in a word or two."""
    tree = ast.parse(text)
    modules = imported(tree)
    found = [f"imports {module}" for module in modules if module.split(".")[0] in PICKLES]
    if name not in MAY_USE_NETWORK:
        parents = {module: {module, module.split(".")[0], ".".join(module.split(".")[:2])} for module in modules}
        found += [f"imports {module}" for module in modules if parents[module] & NETWORK_MODULES]
    if name not in MAY_FETCH | MAY_USE_NETWORK:
        found += [f"imports {module}" for module in modules if module.startswith("semisup.fetch")]
    for called, call in calls(tree):
        last = called.rsplit(".", 1)[-1]
        if called == "torch.load" and keyword(call, "weights_only") != "True":
            found.append("torch.load without weights_only=True")
        if called == "numpy.load" and keyword(call, "allow_pickle") != "False":
            found.append("numpy.load without allow_pickle=False")
        if called in LOADS_CODE:
            found.append(f"{called} runs what it loads")
        if called.startswith(("pickle.", "_pickle.")) or last == "read_pickle" or last == "Unpickler":
            found.append(called)
        if called in RUNS_TEXT or (called.startswith("builtins.") and last in RUNS_TEXT):
            found.append(called)
        if called.startswith("yaml.") and last.startswith("load") and "Safe" not in (keyword(call, "Loader") or ""):
            found.append(called)
        if called in SHELLS or keyword(call, "shell") is not None or called.startswith(("os.spawn", "os.exec")):
            found.append(f"{called} uses a shell")
        if called.startswith("subprocess.") and last in STARTS_PROCESSES:
            command = call.args[0] if call.args else None
            if isinstance(command, ast.Constant | ast.JoinedStr | ast.BinOp):
                found.append(f"{called} with a text for a command")
        if name not in MAY_USE_NETWORK:
            if last in DOWNLOADS or last.startswith("fetch_") or called.startswith("torch.hub."):
                found.append(f"{called} downloads")
            found += [f"{called} of {address}" for address in addresses(call)]
        if keyword(call, "download") not in (None, "False") or keyword(call, "pretrained") == "True":
            found.append(f"{called} downloads")
    found += [f"imports {module}" for module in modules if re.match(r"pickle\.(load|loads|Unpickler|\*)$", module)]
    found += [
        f"imports {module}" for module in modules if re.match(r"(os|subprocess)\.(system|popen|getoutput)", module)
    ]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_program_does_nothing_of_the_kind(path):
    assert mistakes(path.read_text(), name_of(path)) == []


@pytest.mark.parametrize(
    "text",
    [
        "import torch\ntorch.load(path)",
        "import torch\ntorch.load(path, weights_only=False)",
        "import torch\ntorch.load(path, weights_only=trusted)",
        "import numpy as np\nnp.load(path)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "import pickle\npickle.load(file)",
        "import pickle\npickle.Unpickler(file).load()",
        "from pickle import loads\nloads(data)",
        "import pandas as pd\npd.read_pickle(path)",
        "import joblib",
        "from joblib import load",
        "import yaml\nyaml.load(text)",
        "import yaml\nyaml.load(text, Loader=yaml.Loader)",
        "eval(text)",
        "exec(text)",
        "import builtins\nbuiltins.eval(text)",
        "import os\nos.system(f'rm {name}')",
        "from os import system\nsystem(name)",
        "import subprocess\nsubprocess.run(f'git {name}', shell=True)",
        "import subprocess\nsubprocess.run(['git'], shell=quickly)",
        "import subprocess\nsubprocess.run(f'git {name}')",
        "import subprocess\nsubprocess.Popen('git ' + name)",
        "import subprocess\nsubprocess.getoutput('git')",
        "import socket",
        "import urllib.request",
        "from urllib.request import urlopen",
        "from urllib import request",
        "from http.client import HTTPConnection",
        "import http",
        "import requests",
        "from semisup.fetch import fetch",
        "from semisup import fetch",
        "from sklearn.datasets import fetch_openml\nfetch_openml('mnist_784')",
        "from torchvision.datasets import STL10\nSTL10('data', download=True)",
        "import torch\ntorch.hub.load_state_dict_from_url(url)",
        "import torch\ntorch.hub.load(repository, name)",
        # under other names
        "from torch import load\nload(path)",
        "import torch as t\nt.load(path)",
        "from numpy import load\nload(path, allow_pickle=True)",
        "import pandas as pd\npd.read_csv('https://example.org/table.csv')",
        "import torch\ntorch.jit.load(path)",
        "from torch import load as read\nread(path)",
        "from torch import jit\njit.load(path)",
        "from yaml import load\nload(text)",
        "from builtins import eval as evaluate\nevaluate(text)",
        "from subprocess import run\nrun(f'git {name}')",
        "import pandas as pd\npd.read_csv(filepath_or_buffer=f'http://{host}/table.csv')",
    ],
)
def test_it_would_be_found(text):
    assert mistakes(text) != []


@pytest.mark.parametrize(
    "text",
    [
        "import torch\ntorch.load(path, weights_only=True)",
        "import pickle\ntry:\n    pass\nexcept pickle.UnpicklingError:\n    pass",
        "import json\njson.loads(text)",
        "import yaml\nyaml.safe_load(text)",
        "import re\nre.compile('a')",
        "from urllib.parse import urlsplit",
        "network.eval()",
        "import subprocess\nsubprocess.run([*command, name], check=True)",
        "from torch import nn\nmodel.load_state_dict(state)",
        "from torch import load\nload(path, weights_only=True)",
        "import numpy as n\nn.load(path, allow_pickle=False)",
        "from re import compile\ncompile('a')",
        "from json import load\nload(file)",
        "import logging\nlogging.info('an address begins with https://')",
    ],
)
def test_harmless_code_is_left_alone(text):
    assert mistakes(text) == []


# Parameters that hold nothing that a shell reads: options are quoted where they are put together; the others are
# numbers, digests, and names and paths of results, in which the schema allows letters, digits and _ alone.
HARMLESS = {"baselines", "centroids", "checkpoint", "code", "data_set", "experiments", "files", "md5", "members"}
HARMLESS |= {
    "base_model",
    "copies",
    "options",
    "patches",
    "points",
    "pretrained",
    "representations",
    "sample_images",
    "seed",
    "seeds",
}
HARMLESS |= {"listing", "sizes", "studies", "tables"}


def test_rules_hand_no_text_to_a_shell_unquoted():
    """What may hold a character that a shell reads is quoted: paths of the clone, addresses, JSON."""
    rules = "".join(path.read_text() for path in (ROOT / "rules").rglob("*.smk"))
    shells = re.findall(r"shell:\n((?:\s+[\"'].*\n)+)", rules)
    assert len(shells) == len(re.findall(r"^rule ", rules, re.MULTILINE))
    assert {name for shell in shells for name in re.findall(r"\{params\.(\w+)\}", shell)} == HARMLESS


@pytest.mark.parametrize("prepare", [prepare_photos, prepare_mnist5k])
def test_embedded_data_need_no_network(prepare, tmp_path, monkeypatch):
    """Nor what their libraries might do behind the scenes."""

    def refuse(*_, **__):
        raise AssertionError("the network was used")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    sizes = {"train_images": 100, "validation_images": 50, "unlabeled_images": 60, "test_images": 50}
    sizes |= {"folds": 2, "fold_images": 50} if prepare is prepare_photos else {}
    prepare.main(command_line(**sizes, images=tmp_path / "images.h5", test_labels=tmp_path / "test_labels.h5"))
    assert (tmp_path / "images.h5").stat().st_size > 0


def test_all_code_is_read():
    suffixes = {path.suffix for path in (ROOT / "workflow_scripts").rglob("*") if path.is_file()}
    assert suffixes - {".pyc", ".yaml"} == {".py"}
    assert len(SOURCES) > 50
    assert {name_of(path) for path in SOURCES} >= MAY_USE_NETWORK | MAY_FETCH
