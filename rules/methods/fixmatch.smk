# Method fixmatch: unlabeled images, changed weakly and strongly.
from methods.fixmatch import FixMatchTraining


rule train_fixmatch:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
        base_model=model_of_base,
    output:
        model="results/{study}/{experiment}/{run}/model.h5",
        scores="results/{study}/{experiment}/{run}/scores.npz",
        history="results/{study}/{experiment}/{run}/history.csv",
        selection="results/{study}/{experiment}/{run}/selection.csv",
    log:
        "results/logs/{study}/{experiment}/{run}/train_fixmatch.log",
    benchmark:
        "results/benchmarks/{study}/{experiment}/{run}/train_fixmatch.jsonl"
    wildcard_constraints:
        experiment=experiment_pattern("fixmatch"),
    priority: 1
    conda:
        environment("train")
    threads: 8
    resources:
        gpu=1,
        mem_mb=memory(8000),
        runtime="8h",
    params:
        code=code_with_network("train_fixmatch"),
        program=program("train_fixmatch"),
        base_model=lambda wildcards, input: f"--base-model {input.base_model}" if input.base_model else "",
        options=options_of(FixMatchTraining),
        checkpoint=checkpoint_folder("train_fixmatch"),
        seed=training_seed,
    shell:
        "python {params.program:q} --images {input.images} --run {wildcards.run} {params.base_model} {params.options}"
        " --seed {params.seed} --checkpoint {params.checkpoint} --code {params.code} --model {output.model}"
        " --scores {output.scores} --history {output.history} --selection {output.selection}"
        " --gpu {resources.gpu} 2> {log}"
