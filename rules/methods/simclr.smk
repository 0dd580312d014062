# Method simclr: a network that tells images apart by their views; then as in pretraining.smk.
from methods.simclr import SimclrTraining


rule train_simclr:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
    output:
        network="results/{study}/{experiment}/{run}/pretrained_network.h5",
        history="results/{study}/{experiment}/{run}/pretraining_history.csv",
    log:
        "results/logs/{study}/{experiment}/{run}/train_simclr.log",
    benchmark:
        "results/benchmarks/{study}/{experiment}/{run}/train_simclr.jsonl"
    wildcard_constraints:
        experiment=experiment_pattern("simclr"),
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
        code=code_with_network("train_simclr"),
        program=program("train_simclr"),
        options=options_of(SimclrTraining),
        checkpoint=checkpoint_folder("train_simclr"),
        seed=seed_of,
    shell:
        "python {params.program:q} --images {input.images} {params.options} --seed {params.seed}"
        " --checkpoint {params.checkpoint} --code {params.code} --network-file {output.network}"
        " --history {output.history} --gpu {resources.gpu} 2> {log}"
