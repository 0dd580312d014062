"""What programs load: starting is a large part of the demonstration, and these libraries take most of it.

A program that does its work in the demonstration has noted what it had loaded at its end (tests/loaded); the others are
asked for their help.
"""

import pytest

from fixtures_demo import SITE, notes_of
from workflow.clones import ROOT, run_python

SCRIPTS = ROOT / "workflow_scripts"
TABLES = {"pandas"}
DRAWS = {"matplotlib"}
COMPUTES = {"torch"}
TRAINS = {"torch", "kornia"}
SKLEARN = {"sklearn", "scipy", "pandas"}  # scikit-learn loads the other two
MAY_LOAD = {
    "check_derivations": SKLEARN | COMPUTES,
    "collect_provenance": TABLES,
    "count_operations": COMPUTES | {"scipy"},
    "compare_crowding": TABLES | DRAWS | {"scipy"},
    "compare_dropout": TABLES | DRAWS,
    "compare_initialization": TABLES | DRAWS,
    "compare_momentum": TABLES | DRAWS,
    "download": set(),
    "embed_tsne": SKLEARN | COMPUTES,
    "evaluate": set(),
    "export_model": COMPUTES,
    "extract_features": COMPUTES,
    "extract_layers": COMPUTES,
    "find_copies": set(),
    "fit_whitening": set(),
    "learn_centroids": COMPUTES,
    "make_surrogates": COMPUTES,
    "plot_augmentations": TRAINS | DRAWS,
    "plot_centroids": DRAWS,
    "plot_confusion": TABLES | DRAWS,
    "plot_copies": TABLES | DRAWS,
    "plot_filters": DRAWS,
    "plot_label_curve": TABLES | DRAWS,
    "plot_layers": TABLES | DRAWS,
    "plot_mistakes": TABLES | DRAWS,
    "plot_patches": DRAWS,
    "plot_rounds": TABLES | DRAWS,
    "plot_rulegraph": DRAWS,
    "plot_solver_iterations": TABLES | DRAWS,
    "plot_surrogates": DRAWS,
    "plot_training": TABLES | DRAWS,
    "plot_tsne": TABLES | DRAWS,
    "plot_unlabeled": TABLES | DRAWS,
    "predict": COMPUTES,  # the model of its kind loads the rest
    "prepare_cifar10": set(),
    "prepare_folder": set(),
    "prepare_mnist": set(),
    "prepare_mnist5k": set(),
    "prepare_photos": SKLEARN,
    "prepare_stl10": set(),
    "render_page": TABLES,
    "render_report": TABLES | {"scipy"},
    "sample_patches": COMPUTES,
    "solver_iterations": SKLEARN,
    "take_external_scores": set(),
    "train_supervised": TRAINS,
    "train_fixmatch": TRAINS,
    "train_kmeans_rounds": SKLEARN | COMPUTES,
    "train_pixels": COMPUTES | {"scipy"},
    "train_probe": COMPUTES | {"scipy"},
    "train_pseudo_label_loss": TRAINS,
    "train_pseudo_label_rounds": SKLEARN | TRAINS,
    "train_exemplar": TRAINS,
    "train_simclr": TRAINS,
    "train_svm": {"scipy"},
    "typeset_report": set(),
    "write_crate": set(),
    "write_model_cards": set(),
    "write_predictions": set(),
}


@pytest.fixture(scope="module")
def loaded(demo, tmp_path_factory):
    """By program, the large libraries that it had loaded at its end."""
    found = notes_of(demo)
    folder = tmp_path_factory.mktemp("loaded")
    for program in sorted({path.stem for path in SCRIPTS.glob("*.py")} - set(found)):
        changes = {"PYTHONPATH": str(SITE), "LOADED": str(folder)}
        assert run_python(SCRIPTS / f"{program}.py", "--help", environment=changes).returncode == 0
        found |= {path.name.split(".")[0]: set(path.read_text().split()) for path in folder.iterdir()}
    return found


@pytest.mark.parametrize("program", MAY_LOAD)  # a program of a method of one's own may load what it likes
def test_program_loads_only_what_it_needs(program, loaded):
    assert loaded[program] == MAY_LOAD[program]
