# Method exemplar: surrogate classes, and a network that tells them apart; then as in pretraining.smk.
from methods.exemplar import ExemplarTraining, Surrogates


rule make_surrogates:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
    output:
        surrogates="results/{study}/{experiment}/{run}/surrogates.h5",
    log:
        "results/logs/{study}/{experiment}/{run}/make_surrogates.log",
    benchmark:
        "results/benchmarks/{study}/{experiment}/{run}/make_surrogates.jsonl"
    wildcard_constraints:
        experiment=experiment_pattern("exemplar"),
        run=SEED_RUN,
    priority: 1
    conda:
        environment("train")
    threads: 8
    resources:
        gpu=1,
        mem_mb=memory(4000),
        runtime=run_time(hours=1),
    params:
        code=code_digest("make_surrogates"),
        program=program("make_surrogates"),
        options=options_of(Surrogates),
        seed=seed_of,
    shell:
        "python {params.program:q} --images {input.images} --surrogates {output.surrogates}"
        " {params.options} --seed {params.seed} --gpu {resources.gpu} 2> {log}"


rule train_exemplar:
    input:
        surrogates="results/{study}/{experiment}/{run}/surrogates.h5",
    output:
        network="results/{study}/{experiment}/{run}/pretrained_network.h5",
        history="results/{study}/{experiment}/{run}/pretraining_history.csv",
    log:
        "results/logs/{study}/{experiment}/{run}/train_exemplar.log",
    benchmark:
        "results/benchmarks/{study}/{experiment}/{run}/train_exemplar.jsonl"
    wildcard_constraints:
        experiment=experiment_pattern("exemplar"),
        run=SEED_RUN,
    priority: 1
    conda:
        environment("train")
    threads: 8
    resources:
        gpu=1,
        mem_mb=memory(8000),
        runtime="24h",
    params:
        code=code_with_network("train_exemplar"),
        program=program("train_exemplar"),
        options=options_of(ExemplarTraining),
        checkpoint=checkpoint_folder("train_exemplar"),
        seed=seed_of,
    shell:
        "python {params.program:q} --surrogates {input.surrogates} {params.options} --seed {params.seed}"
        " --checkpoint {params.checkpoint} --code {params.code} --network-file {output.network}"
        " --history {output.history} --gpu {resources.gpu} 2> {log}"
