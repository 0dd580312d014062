# Figures: PDF for the printed report, PNG for the HTML report. Computing and drawing are rules of their own.
FIGURES = CONFIG["figures"]


def kmeans_experiments(study):
    """Experiments of the study that learn centroids of their own."""
    return [
        experiment
        for name, experiment in planning.experiments_of_method(CONFIG, "kmeans")
        if name == study
        and planning.centroid_experiment(CONFIG, study, experiment) == experiment
    ]


def solver_experiments(study):
    return [
        experiment
        for experiment in experiments(study)
        if planning.experiment_options(CONFIG, study, experiment).get("svm_iterations")
    ]


def feature_experiments(study):
    """Experiments whose runs hold features.h5."""
    return [
        experiment
        for name, experiment in planning.experiments_of_method(CONFIG, "kmeans")
        if name == study
    ]


def study_figures(study):
    """Names of the study's figures, without folder and ending."""
    return (
        [f"patches_{experiment}" for experiment in kmeans_experiments(study)]
        + [f"centroids_{experiment}" for experiment in kmeans_experiments(study)]
        + [f"confusion_{experiment}" for experiment in experiments(study)]
        + [
            f"solver_iterations_{experiment}"
            for experiment in solver_experiments(study)
        ]
        + [f"tsne_{name}" for name in ["pixels", *feature_experiments(study)]]
    )


def of_first_seed(path):
    """An input function: a file of the experiment's first run."""
    return (
        lambda wildcards: f"results/{wildcards.study}/{wildcards.experiment}/{first_seed_run(wildcards.study)}/{path}"
    )


def first_seed_centroids(wildcards):
    """The centroids of every candidate epsilon of the experiment's first run."""
    options = planning.experiment_options(CONFIG, wildcards.study, wildcards.experiment)
    return [
        of_first_seed(f"epsilon{epsilon}/centroids.h5")(wildcards)
        for epsilon in options["whitening_epsilon"]
    ]


def embedded_features(wildcards):
    """Features to embed; none for raw pixels."""
    if wildcards.representation == "pixels":
        return []
    return f"results/{wildcards.study}/{wildcards.representation}/{first_seed_run(wildcards.study)}/features.h5"


def reported(name, result):
    """Flag a PNG for the HTML report: report/captions/<kind>.rst is its caption."""
    return report(
        f"results/{{study}}/figures/{name}.png",
        caption=f"../report/captions/{name.split('{')[0].rstrip('_')}.rst",
        category="{study}",
        subcategory="Figures",
        labels={"result": result},
    )


rule plot_patches:
    input:
        patches=of_first_seed("patches.h5"),
        centroids=lambda wildcards: first_seed_centroids(wildcards)[0],
    output:
        pdf="results/{study}/figures/patches_{experiment}.pdf",
        png=reported("patches_{experiment}", "patches of {experiment}"),
    log:
        "results/logs/{study}/figures/plot_patches_{experiment}.log",
    wildcard_constraints:
        experiment=experiment_pattern("kmeans"),
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime="10m",
    params:
        code=code_digest("plot_patches"),
        program=program("plot_patches"),
        patches=FIGURES["patches"],
    shell:
        "python {params.program:q} --patches-file {input.patches} --centroids-file {input.centroids}"
        " --patches {params.patches} --pdf {output.pdf} --png {output.png} 2> {log}"


rule plot_centroids:
    input:
        model=of_first_seed("model.h5"),
        whitening=of_first_seed("whitening.h5"),
        centroids=first_seed_centroids,
    output:
        pdf="results/{study}/figures/centroids_{experiment}.pdf",
        png=reported("centroids_{experiment}", "centroids of {experiment}"),
    log:
        "results/logs/{study}/figures/plot_centroids_{experiment}.log",
    wildcard_constraints:
        experiment=experiment_pattern("kmeans"),
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime="10m",
    params:
        code=code_digest("plot_centroids"),
        program=program("plot_centroids"),
        centroids=FIGURES["centroids"],
    shell:
        "python {params.program:q} --model {input.model} --whitening {input.whitening}"
        " --centroids-files {input.centroids} --centroids {params.centroids}"
        " --pdf {output.pdf} --png {output.png} 2> {log}"


rule plot_confusion:
    input:
        confusion="results/{study}/confusion.csv",
    output:
        pdf="results/{study}/figures/confusion_{experiment}.pdf",
        png=reported("confusion_{experiment}", "confusion matrix of {experiment}"),
    log:
        "results/logs/{study}/figures/plot_confusion_{experiment}.log",
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime="10m",
    params:
        code=code_digest("plot_confusion"),
        program=program("plot_confusion"),
    shell:
        "python {params.program:q} --confusion {input.confusion} --experiment {wildcards.experiment}"
        " --pdf {output.pdf} --png {output.png} 2> {log}"


rule plot_solver_iterations:
    input:
        solver_iterations="results/{study}/solver_iterations.csv",
    output:
        pdf="results/{study}/figures/solver_iterations_{experiment}.pdf",
        png=reported(
            "solver_iterations_{experiment}",
            "accuracy over solver steps of {experiment}",
        ),
    log:
        "results/logs/{study}/figures/plot_solver_iterations_{experiment}.log",
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime="10m",
    params:
        code=code_digest("plot_solver_iterations"),
        program=program("plot_solver_iterations"),
    shell:
        "python {params.program:q} --solver-iterations {input.solver_iterations}"
        " --experiment {wildcards.experiment} --pdf {output.pdf} --png {output.png} 2> {log}"


rule embed_tsne:
    input:
        images="results/{study}/data/images.h5",
        features=embedded_features,
    output:
        embedding="results/{study}/figures/tsne_{representation}.csv",
        clustering="results/{study}/figures/clustering_{representation}.csv",
    log:
        "results/logs/{study}/figures/embed_tsne_{representation}.log",
    benchmark:
        "results/benchmarks/{study}/embed_tsne_{representation}.jsonl"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=2000,
        runtime="30m",
    params:
        code=code_digest("embed_tsne"),
        program=program("embed_tsne"),
        features=lambda wildcards, input: (
            f"--features {input.features}" if input.features else ""
        ),
        options=planning.command_line(
            FIGURES, ("tsne_images", "perplexity", "neighbors")
        ),
    shell:
        "python {params.program:q} --images {input.images} {params.features} {params.options}"
        " --embedding {output.embedding} --clustering {output.clustering} 2> {log}"


rule plot_tsne:
    input:
        images="results/{study}/data/images.h5",
        embedding="results/{study}/figures/tsne_{representation}.csv",
    output:
        pdf="results/{study}/figures/tsne_{representation}.pdf",
        png=reported("tsne_{representation}", "t-SNE of {representation}"),
    log:
        "results/logs/{study}/figures/plot_tsne_{representation}.log",
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        code=code_digest("plot_tsne"),
        program=program("plot_tsne"),
    shell:
        "python {params.program:q} --images {input.images} --embedding {input.embedding}"
        " --pdf {output.pdf} --png {output.png} 2> {log}"
