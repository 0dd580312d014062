# Method kmeans: patches, whitening, centroids, features, support vector machine.
# The label-free part (everything up to the features) is that of the seed; folds share that of the study's first one.
from methods.kmeans import Centroids, Features, Patches, SolverIterations, SvmOnFeatures, Whitening


rule sample_patches:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
    output:
        patches="results/{study}/{experiment}/{run}/patches.h5",
    log:
        "results/logs/{study}/{experiment}/{run}/sample_patches.log",
    benchmark:
        "results/benchmarks/{study}/{experiment}/{run}/sample_patches.jsonl"
    wildcard_constraints:
        experiment=experiment_pattern("kmeans"),
        run=SEED_RUN,
    priority: 1
    conda:
        environment("train")
    resources:
        mem_mb=memory(2000),
        runtime=run_time(minutes=30),
    params:
        code=code_digest("sample_patches"),
        program=program("sample_patches"),
        options=options_of(Patches),
        seed=seed_of,
    shell:
        "python {params.program:q} --images {input.images} --patches {output.patches}"
        " {params.options} --seed {params.seed} 2> {log}"


rule fit_whitening:
    input:
        patches="results/{study}/{experiment}/{run}/patches.h5",
    output:
        whitening="results/{study}/{experiment}/{run}/whitening.h5",
    log:
        "results/logs/{study}/{experiment}/{run}/fit_whitening.log",
    benchmark:
        "results/benchmarks/{study}/{experiment}/{run}/fit_whitening.jsonl"
    wildcard_constraints:
        experiment=experiment_pattern("kmeans"),
        run=SEED_RUN,
    priority: 1
    conda:
        environment("train")
    threads: 8
    resources:
        mem_mb=memory(4000),
        runtime=run_time(minutes=30),
    params:
        code=code_digest("fit_whitening"),
        program=program("fit_whitening"),
        options=options_of(Whitening),
    shell:
        "python {params.program:q} --patches {input.patches} --whitening {output.whitening}"
        " {params.options} 2> {log}"


rule learn_centroids:
    input:
        patches="results/{study}/{experiment}/{run}/patches.h5",
        whitening="results/{study}/{experiment}/{run}/whitening.h5",
    output:
        centroids="results/{study}/{experiment}/{run}/epsilon{epsilon}/centroids.h5",
        history="results/{study}/{experiment}/{run}/epsilon{epsilon}/history.csv",
    log:
        "results/logs/{study}/{experiment}/{run}/epsilon{epsilon}/learn_centroids.log",
    benchmark:
        "results/benchmarks/{study}/{experiment}/{run}/epsilon{epsilon}/learn_centroids.jsonl"
    wildcard_constraints:
        experiment=experiment_pattern("kmeans"),
        run=SEED_RUN,
    priority: 1
    conda:
        environment("train")
    threads: 8
    resources:
        gpu=1,
        mem_mb=memory(4000),
        runtime="2h",
    params:
        code=code_digest("learn_centroids"),
        program=program("learn_centroids"),
        options=options_of(Centroids),
        checkpoint=checkpoint_folder("learn_centroids"),
        seed=seed_of,
    shell:
        "python {params.program:q} --patches {input.patches} --whitening {input.whitening}"
        " --centroids-file {output.centroids} --history {output.history} --epsilon {wildcards.epsilon}"
        " {params.options} --checkpoint {params.checkpoint} --code {params.code} --seed {params.seed}"
        " --gpu {resources.gpu} 2> {log}"


rule extract_features:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
        centroids=of_base("epsilon{epsilon}/centroids.h5"),
    output:
        features="results/{study}/{experiment}/{run}/epsilon{epsilon}/features.h5",
    log:
        "results/logs/{study}/{experiment}/{run}/epsilon{epsilon}/extract_features.log",
    benchmark:
        "results/benchmarks/{study}/{experiment}/{run}/epsilon{epsilon}/extract_features.jsonl"
    wildcard_constraints:
        experiment=experiment_pattern("kmeans"),
        run=SEED_RUN,
    priority: 1
    conda:
        environment("train")
    threads: 8
    resources:
        gpu=1,
        mem_mb=memory(4000),
        runtime=run_time(hours=4),
    params:
        code=code_digest("extract_features"),
        program=program("extract_features"),
        options=options_of(Features),
    shell:
        "python {params.program:q} --images {input.images} --centroids-file {input.centroids}"
        " --features {output.features} {params.options} --gpu {resources.gpu} 2> {log}"


rule train_svm:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
        features=for_each_epsilon("features.h5"),
        centroids=for_each_epsilon("centroids.h5", base_of),
    output:
        model="results/{study}/{experiment}/{run}/model.h5",
        scores="results/{study}/{experiment}/{run}/scores.npz",
        features="results/{study}/{experiment}/{run}/features.h5",
        selection="results/{study}/{experiment}/{run}/selection.csv",
        history="results/{study}/{experiment}/{run}/history.csv",
    log:
        "results/logs/{study}/{experiment}/{run}/train_svm.log",
    benchmark:
        "results/benchmarks/{study}/{experiment}/{run}/train_svm.jsonl"
    wildcard_constraints:
        experiment=experiment_pattern("kmeans"),
    priority: 1
    conda:
        environment("train")
    threads: 8
    resources:
        mem_mb=memory(4000),
        runtime=run_time(hours=1),
    params:
        code=code_digest("train_svm"),
        program=program("train_svm"),
        options=options_of(SvmOnFeatures),
    shell:
        "python {params.program:q} --images {input.images} --features {input.features}"
        " --centroids-files {input.centroids} --run {wildcards.run} {params.options} --model {output.model}"
        " --scores {output.scores} --chosen-features {output.features} --selection {output.selection}"
        " --history {output.history} 2> {log}"


rule solver_iterations:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
        features="results/{study}/{experiment}/{run}/features.h5",
        linked_features=for_each_epsilon("features.h5"),  # features.h5 holds links to one of them
        model="results/{study}/{experiment}/{run}/model.h5",
        selection="results/{study}/{experiment}/{run}/selection.csv",
    output:
        scores="results/{study}/{experiment}/{run}/solver_iterations.npz",
    log:
        "results/logs/{study}/{experiment}/{run}/solver_iterations.log",
    benchmark:
        "results/benchmarks/{study}/{experiment}/{run}/solver_iterations.jsonl"
    wildcard_constraints:
        experiment=experiment_pattern("kmeans"),
        run=SEED_RUN,
    priority: 1
    conda:
        environment("train")
    resources:
        mem_mb=memory(4000),
        runtime=run_time(hours=1),
    params:
        code=code_digest("solver_iterations"),
        program=program("solver_iterations"),
        options=options_of(SolverIterations),
        seed=seed_of,
    shell:
        "python {params.program:q} --images {input.images} --features {input.features}"
        " --model {input.model} --selection {input.selection} --run {wildcards.run} {params.options}"
        " --seed {params.seed} --scores {output.scores} 2> {log}"
