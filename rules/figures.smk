# Figures: PDF for the printed report, PNG for the HTML report. Computing and drawing are rules of their own.
# All figures of a kind that a study has are one job, as starting a program takes longer than drawing a figure.
from methods.shared import Augmentation, ImageSize


rule plot_patches:
    input:
        patches=of_each("patches", "patches.h5"),
        centroids=lambda wildcards: [files[0] for files in centroids_of_each(wildcards.study)],
    output:
        figures=reported_figures("patches", "patches of {experiment}"),
        checksums="results/{study}/figures/patches.sha256",
    log:
        "results/logs/{study}/plot_patches.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_patches"),
        program=program("plot_patches"),
        files=figure_files("patches"),
        patches=FIGURES["patches"],
    shell:
        "python {params.program:q} --patches-file {input.patches} --centroids-file {input.centroids}"
        " --patches {params.patches} {params.files} 2> {log}"
        " && sha256sum {output.figures}/* 2>> {log} | LC_ALL=C sort > {output.checksums}"


rule plot_centroids:
    input:
        model=of_each("centroids", "model.h5"),
        whitening=of_each("centroids", "whitening.h5"),
        centroids=lambda wildcards: sum(centroids_of_each(wildcards.study), []),
    output:
        figures=reported_figures("centroids", "centroids of {experiment}"),
        checksums="results/{study}/figures/centroids.sha256",
    log:
        "results/logs/{study}/plot_centroids.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_centroids"),
        program=program("plot_centroids"),
        files=figure_files("centroids"),
        centroids=FIGURES["centroids"],
    shell:
        "python {params.program:q} --model {input.model} --whitening {input.whitening}"
        " --centroids-files {input.centroids} --centroids {params.centroids} {params.files} 2> {log}"
        " && sha256sum {output.figures}/* 2>> {log} | LC_ALL=C sort > {output.checksums}"


rule plot_surrogates:
    input:
        surrogates=of_each("surrogates", "surrogates.h5"),
    output:
        figures=reported_figures("surrogates", "surrogate classes of {experiment}"),
        checksums="results/{study}/figures/surrogates.sha256",
    log:
        "results/logs/{study}/plot_surrogates.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_surrogates"),
        program=program("plot_surrogates"),
        files=figure_files("surrogates"),
    shell:
        "python {params.program:q} --surrogates {input.surrogates} {params.files} 2> {log}"
        " && sha256sum {output.figures}/* 2>> {log} | LC_ALL=C sort > {output.checksums}"


rule plot_augmentations:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
    output:
        figures=reported_figures("augmentations", "augmentation of {experiment}"),
        checksums="results/{study}/figures/augmentations.sha256",
    log:
        "results/logs/{study}/plot_augmentations.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_augmentations"),
        program=program("plot_augmentations"),
        files=figure_files("augmentations"),
        options=options_of_each("augmentations", ImageSize, Augmentation),
    shell:
        "python {params.program:q} --images {input.images} {params.options} --seed 0 {params.files} 2> {log}"
        " && sha256sum {output.figures}/* 2>> {log} | LC_ALL=C sort > {output.checksums}"


rule plot_filters:
    input:
        networks=lambda wildcards: networks_of_each(wildcards.study, "filters"),
    output:
        figures=reported_figures("filters", "first-layer filters of {experiment}"),
        checksums="results/{study}/figures/filters.sha256",
    log:
        "results/logs/{study}/plot_filters.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_filters"),
        program=program("plot_filters"),
        files=figure_files("filters"),
    shell:
        "python {params.program:q} --network-file {input.networks} {params.files} 2> {log}"
        " && sha256sum {output.figures}/* 2>> {log} | LC_ALL=C sort > {output.checksums}"


rule plot_training:
    input:
        histories=lambda wildcards: [
            f"results/{wildcards.study}/{experiment}/{first_seed_run(wildcards.study)}/history.csv"
            for experiment in trained_together(wildcards.study)
        ],
    output:
        pdf="results/{study}/figures/training.pdf",
        png=reported_figure("training", "training curves"),
    log:
        "results/logs/{study}/figures/plot_training.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_training"),
        program=program("plot_training"),
        names=lambda wildcards: [
            planning.short_name(CONFIG, wildcards.study, name) for name in trained_together(wildcards.study)
        ],
    shell:
        "python {params.program:q} --histories {input.histories} --names {params.names:q}"
        " --pdf {output.pdf} --png {output.png} 2> {log}"


rule plot_forest:
    input:
        comparison="results/{study}/comparison.csv",
        metrics="results/{study}/metrics.csv",
    output:
        pdf="results/{study}/figures/forest.pdf",
        png=reported_figure("forest", "all experiments with their intervals"),
        svg="results/{study}/figures/forest.svg",
    log:
        "results/logs/{study}/figures/plot_forest.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_forest"),
        program=program("plot_forest"),
        texts=report_texts("published.yaml"),
        published=report_files("published.yaml"),
        plan=lambda wildcards: json.dumps(planning_report.forest_plan(CONFIG, wildcards.study)),
    shell:
        "python {params.program:q} --comparison {input.comparison} --metrics {input.metrics} --plan -"
        " --published {params.published:q} --pdf {output.pdf} --png {output.png} --svg {output.svg} <<< {params.plan:q} 2> {log}"


rule plot_label_curve:
    input:
        label_curve="results/{study}/label_curve.csv",
    output:
        pdf="results/{study}/figures/label_curve.pdf",
        png=reported_figure("label_curve", "curves of accuracy against labels"),
    log:
        "results/logs/{study}/figures/plot_label_curve.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_label_curve"),
        program=program("plot_label_curve"),
        texts=report_texts("published.yaml"),
        published=report_files("published.yaml"),
        data_set=lambda wildcards: planning.data_kind(CONFIG, dataset_of(wildcards.study)).kind,
        names=lambda wildcards: json.dumps(
            {name: planning.short_name(CONFIG, wildcards.study, name) for name in experiments(wildcards.study)}
        ),
    shell:
        "python {params.program:q} --label-curve {input.label_curve} --published {params.published:q}"
        " --names {params.names:q} --data-set {params.data_set} --pdf {output.pdf} --png {output.png} 2> {log}"


rule plot_rounds:
    input:
        history=of_each("rounds", "history.csv"),
        accepted=of_each("rounds", "accepted.csv"),
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
    output:
        figures=reported_figures("rounds", "pseudo-label rounds of {experiment}"),
        checksums="results/{study}/figures/rounds.sha256",
    log:
        "results/logs/{study}/plot_rounds.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_rounds"),
        program=program("plot_rounds"),
        files=figure_files("rounds"),
    shell:
        "python {params.program:q} --history {input.history} --accepted {input.accepted} --images {input.images}"
        " {params.files} 2> {log}"
        " && sha256sum {output.figures}/* 2>> {log} | LC_ALL=C sort > {output.checksums}"


rule plot_mistakes:
    input:
        held_out=of_each("mistakes", "held_out.csv"),
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
    output:
        figures=reported_figures("mistakes", "confident mistakes of {experiment}"),
        checksums="results/{study}/figures/mistakes.sha256",
    log:
        "results/logs/{study}/plot_mistakes.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_mistakes"),
        program=program("plot_mistakes"),
        files=figure_files("mistakes"),
    shell:
        "python {params.program:q} --held-out {input.held_out} --images {input.images} {params.files} 2> {log}"
        " && sha256sum {output.figures}/* 2>> {log} | LC_ALL=C sort > {output.checksums}"


rule plot_unlabeled:
    input:
        history=of_each("unlabeled", "history.csv"),
    output:
        figures=reported_figures("unlabeled", "loss on unlabeled images of {experiment}"),
        checksums="results/{study}/figures/unlabeled.sha256",
    log:
        "results/logs/{study}/plot_unlabeled.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_unlabeled"),
        program=program("plot_unlabeled"),
        files=figure_files("unlabeled"),
    shell:
        "python {params.program:q} --history {input.history} {params.files} 2> {log}"
        " && sha256sum {output.figures}/* 2>> {log} | LC_ALL=C sort > {output.checksums}"


rule plot_confusion:
    input:
        confusion="results/{study}/confusion.csv",
    output:
        figures=reported_figures("confusion", "confusion matrix of {experiment}"),
        checksums="results/{study}/figures/confusion.sha256",
    log:
        "results/logs/{study}/plot_confusion.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_confusion"),
        program=program("plot_confusion"),
        files=figure_files("confusion"),
        experiments=names_of_each("confusion"),
    shell:
        "python {params.program:q} --confusion {input.confusion} --experiment {params.experiments} {params.files} 2> {log}"
        " && sha256sum {output.figures}/* 2>> {log} | LC_ALL=C sort > {output.checksums}"


rule plot_solver_iterations:
    input:
        solver_iterations="results/{study}/solver_iterations.csv",
    output:
        figures=reported_figures("solver_iterations", "accuracy over solver steps of {experiment}"),
        checksums="results/{study}/figures/solver_iterations.sha256",
    log:
        "results/logs/{study}/plot_solver_iterations.log",
    conda:
        environment("report")
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("plot_solver_iterations"),
        program=program("plot_solver_iterations"),
        files=figure_files("solver_iterations"),
        experiments=names_of_each("solver_iterations"),
    shell:
        "python {params.program:q} --solver-iterations {input.solver_iterations} --experiment {params.experiments}"
        " {params.files} 2> {log}"
        " && sha256sum {output.figures}/* 2>> {log} | LC_ALL=C sort > {output.checksums}"
