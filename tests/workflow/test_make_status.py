"""What `make status` tells beside a Snakemake that is at work in the same folder."""

import fcntl

import yaml
from clones import ROOT, run_python

TINY = yaml.safe_load((ROOT / "tests/e2e/config.tiny.yaml").read_text())
RUN = "photos/supervised/seed3"


def test_status_beside_a_running_snakemake(tmp_path):
    """The folder is locked, and Snakemake marks what it has begun; one training is at work, another was killed."""
    config = tmp_path / "config.tiny.yaml"
    config.write_text(yaml.safe_dump(TINY))
    lock = tmp_path / ".snakemake/locks/0.output.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(f"results/{RUN}/model.h5\n")
    folder = tmp_path / f"results/checkpoints/{RUN}/train_supervised"
    killed = tmp_path / "results/checkpoints/photos/fixmatch/seed3/train_fixmatch"
    for place in (folder, killed):
        place.mkdir(parents=True)
        (place / "history.csv").write_text("epoch,validation_accuracy,seconds\n1,0.25,2.5\n")
        (place / "lock").touch()
    options = ("--cores", 2, "--workflow-profile", ROOT / "profiles/demo", "--configfile", config)
    with (folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        status = ROOT / "workflow_scripts/planning/status.py"
        process = run_python(status, "--snakefile", ROOT / "Snakefile", *options, cwd=tmp_path)
    assert process.returncode == 0, process.stdout + process.stderr
    lines = process.stdout.splitlines()
    epochs = TINY["studies"]["photos"]["experiments"]["supervised"]["epochs"]
    assert lines[lines.index("At work:") + 1 :][:2] == [
        f"  {RUN}  train_supervised  epoch 1 of {epochs} done, validation 0.250",
        "",
    ]
    assert "photos: 0 of " in lines[0]
    assert lock.exists()
