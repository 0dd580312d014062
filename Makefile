# `make report` and `make test` do everything on a machine with Python 3.11 or newer, git and make.
PYTHON ?= python3
VENV := .venv
SNAKEMAKE := PATH="$(CURDIR)/$(VENV)/bin:$$PATH" snakemake
CORES ?= all
.DEFAULT_GOAL := help

.PHONY: help report test test-all lint bench clean latex browser slurm

help:
	@echo "make report  the whole demonstration: results/report/report.pdf"
	@echo "make test    the tests; make test-all: the long ones too, among them faults and a SLURM of its own"
	@echo "make lint    ruff, snakefmt and snakemake --lint"
	@echo "make bench   the heavy steps against what one would use instead, on an idle machine"
	@echo "make clean   remove results and conda environments; downloads in resources/ stay"

report: $(VENV)/ready latex
	$(SNAKEMAKE) --cores $(CORES) --workflow-profile profiles/demo --configfile config.demo.yaml

test: $(VENV)/ready latex browser
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" python -m pytest

test-all: $(VENV)/ready latex browser slurm
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" python -m pytest \
	  tests/unit tests/workflow tests/e2e tests/conda tests/cluster tests/faults

lint: $(VENV)/ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/snakefmt --check Snakefile rules
	$(SNAKEMAKE) --lint --quiet

bench: $(VENV)/ready
	$(VENV)/bin/python tests/bench.py

clean:
	find results -mindepth 1 ! -name .gitkeep -delete
	rm -rf .snakemake

$(VENV)/ready: requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("error: Python 3.11 or newer is needed, found %d.%d; set PYTHON=..." % sys.version_info[:2])'
	@echo "Installing the pinned packages into $(VENV) (some minutes)"
	$(PYTHON) -m venv $(VENV) || { echo "error: $(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv"; exit 1; }
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -c constraints.txt
	touch $@

# LaTeX: installed where that needs no question; else the workflow says what to install and makes everything but the PDF.
latex:
	@command -v latexmk >/dev/null && command -v pdflatex >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing LaTeX with apt-get"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	      latexmk texlive-latex-base texlive-latex-recommended lmodern >/dev/null \
	      || echo "LaTeX could not be installed; everything but the PDF will be made"; \
	  else \
	    echo "LaTeX is not installed. To get the PDF too: sudo apt-get install latexmk texlive-latex-base" \
	      "texlive-latex-recommended lmodern"; \
	  fi; }

# What the tests look at the finished report with. Without it those tests are skipped, and say what to install.
browser:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null && command -v pdffonts >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing Chromium and poppler-utils with apt-get"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	      chromium chromium-driver poppler-utils >/dev/null \
	      || echo "Chromium could not be installed; the tests that need it are skipped"; \
	  else \
	    echo "To test the finished report too: sudo apt-get install chromium chromium-driver poppler-utils"; \
	  fi; }

# A cluster for tests/cluster, which starts and stops it. Without it those tests are skipped, and say what to install.
slurm:
	@command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v sbatch >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing SLURM with apt-get"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	      slurmctld slurmd slurm-client munge slurm-wlm-basic-plugins >/dev/null \
	      || echo "SLURM could not be installed; the tests that need it are skipped"; \
	  else \
	    echo "To test profiles/slurm too: sudo apt-get install slurmctld slurmd slurm-client munge slurm-wlm-basic-plugins"; \
	  fi; }
