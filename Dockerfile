# The workflow with everything that it needs: see docs/environments.md.
FROM debian:bookworm-slim

# LaTeX as in the Makefile; Python, git and make, which the Makefile expects.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        ca-certificates git make python3 python3-venv \
        latexmk texlive-latex-base texlive-latex-recommended lmodern \
    && rm -rf /var/lib/apt/lists/*

# Docker makes a new volume as its folder is here: one for the downloads has to be the user's own.
RUN useradd --create-home --uid 1000 study && install -d -o study /study /study/resources
USER 1000
WORKDIR /study

# The packages come before the workflow: a changed rule does not install them again. The argument is for an index with
# PyTorch's builds for CPUs, which are some GB smaller.
COPY --chown=1000 Makefile requirements.txt constraints.txt ./
ARG PIP_EXTRA_INDEX_URL
RUN PIP_NO_CACHE_DIR=1 make .venv/ready
ENV PATH=/study/.venv/bin:$PATH

COPY --chown=1000 . .
CMD ["make", "report"]
