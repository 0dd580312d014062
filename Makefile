# `make report` and `make test` do everything on a machine with Python 3.11 or newer, git and make.
PYTHON ?= python3
VENV := .venv
SNAKEMAKE := PATH="$(CURDIR)/$(VENV)/bin:$$PATH" snakemake
CORES ?= all
CONFIG ?= config.demo.yaml
STUDY = --cores $(CORES) --workflow-profile profiles/demo --configfile $(CONFIG)
.DEFAULT_GOAL := help

unexport PYTHONSAFEPATH # the user's: programs would not find the modules beside them
.NOTPARALLEL: # two apt-get get in each other's way
.PHONY: help report html status test test-all lint bench readme gpu-check crate clean latex browser slurm

help:
	@echo "make report  the whole demonstration: results/report/report.pdf; CONFIG=... another study (docs/own-pictures.md)"
	@echo "make html    after make report: the page results/report/index.html; the same CONFIG=..."
	@echo "make status  which runs of it are finished or at work, and about how long the rest takes; also while it runs"
	@echo "make test    the tests; make test-all: the long ones too, among them faults and a SLURM of its own"
	@echo "make lint    ruff, snakefmt and snakemake --lint"
	@echo "make bench   the heavy steps against what one would use instead, on an idle machine"
	@echo "make crate   after make report: its sources, report and tables as an RO-Crate in results/crate"
	@echo "make gpu-check  every program on a GPU beside the CPU, and its speed there; without one it says so"
	@echo "make readme  the README's results, from docs/results; KEEP=results: from a finished run of config.cpu.yaml"
	@echo "make clean   remove results and conda environments; downloads in resources/ stay"

report: $(VENV)/ready latex
	@$(VENV)/bin/python workflow_scripts/planning/config_files.py $(CONFIG)
	$(SNAKEMAKE) $(STUDY)

html: $(VENV)/ready
	@$(VENV)/bin/python workflow_scripts/planning/config_files.py $(CONFIG)
	$(SNAKEMAKE) $(STUDY) -- results/report/index.html

status:
	@if [ -e $(VENV)/ready ]; then $(VENV)/bin/python workflow_scripts/planning/status.py $(STUDY); \
	else echo "Nothing was begun here: make report begins."; fi

test: $(VENV)/ready latex browser
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" python -m pytest

test-all: $(VENV)/ready latex browser slurm
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" python -m pytest --numprocesses 4 \
	  tests/cluster tests/conda tests/faults/test_full_disk.py tests/faults tests/gpu tests/e2e tests/unit tests/workflow
	@grep -qs avx512 /proc/cpuinfo || { echo "No AVX-512 here: the tests of numbers need no second run without it"; exit 0; }; \
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(OLD_PROCESSOR) python -m pytest $(OF_NUMBERS)

lint: $(VENV)/ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/snakefmt --check Snakefile rules
	$(SNAKEMAKE) --lint --quiet

# What only the bench needs; what these need in turn is there.
PEERS := faiss-cpu==1.15.1 superkmeans==0.2.0

bench: $(VENV)/ready
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps $(PEERS)
	PYTHONPATH=workflow_scripts:tests $(VENV)/bin/python -m bench

readme: $(VENV)/ready
	$(VENV)/bin/python workflow_scripts/planning/readme.py $(if $(KEEP),--keep $(KEEP))

# Of a run that is finished: make report, then make crate.
crate:
	$(VENV)/bin/python workflow_scripts/write_crate.py --repository . --results results --config $(CONFIG) --crate results/crate

# One card, eight minutes. GPU_CHECK_DEVICE=cpu tries the check itself where there is none.
gpu-check: $(VENV)/ready
	@PYTHONPATH=workflow_scripts:tests $(VENV)/bin/python -m gpu results/gpu_check

clean:
	find results -mindepth 1 ! -name .gitkeep -delete
	rm -rf .snakemake

$(VENV)/ready: requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("error: Python 3.11 or newer is needed, found %d.%d; set PYTHON=..." % sys.version_info[:2])'
	@echo "Installing the pinned packages into $(VENV) (some minutes)"
	$(PYTHON) -m venv $(VENV) || { echo "error: $(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv"; exit 1; }
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -c constraints.txt
	touch $@

# The instructions of a processor without AVX-512, for the tests of what rounding can move.
OLD_PROCESSOR := OPENBLAS_CORETYPE=Haswell ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2
OF_NUMBERS := $(addprefix tests/unit/test_,$(addsuffix .py,svm kmeans whitening features networks training train_supervised \
  train_exemplar rounds fixmatch pseudo_label_loss derivations small_experiments metrics))

# What pip cannot install, and without which less is made or tested. Of Homebrew: what to ask for on macOS.
LATEX := latexmk texlive-latex-base texlive-latex-recommended lmodern
BROWSER := chromium chromium-driver poppler-utils
SLURM := slurmctld slurmd slurm-client munge slurm-wlm-basic-plugins
HOMEBREW_LATEX := brew install --cask mactex-no-gui
HOMEBREW_BROWSER := brew install --cask chromium chromedriver && brew install poppler

latex:
	$(call from_debian,latexmk pdflatex,$(LATEX),everything but the PDF is made,$(HOMEBREW_LATEX))

browser:
	$(call from_debian,chromium chromedriver pdffonts,$(BROWSER),the tests of the finished report are skipped,$(HOMEBREW_BROWSER))

slurm:
	$(call from_debian,slurmctld slurmd sbatch,$(SLURM),the tests of profiles/slurm are skipped,use Linux)

# $(call from_debian,PROGRAMS,PACKAGES,WITHOUT THEM,ON MACOS): install where that needs no question, else say what to do.
define from_debian
	@type $(1) >/dev/null 2>&1 || { \
	  if [ "$$(uname)" = Darwin ]; then \
	    echo "Not installed, so $(3). To change that: $(4)"; \
	  elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing $(2) with apt-get"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(2) \
	      >/dev/null || echo "They could not be installed: $(3)"; \
	  else \
	    echo "Not installed, so $(3). To change that: sudo apt-get install $(2)"; \
	  fi; }
endef
