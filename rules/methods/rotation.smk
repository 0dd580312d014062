# Method rotation: unlabeled images, turned by quarters.
from methods.rotation import RotationTraining


rule train_rotation:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
    output:
        model="results/{study}/{experiment}/{run}/model.h5",
        scores="results/{study}/{experiment}/{run}/scores.npz",
        history="results/{study}/{experiment}/{run}/history.csv",
        selection="results/{study}/{experiment}/{run}/selection.csv",
    log:
        "results/logs/{study}/{experiment}/{run}/train_rotation.log",
    benchmark:
        "results/benchmarks/{study}/{experiment}/{run}/train_rotation.jsonl"
    wildcard_constraints:
        experiment=experiment_pattern("rotation"),
    priority: 1
    conda:
        environment("train")
    threads: 8
    resources:
        gpu=1,
        mem_mb=memory(8000),
        runtime="8h",
    params:
        code=code_with_network("train_rotation"),
        program=program("train_rotation"),
        options=options_of(RotationTraining),
        checkpoint=checkpoint_folder("train_rotation"),
        seed=training_seed,
    shell:
        "python {params.program:q} --images {input.images} --run {wildcards.run} {params.options}"
        " --seed {params.seed} --checkpoint {params.checkpoint} --code {params.code} --model {output.model}"
        " --scores {output.scores} --history {output.history} --selection {output.selection}"
        " --gpu {resources.gpu} 2> {log}"
