# Methods whose networks learn without labels: a support vector machine on their layers.
# The label-free part (everything up to the layers) is that of the seed; folds share that of the study's first one.
from methods.pretraining import Layers, Pretraining, Probe


rule extract_layers:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
        network="results/{study}/{experiment}/{run}/pretrained_network.h5",
    output:
        layers="results/{study}/{experiment}/{run}/layers.h5",
    log:
        "results/logs/{study}/{experiment}/{run}/extract_layers.log",
    benchmark:
        "results/benchmarks/{study}/{experiment}/{run}/extract_layers.jsonl"
    wildcard_constraints:
        experiment=experiment_pattern(*methods_like(Pretraining)),
        run=SEED_RUN,
    priority: 1
    conda:
        environment("train")
    threads: 8
    resources:
        gpu=1,
        mem_mb=memory(4000),
        runtime=run_time(hours=2),
    params:
        code=code_digest("extract_layers"),
        program=program("extract_layers"),
        options=options_of(Layers),
    shell:
        "python {params.program:q} --images {input.images} --network-file {input.network} --layers {output.layers}"
        " {params.options} --gpu {resources.gpu} 2> {log}"


rule train_probe:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
        layers=unsupervised_file("layers.h5"),
        network=unsupervised_file("pretrained_network.h5"),
    output:
        model="results/{study}/{experiment}/{run}/model.h5",
        scores="results/{study}/{experiment}/{run}/scores.npz",
        selection="results/{study}/{experiment}/{run}/selection.csv",
        history="results/{study}/{experiment}/{run}/history.csv",
    log:
        "results/logs/{study}/{experiment}/{run}/train_probe.log",
    benchmark:
        "results/benchmarks/{study}/{experiment}/{run}/train_probe.jsonl"
    wildcard_constraints:
        experiment=experiment_pattern(*methods_like(Pretraining)),
    priority: 1
    conda:
        environment("train")
    threads: 8
    resources:
        mem_mb=memory(4000),
        runtime=run_time(hours=1),
    params:
        code=code_digest("train_probe"),
        program=program("train_probe"),
        options=options_of(Probe),
    shell:
        "python {params.program:q} --images {input.images} --layers {input.layers} --network-file {input.network}"
        " --run {wildcards.run} {params.options} --model {output.model} --scores {output.scores}"
        " --selection {output.selection} --history {output.history} 2> {log}"
