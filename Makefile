# `make report` and `make test` do everything on a machine with Python 3.11 or newer, git and make.
PYTHON ?= python3
VENV := .venv
SNAKEMAKE := PATH="$(CURDIR)/$(VENV)/bin:$$PATH" snakemake
CORES ?= all
.DEFAULT_GOAL := help

.PHONY: help report test lint bench clean latex

help:
	@echo "make report  the whole demonstration: results/report/report.pdf"
	@echo "make test    all tests"
	@echo "make lint    ruff, snakefmt and snakemake --lint"
	@echo "make bench   the heavy steps against what one would use instead, on an idle machine"
	@echo "make clean   remove results and conda environments; downloads in resources/ stay"

report: $(VENV)/ready latex
	$(SNAKEMAKE) --cores $(CORES) --workflow-profile profiles/demo --configfile config.demo.yaml

test: $(VENV)/ready latex
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" python -m pytest

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
