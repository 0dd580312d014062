import pytest
from demo_run import snakemake, whole_report


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A folder in which the tiny study has been run; the PDF too where LaTeX is installed."""
    folder = tmp_path_factory.mktemp("demo with space")
    finished = snakemake(folder, *whole_report())
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return folder
