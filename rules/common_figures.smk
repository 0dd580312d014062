# Helpers of the rules for figures: which there are, of what, and how the HTML report shows them. No rules.
from planning import report as planning_report

FIGURES = CONFIG["figures"]


def trained_together(study):
    return planning_report.trained_together(CONFIG, study)


def with_label_counts(study):
    return planning_report.with_label_counts(CONFIG, study)


def first_seed_path(study, experiment, path):
    """A file of the experiment's first run."""
    return f"results/{study}/{experiment}/{first_seed_run(study)}/{path}"


def mapped_files(study):
    """The name of the file of a run that t-SNE maps are made from, for each experiment that has one."""
    mapped = {name: method_of(study, name).mapped for name in experiments(study)}
    return {name: file for name, file in mapped.items() if file}


def representations(study):
    """What t-SNE maps are made from in addition to pixels: for each experiment that has one, the file of its first run."""
    return {name: first_seed_path(study, name, file) for name, file in mapped_files(study).items()}


def linked_features(study):
    """What the features among these representations hold links to: those of each candidate epsilon."""
    return [
        first_seed_path(study, name, f"epsilon{epsilon}/{file}")
        for name, file in mapped_files(study).items()
        if file == "features.h5"
        for epsilon in options_asked(study, name)["whitening_epsilon"]
    ]


def representation_options(wildcards, input):
    """A params function: --features, --layers and --networks with the experiments and their files."""
    files = {"features": [], "layers": [], "networks": []}
    for name, path in zip(representations(wildcards.study), input.representations, strict=True):
        option = {"features.h5": "features", "layers.h5": "layers"}.get(Path(path).name, "networks")
        files[option].append(f"{name}={path}")
    return " ".join(" ".join([f"--{option}", *pairs]) for option, pairs in files.items() if pairs)


def figures_of(study):
    return planning_report.figures_of(CONFIG, study)


def figure_files(kind):
    """A params function: --pdf and --png with the files of every figure of that kind."""

    def files(wildcards, output):
        names = figures_of(wildcards.study)[kind]
        return " ".join(
            f"--{end} " + " ".join(f"{output.figures}/{name}.{end}" for name in names) for end in ("pdf", "png")
        )

    return files


def names_of_each(kind):
    """A params function: the names of the figures of that kind."""
    return lambda wildcards: figures_of(wildcards.study)[kind]


def of_each(kind, path):
    """An input function: that file of the first run of every experiment with a figure of that kind."""
    return lambda wildcards: [
        first_seed_path(wildcards.study, name, path) for name in figures_of(wildcards.study)[kind]
    ]


def options_of_each(kind, *groups):
    """A params function: the options of these groups, each with its value for every experiment with a figure of that kind."""
    names = option_names(*groups)

    def arguments(wildcards):
        options = [
            planning.experiment_options(CONFIG, wildcards.study, name) for name in figures_of(wildcards.study)[kind]
        ]
        return planning.command_line({name: [values[name] for values in options] for name in names}, names)

    return arguments


def networks_of_each(study, kind):
    """The file that holds the network of the first run of every experiment with a figure of that kind."""
    names = figures_of(study).get(kind, [])
    return [first_seed_path(study, name, method_of(study, name).network_file) for name in names]


def learned_by(study, experiment):
    """The files of a run that hold what it learned from images."""
    return method_of(study, experiment).learned(options_asked(study, experiment))


def centroids_of_each(study):
    """For every experiment that learns centroids, those of each candidate epsilon of its first run."""
    names = figures_of(study)["centroids"]
    return [[first_seed_path(study, name, file) for file in learned_by(study, name)] for name in names]


def reported_table(path, kind, result):
    """Flag a table of a study for the HTML report: report/captions/<kind>.rst is its caption."""
    return report(
        f"results/{{study}}/{path}",
        caption=f"../report/captions/{kind}.rst",
        category="{study}",
        subcategory="Tables",
        labels={"result": result},
    )


def reported_figure(name, result):
    """Flag a PNG for the HTML report: report/captions/<name>.rst is its caption."""
    return report(
        f"results/{{study}}/figures/{name}.png",
        caption=f"../report/captions/{name}.rst",
        category="{study}",
        subcategory="Figures",
        labels={"result": result},
    )


def reported_figures(kind, result):
    """Flag a folder of figures for the HTML report, one for each {experiment}: report/captions/<kind>.rst is the caption."""
    return report(
        directory(f"results/{{study}}/figures/{kind}"),
        patterns=["{experiment}.png"],
        caption=f"../report/captions/{kind}.rst",
        category="{study}",
        subcategory="Figures",
        labels={"result": result},
    )
