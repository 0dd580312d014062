# Helpers of the rules for the report, its theory and the page: what the texts are told and read. No rules.
import json
import shlex

from planning import page as planning_page
from planning.digest import content_digest

REPORT_SOURCES = CLONE / "report"
THEORY = CONFIG["theory"]


def report_texts(*names):
    """Digest of files in report/: a param and no input, since an input counts as another one where the clone has moved."""
    return content_digest(REPORT_SOURCES / name for name in names)


def report_files(*names):
    """A params function: the paths of files in report/. As it depends on output it is not recorded: the clone may move."""
    return lambda wildcards, output: [str(REPORT_SOURCES / name) for name in names]


def included_texts():
    """Every text that the paper and its supplement may include for these studies."""
    kinds = [planning.data_kind(CONFIG, dataset_of(study)) for study in CONFIG["studies"]]
    networks = planning_report.network_texts(planning_report.networks_of(CONFIG), REPORT_SOURCES)
    return {
        "answers.tex",
        "conclusion.tex",
        "derivations.tex",
        "macros.tex",
        "preamble.tex",
        "results.tex",
        *(planning_report.data_set_text(kind, REPORT_SOURCES) for kind in kinds),
        *(network["text"] for network in networks),
        *planning_report.sections_of(planning_report.methods_of(CONFIG), REPORT_SOURCES),
    }


# What each part of the theory leaves for the report, in results/theory/.
THEORY_FILES = {
    "derivations": ("derivations.csv", "source_errors.csv", "examples.json"),
    "momentum": ("momentum.csv", "momentum.pdf"),
    "dropout": ("dropout.csv", "dropout_ensemble.csv", "dropout.pdf"),
    "initialization": ("initialization.csv", "initialization.pdf"),
    "crowding": ("crowding.csv", "crowding.pdf"),
}


def theory_results():
    """Everything that the text of the report reads from its derivations and small experiments."""
    return [f"results/theory/{name}" for part in THEORY["parts"] for name in THEORY_FILES[part]]


def reported_theory(name, result):
    """Flag a table or a PNG of the theory for the HTML report: report/captions/<name>.rst is its caption."""
    return report(
        f"results/theory/{name}",
        caption=f"../report/captions/{Path(name).stem}.rst",
        category="Theory",
        subcategory="Figures" if name.endswith(".png") else "Tables",
        labels={"result": result},
    )


def learned_files(wildcards):
    """Every network and all centroids: what is learned from images, and where rounding can differ between machines."""
    return [
        f"results/{study}/{name}/seed{seed}/{file}"
        for study, content in CONFIG["studies"].items()
        for name in experiments(study)
        for seed in content["seeds"]
        for file in learned_by(study, name)
    ]


def first_networks(wildcards):
    return [path for study in CONFIG["studies"] for path in networks_of_each(study, "filters")]


def study_results(wildcards=None):
    """Everything that the text of the report reads from the studies."""
    files = []
    for study in CONFIG["studies"]:
        files += [
            f"results/{study}/{table}.csv"
            for table in (
                "metrics",
                "comparison",
                "label_curve",
                "per_class",
                "solver_iterations",
                "clustering",
                "near_copy_counts",
                "operations",
            )
        ]
        for kind in figures_of(study):  # a copy of a folder is newer, of a file with its checksums not
            files += [ancient(f"results/{study}/figures/{kind}"), f"results/{study}/figures/{kind}.sha256"]
        files += [f"results/{study}/figures/{name}.pdf" for name in ("forest", "near_copies")]
        files += [f"results/{study}/figures/training.pdf"] if trained_together(study) else []
        files += [f"results/{study}/figures/label_curve.pdf"] if with_label_counts(study) else []
        files += [
            f"results/{study}/{experiment}/{run}/{table}.csv"
            for experiment in experiments(study)
            for run in runs(study, experiment)
            for table in ("selection", "history")
        ]
        files += [
            f"results/{study}/{experiment}/seed{seed}/{table}.csv"
            for experiment in experiments(study)
            for table in method_of(study, experiment).tables
            for seed in CONFIG["studies"][study]["seeds"]
        ]
    return files


def report_plan(wildcards):
    """What the text has to say of, as JSON: a params function, as a title may hold braces, which would be wildcards."""
    return json.dumps(planning_report.report_plan(CONFIG, REPORT_SOURCES))


# The page


def page_texts():
    """Every file in report/ that the page is made of."""
    captions = [f"captions/{kind}.rst" for kind in ("forest", *planning_page.SHOWN)]
    parts = [f"page{part}.html" for part in ("", "_study", "_card", "_questions")]
    return [*parts, "page.css", "page.js", "published.yaml", *captions]


def page_results(wildcards):
    """Everything that the page reads from the studies, beside the logs that it links."""
    files = []
    for study in CONFIG["studies"]:
        tables = ("comparison", "label_curve", "per_class", "confusion", "clustering", "near_copy_counts")
        files += [f"results/{study}/{table}.csv" for table in tables]
        files.append(f"results/{study}/figures/forest.svg")
        for kind in planning_page.shown_figures(figures_of(study)):
            files += [ancient(f"results/{study}/figures/{kind}"), f"results/{study}/figures/{kind}.sha256"]
        files += [
            f"results/{study}/{experiment}/seed{seed}/{table}"
            for experiment in experiments(study)
            for table in dict.fromkeys(("history.csv", method_of(study, experiment).network_history))
            for seed in CONFIG["studies"][study]["seeds"]
        ]
    return files


def page_plan(wildcards):
    """What the page has to say of, as JSON: a params function, as a title may hold braces, which would be wildcards."""
    return json.dumps(planning_page.page_plan(CONFIG, REPORT_SOURCES))


def command_again(wildcards, output):
    """A params function: the command that makes what is named after it. It is not recorded: it depends on output."""
    here = Path.cwd()
    files = [path.relative_to(here) if path.is_relative_to(here) else path for path in workflow.overwrite_configfiles]
    return shlex.join(["snakemake", "--cores", "all", *(["--configfile", *map(str, files), "--"] if files else [])])
