# Semi-supervised image recognition, from raw downloads to the report. Start with README.md.
from snakemake.utils import min_version

min_version("9.27")


configfile: workflow.source_path("config.yaml")


report: "report/workflow.rst"


include: "rules/common_clone.smk"
include: "rules/common.smk"
include: "rules/common_figures.smk"
include: "rules/common_report.smk"
include: "rules/download.smk"


for file in sorted((CLONE / "rules").glob("*/*.smk")):  # data sets and methods

    include: file


include: "rules/copies.smk"
include: "rules/evaluate.smk"
include: "rules/figures.smk"
include: "rules/tsne.smk"
include: "rules/derivations.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        "results/report/report.pdf",
        "results/report/supplement.pdf",
        "results/report/index.html",
        predictions(),
        model_cards(),


rule evaluated:
    input:
        expand("results/{study}/comparison.csv", study=CONFIG["studies"]),
