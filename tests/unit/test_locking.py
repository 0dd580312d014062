"""File systems that cannot lock: HDF5 files are opened without a lock everywhere. (HDF5 itself locks in C.)"""

import ast

from fixtures_snakemake import ROOT


def test_no_hdf5_file_is_locked():
    calls = [
        (path.name, node)
        for path in (ROOT / "workflow_scripts").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "h5py.File"
    ]
    assert len(calls) > 3
    for name, call in calls:
        assert "locking=False" in [ast.unparse(keyword) for keyword in call.keywords], (name, call.lineno)
