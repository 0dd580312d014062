# Figures: PDF for the printed report, PNG for the HTML report. Computing and drawing are rules of their own.


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
        clustering=reported_table(
            "figures/clustering_{representation}.csv", "clustering", "clustering of {representation}"
        ),
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
        features=lambda wildcards, input: (f"--features {input.features}" if input.features else ""),
        options=planning.command_line(FIGURES, ("tsne_images", "perplexity", "neighbors")),
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
