# Method supervised: a network trained on labels, from random weights or from a network that learned without labels.
from methods.supervised import SupervisedTraining


rule train_supervised:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
        pretrained=network_of_base,
    output:
        model="results/{study}/{experiment}/{run}/model.h5",
        scores="results/{study}/{experiment}/{run}/scores.npz",
        history="results/{study}/{experiment}/{run}/history.csv",
        selection="results/{study}/{experiment}/{run}/selection.csv",
    log:
        "results/logs/{study}/{experiment}/{run}/train_supervised.log",
    benchmark:
        "results/benchmarks/{study}/{experiment}/{run}/train_supervised.jsonl"
    wildcard_constraints:
        experiment=experiment_pattern("supervised"),
    priority: 1
    conda:
        environment("train")
    threads: 8
    resources:
        gpu=1,
        mem_mb=memory(8000),
        runtime="8h",
    params:
        code=code_with_network("train_supervised"),
        program=program("train_supervised"),
        pretrained=lambda wildcards, input: f"--pretrained {input.pretrained}" if input.pretrained else "",
        options=options_of(SupervisedTraining),
        checkpoint=checkpoint_folder("train_supervised"),
        seed=training_seed,
    shell:
        "python {params.program:q} --images {input.images} --run {wildcards.run} {params.pretrained} {params.options}"
        " --seed {params.seed} --checkpoint {params.checkpoint} --code {params.code} --model {output.model}"
        " --scores {output.scores} --history {output.history} --selection {output.selection}"
        " --gpu {resources.gpu} 2> {log}"
