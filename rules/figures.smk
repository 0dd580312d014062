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
        experiment=experiment_pattern("kmeans", before="figures/patches_"),
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
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
        experiment=experiment_pattern("kmeans", before="figures/centroids_"),
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_centroids"),
        program=program("plot_centroids"),
        centroids=FIGURES["centroids"],
    shell:
        "python {params.program:q} --model {input.model} --whitening {input.whitening}"
        " --centroids-files {input.centroids} --centroids {params.centroids}"
        " --pdf {output.pdf} --png {output.png} 2> {log}"


rule plot_surrogates:
    input:
        surrogates=of_first_seed("surrogates.h5"),
    output:
        pdf="results/{study}/figures/surrogates_{experiment}.pdf",
        png=reported("surrogates_{experiment}", "surrogate classes of {experiment}"),
    log:
        "results/logs/{study}/figures/plot_surrogates_{experiment}.log",
    wildcard_constraints:
        experiment=experiment_pattern("surrogate", before="figures/surrogates_"),
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_surrogates"),
        program=program("plot_surrogates"),
    shell:
        "python {params.program:q} --surrogates {input.surrogates}" " --pdf {output.pdf} --png {output.png} 2> {log}"


rule plot_augmentations:
    input:
        images="results/{study}/data/images.h5",
    output:
        pdf="results/{study}/figures/augmentations_{experiment}.pdf",
        png=reported("augmentations_{experiment}", "augmentation of {experiment}"),
    log:
        "results/logs/{study}/figures/plot_augmentations_{experiment}.log",
    wildcard_constraints:
        experiment=experiment_pattern("cnn", *UNLABELED_LOSS_METHODS, before="figures/augmentations_"),
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_augmentations"),
        program=program("plot_augmentations"),
        options=options_of(*AUGMENTATION_OPTIONS),
    shell:
        "python {params.program:q} --images {input.images} {params.options} --seed 0"
        " --pdf {output.pdf} --png {output.png} 2> {log}"


rule plot_filters:
    input:
        network=first_seed_network,
    output:
        pdf="results/{study}/figures/filters_{experiment}.pdf",
        png=reported("filters_{experiment}", "first-layer filters of {experiment}"),
    log:
        "results/logs/{study}/figures/plot_filters_{experiment}.log",
    wildcard_constraints:
        experiment=experiment_pattern(*NETWORK_FILES, before="figures/filters_"),
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_filters"),
        program=program("plot_filters"),
    shell:
        "python {params.program:q} --network-file {input.network}" " --pdf {output.pdf} --png {output.png} 2> {log}"


rule plot_training:
    input:
        histories=lambda wildcards: [
            f"results/{wildcards.study}/{experiment}/{first_seed_run(wildcards.study)}/history.csv"
            for experiment in trained_together(wildcards.study)
        ],
    output:
        pdf="results/{study}/figures/training.pdf",
        png=reported("training", "training curves"),
    log:
        "results/logs/{study}/figures/plot_training.log",
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_training"),
        program=program("plot_training"),
        names=lambda wildcards: trained_together(wildcards.study),
    shell:
        "python {params.program:q} --histories {input.histories} --names {params.names}"
        " --pdf {output.pdf} --png {output.png} 2> {log}"


rule plot_rounds:
    input:
        history=of_first_seed("history.csv"),
        accepted=of_first_seed("accepted.csv"),
        images="results/{study}/data/images.h5",
    output:
        pdf="results/{study}/figures/rounds_{experiment}.pdf",
        png=reported("rounds_{experiment}", "pseudo-label rounds of {experiment}"),
    log:
        "results/logs/{study}/figures/plot_rounds_{experiment}.log",
    wildcard_constraints:
        experiment=experiment_pattern(*planning.ROUNDS_METHODS, before="figures/rounds_"),
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_rounds"),
        program=program("plot_rounds"),
    shell:
        "python {params.program:q} --history {input.history} --accepted {input.accepted} --images {input.images}"
        " --pdf {output.pdf} --png {output.png} 2> {log}"


rule plot_mistakes:
    input:
        held_out=of_first_seed("held_out.csv"),
        images="results/{study}/data/images.h5",
    output:
        pdf="results/{study}/figures/mistakes_{experiment}.pdf",
        png=reported("mistakes_{experiment}", "confident mistakes of {experiment}"),
    log:
        "results/logs/{study}/figures/plot_mistakes_{experiment}.log",
    wildcard_constraints:
        experiment=experiment_pattern(*planning.ROUNDS_METHODS, before="figures/mistakes_"),
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_mistakes"),
        program=program("plot_mistakes"),
    shell:
        "python {params.program:q} --held-out {input.held_out} --images {input.images}"
        " --pdf {output.pdf} --png {output.png} 2> {log}"


rule plot_unlabeled:
    input:
        history=of_first_seed("history.csv"),
    output:
        pdf="results/{study}/figures/unlabeled_{experiment}.pdf",
        png=reported("unlabeled_{experiment}", "loss on unlabeled images of {experiment}"),
    log:
        "results/logs/{study}/figures/plot_unlabeled_{experiment}.log",
    wildcard_constraints:
        experiment=experiment_pattern(*UNLABELED_LOSS_METHODS, before="figures/unlabeled_"),
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_unlabeled"),
        program=program("plot_unlabeled"),
    shell:
        "python {params.program:q} --history {input.history} --pdf {output.pdf} --png {output.png} 2> {log}"


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
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
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
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_solver_iterations"),
        program=program("plot_solver_iterations"),
    shell:
        "python {params.program:q} --solver-iterations {input.solver_iterations}"
        " --experiment {wildcards.experiment} --pdf {output.pdf} --png {output.png} 2> {log}"


rule embed_tsne:
    input:
        images="results/{study}/data/images.h5",
        test_sample="results/{study}/test_sample.csv",
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
        mem_mb=memory(2000),
        runtime=run_time(minutes=30),
    params:
        code=code_digest("embed_tsne"),
        program=program("embed_tsne"),
        features=embedded_option,
        options=planning.command_line(FIGURES, ("perplexity", "neighbors")),
    shell:
        "python {params.program:q} --images {input.images} --test-sample {input.test_sample} {params.features}"
        " {params.options}"
        " --embedding {output.embedding} --clustering {output.clustering} 2> {log}"


rule plot_tsne:
    input:
        images="results/{study}/data/images.h5",
        embedding="results/{study}/figures/tsne_{representation}.csv",
        clustering="results/{study}/figures/clustering_{representation}.csv",
    output:
        pdf="results/{study}/figures/tsne_{representation}.pdf",
        png=reported("tsne_{representation}", "t-SNE of {representation}"),
    log:
        "results/logs/{study}/figures/plot_tsne_{representation}.log",
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_tsne"),
        program=program("plot_tsne"),
    shell:
        "python {params.program:q} --images {input.images} --embedding {input.embedding}"
        " --clustering {input.clustering} --pdf {output.pdf} --png {output.png} 2> {log}"


rule plot_layers:
    input:
        images="results/{study}/data/images.h5",
        embedding="results/{study}/figures/tsne_{experiment}.csv",
        clustering="results/{study}/figures/clustering_{experiment}.csv",
    output:
        pdf="results/{study}/figures/layers_{experiment}.pdf",
        png=reported("layers_{experiment}", "t-SNE of the layers of {experiment}"),
    log:
        "results/logs/{study}/figures/plot_layers_{experiment}.log",
    wildcard_constraints:
        experiment=experiment_pattern(*NETWORK_FILES, before="figures/layers_"),
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_layers"),
        program=program("plot_layers"),
    shell:
        "python {params.program:q} --images {input.images} --embedding {input.embedding} --clustering {input.clustering}"
        " --pdf {output.pdf} --png {output.png} 2> {log}"
